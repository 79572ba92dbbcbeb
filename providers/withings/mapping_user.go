package withings

import (
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// devices maps getdevice.
func (m *mapper) devices() error {
	if err := m.list("devices", m.device); err != nil {
		return err
	}
	m.personZone = commonZone(m.records)
	return nil
}

// commonZone returns the zone that all devices are in.
func commonZone(records []health.Record) string {
	zone := ""
	for i := range records {
		for _, t := range records[i].Texts {
			if t.Name != health.TextTimezone {
				continue
			}
			if zone != "" && zone != t.Value {
				return ""
			}
			zone = t.Value
		}
	}
	return zone
}

// The members of a device.
const (
	deviceID = iota
	deviceHash
	deviceType
	deviceModel
	deviceModelID
	deviceModelID2
	deviceBattery
	deviceTimezone
	deviceFirst
	deviceLast
)

var deviceNames = []string{
	"deviceid", "hash_deviceid", "type", "model", "modelid", "model_id", "battery", "timezone", "first_session_date", "last_session_date",
}

func (m *mapper) device(s *jsonscan.Scanner) (key, reason string) {
	var (
		r           = &m.row
		dev         device
		first, last int64
	)
	for s.NextMember() {
		switch string(s.Name()) {
		case "deviceid":
			dev.id = r.identifier(s, deviceID, &m.in)
		case "hash_deviceid":
			dev.hash = r.identifier(s, deviceHash, &m.in)
		case "type":
			r.text(health.TextDeviceType, r.identifier(s, deviceType, &m.in))
		case "model":
			dev.model = r.word(s, deviceModel, &m.in)
		case "model_id", "modelid":
			dev.modelID = r.modelID(s, deviceModelID, dev.modelID)
		case "battery":
			r.text(health.TextBattery, r.identifier(s, deviceBattery, &m.in))
		case "timezone":
			if zone := r.identifier(s, deviceTimezone, &m.in); m.zone(zone) != nil {
				r.text(health.TextTimezone, zone)
			}
		case "first_session_date":
			first = r.integer(s, deviceFirst)
		case "last_session_date":
			last = r.integer(s, deviceLast)
		default:
			s.Skip()
		}
	}
	if dev.name() == "" || r.bad&(1<<deviceID|1<<deviceHash) != 0 {
		return "", reasonDevice
	}
	key = m.key(providers.KeyPart(dev.name(), ""))
	r.optional(deviceNames)
	r.text(health.TextDeviceManufacturer, "Withings")
	r.text(health.TextDeviceFirstUse, m.instantText(first))
	r.text(health.TextDeviceLastSync, m.instantText(last))
	m.emit(health.KindDevice, key, 0, r.describe(dev))
	return key, ""
}

// instantText returns a time of the wire as text; empty if it is none.
func (m *mapper) instantText(seconds int64) string {
	at, _, ok := m.moment(seconds)
	if !ok {
		return ""
	}
	t, _ := at.Time()
	return t.Format(time.RFC3339)
}

// goals maps getgoals. A person without goals has no record.
func (m *mapper) goals() error {
	err := m.answer(0, func(s *jsonscan.Scanner) error {
		if string(s.Name()) != "goals" {
			s.Skip()
			return nil
		}
		if m.gotRows {
			return malformed(codeDuplicate)
		}
		m.gotRows = true
		whole := s.Mark()
		if k := s.Kind(); k == jsonscan.Array || k == jsonscan.Null {
			if s.Skip(); s.Err() != nil {
				return s.Err()
			}
			m.fold(s.Since(whole))
			return nil
		}
		if err := m.each(s, 0, m.goal); err != nil {
			return err
		}
		m.fold(s.Since(whole))
		return nil
	})
	if err != nil {
		return err
	}
	if !m.gotRows {
		return malformed(codeNoRows)
	}
	return m.finish()
}

// The members of the goals.
const (
	goalSteps = iota
	goalSleep
	goalWeight
)

func (m *mapper) goal(s *jsonscan.Scanner) (key, reason string) {
	r := &m.row
	key = m.key("current")
	for s.NextMember() {
		switch string(s.Name()) {
		case "steps":
			r.meet(goalSteps)
			r.goal(s, health.MetricSteps)
		case "sleep":
			r.meet(goalSleep)
			r.goal(s, health.MetricSleepDuration)
		case "weight":
			r.meet(goalWeight)
			r.weightGoal(s)
		default:
			keepUnknown(s, r, s.Name())
		}
	}
	m.emit(health.KindAthlete, key, 0, health.Source{}).Method = health.MethodSelfReported
	return key, ""
}

func (r *row) goal(s *jsonscan.Scanner, metric health.Metric) {
	at := s.Mark()
	switch d, v := s.ReadDecimal(); {
	case s.Err() != nil:
	case v == jsonscan.OK:
		r.value(health.Value{Metric: metric, Stat: health.StatGoal, Number: d})
	case v == jsonscan.Bad:
		r.fault(string(metric), reasonType, s.Since(at))
	}
}

// weightGoal reads a number and its decimal exponent.
func (r *row) weightGoal(s *jsonscan.Scanner) {
	at := s.Mark()
	if !objectOr(s, r, "weight") {
		return
	}
	var (
		seen  members
		value health.Decimal
		unit  int64
	)
	for s.NextMember() {
		switch string(s.Name()) {
		case "value":
			seen.meet(measureValue)
			d, v := s.ReadDecimal()
			seen.judge(measureValue, v)
			value = d
		case "unit":
			unit = seen.integer(s, measureUnit)
		default:
			s.Skip()
		}
	}
	if s.Err() != nil {
		return
	}
	exponent := int64(value.Exponent) + unit
	const both = 1<<measureValue | 1<<measureUnit
	switch {
	case !seen.twice && seen.bad|seen.got == 0 && seen.seen == both: // null is no goal
	case seen.twice || seen.got != both:
		r.fault("weight", reasonValue, s.Since(at))
	case unit < -maxUnit || unit > maxUnit || exponent < -health.MaxExponent || exponent > health.MaxExponent:
		r.fault("weight", reasonUnit, s.Since(at))
	default:
		value.Exponent = int8(exponent)
		r.value(health.Value{Metric: health.MetricBodyWeight, Stat: health.StatGoal, Number: value})
	}
}
