package withings

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	heartPath     = "v2/heart"
	heartListName = "heart/list"
	heartGetName  = "heart/get/"
)

// heartWalk is a place in the walk over a window of recordings. A page fetches
// the signals of its rows, so it must not have too many: then the period is
// halved until it does not, whatever the order in which the service lists.
type heartWalk struct {
	from, to int64 // seconds; the period being listed
	rows     position
}

func (w heartWalk) token() string { return fmt.Sprintf("%d-%d.%s", w.from, w.to, w.rows.token()) }

func parseHeartWalk(token string, window health.Window) (heartWalk, error) {
	end := window.To.Unix()
	if token == "" {
		return heartWalk{from: window.From.Unix(), to: end}, nil
	}
	period, rows, _ := strings.Cut(token, ".")
	from, to, _ := strings.Cut(period, "-")
	var w heartWalk
	var err1, err2, err3 error
	w.from, err1 = strconv.ParseInt(from, 10, 64)
	w.to, err2 = strconv.ParseInt(to, 10, 64)
	w.rows, err3 = parsePosition(rows)
	if err := errors.Join(err1, err2, err3); err != nil {
		return heartWalk{}, err
	}
	if w.from < window.From.Unix() || w.to > end || w.from >= w.to {
		return heartWalk{}, strconv.ErrRange
	}
	return w, nil
}

func fetchHeart(ctx context.Context, f *fetch) (providers.Page, error) {
	w := f.q.Window
	if w.Days() || w.From.IsZero() || !w.To.After(w.From) {
		return providers.Page{}, f.invalid(codeWindow)
	}
	at, err := parseHeartWalk(f.q.PageToken, w)
	if err != nil {
		return providers.Page{}, f.invalid(codePageToken)
	}
	form := url.Values{
		"action": {"list"}, "startdate": {strconv.FormatInt(at.from, 10)}, "enddate": {strconv.FormatInt(at.to, 10)},
	}
	if at.rows.offset > 0 {
		form.Set("offset", strconv.FormatInt(at.rows.offset, 10))
	}
	if err := f.call(ctx, heartListName, heartPath, form); err != nil {
		return providers.Page{}, err
	}
	listed := newMapper(f.raw)
	if err := listed.list("series", listed.heart); err != nil {
		return providers.Page{}, listed.failed(f.op, err)
	}
	most := max(0, f.s.cfg.ECGsPerPage)
	if most > 0 && len(listed.signals) > most {
		if at.to-at.from <= 1 {
			return providers.Page{}, listed.failed(f.op, malformed(codeTooManyECGs))
		}
		half := heartWalk{from: at.from, to: at.from + (at.to-at.from)/2}
		return providers.Page{Date: f.raw.Date, More: true, PageToken: half.token()}, nil
	}
	var lost []providers.Quarantined
	for _, id := range listed.signals[:min(most, len(listed.signals))] {
		name := heartGetName + strconv.FormatInt(id, 10)
		err := f.call(ctx, name, heartPath, url.Values{"action": {"get"}, "signalid": {strconv.FormatInt(id, 10)}})
		if errors.Is(err, providers.ErrInvalid) || errors.Is(err, providers.ErrNotFound) {
			lost = append(lost, providers.Quarantined{Key: streamHeart + "/" + strconv.FormatInt(id, 10) + "#signal", Reason: reasonNoSignal})
			continue
		}
		if err != nil {
			return providers.Page{}, err
		}
	}
	m, page, err := f.page()
	if err != nil {
		return providers.Page{}, err
	}
	page.Quarantined = append(page.Quarantined, lost...)
	next := heartWalk{from: at.from, to: at.to, rows: position{offset: m.offset, seen: listed.digest}}
	switch {
	case m.more && !next.rows.follows(at.rows):
		return providers.Page{}, m.failed(f.op, malformed(providers.CodePageLoop))
	case m.more:
		page.More, page.PageToken = true, next.token()
	case at.to < w.To.Unix():
		next = heartWalk{from: at.to, to: w.To.Unix()}
		page.More, page.PageToken = true, next.token()
	}
	return page, nil
}

// hearts maps the list of recordings and the signals fetched with it.
func (m *mapper) hearts() error {
	m.recordings = make(map[int64]recording)
	for i := range m.raw.Bodies {
		text, ok := strings.CutPrefix(m.raw.Bodies[i].Name, heartGetName)
		if !ok {
			continue
		}
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return malformed(codeBodyName)
		}
		if err := m.recording(i, id); err != nil {
			// The row of the list stands without it.
			m.quarantined.Add(streamHeart+"/"+text+"#signal", reasonBadSignal, m.raw.Bodies[i].Body)
		}
	}
	return m.list("series", m.heart)
}

// recording is what heart get tells about one signal.
type recording struct {
	microvolts []int64
	frequency  int64 // samples per second
	position   int64 // -1 is not told
	body       int   // index of the answer
}

// The members of the answer of heart get.
const (
	recordingSignal = iota
	recordingFrequency
	recordingPosition
)

func (m *mapper) recording(i int, id int64) error {
	var seen members
	rec := recording{position: -1, body: i}
	err := m.answer(i, func(s *jsonscan.Scanner) error {
		switch string(s.Name()) {
		case "signal":
			seen.meet(recordingSignal)
			if !s.Array() {
				seen.judge(recordingSignal, jsonscan.Bad)
				return s.Err()
			}
			for s.NextElement() {
				n, v := s.ReadInt()
				if v != jsonscan.OK {
					seen.judge(recordingSignal, jsonscan.Bad)
				}
				rec.microvolts = append(rec.microvolts, n)
			}
		case "sampling_frequency":
			rec.frequency = seen.integer(s, recordingFrequency)
		case "wearposition":
			seen.meet(recordingPosition)
			if n, v := s.ReadInt(); v == jsonscan.OK {
				rec.position = n
			}
		default:
			s.Skip()
		}
		return s.Err()
	})
	switch {
	case err != nil:
		return err
	case seen.twice || seen.bad != 0 || seen.seen&(1<<recordingSignal) == 0,
		rec.frequency <= 0 || rec.frequency > 1000, // faster than the resolution of time
		len(rec.microvolts) > health.MaxPoints:
		return malformed(codeNoRows)
	}
	m.recordings[id] = rec
	m.fold(m.raw.Bodies[i].Body)
	return nil
}

// series returns the signal as samples from start on, in milliseconds. The
// exact time of sample i is i/frequency seconds after the start: times are cut
// to the millisecond.
func (rec recording) series(start int64) health.Series {
	s := health.Series{
		Metric: health.MetricECGVoltage, From: start, Values: rec.microvolts, Times: make([]int64, len(rec.microvolts)),
	}
	for i := range s.Times {
		s.Times[i] = start + int64(i)*1000/rec.frequency
	}
	s.To = start + (int64(len(s.Times))*1000+rec.frequency-1)/rec.frequency
	return s
}

// The members of a row of heart list.
const (
	heartDevice = iota
	heartModel
	heartECG
	heartPressure
	heartStetho
	heartRate
	heartModified
	heartTimestamp
	heartHash
	heartModelID
	heartModelID2
	heartTimezone
)

var heartNames = []string{
	"deviceid", "model", "ecg", "bloodpressure", "stetho", "heart_rate", "modified", "timestamp", "hash_deviceid", "modelid", "model_id",
	"timezone",
}

func (m *mapper) heart(s *jsonscan.Scanner) (key, reason string) {
	var (
		r                   = &m.row
		dev                 device
		rate                health.Decimal
		modified, timestamp int64
		signal              int64
		zone                string
		badSignal           bool
	)
	for s.NextMember() {
		switch string(s.Name()) {
		case "deviceid":
			dev.id = r.identifier(s, heartDevice, &m.in)
		case "hash_deviceid":
			dev.hash = r.identifier(s, heartHash, &m.in)
		case "model":
			dev.model = r.word(s, heartModel, &m.in)
		case "modelid", "model_id":
			dev.modelID = r.modelID(s, heartModelID, dev.modelID)
		case "timezone":
			zone = r.identifier(s, heartTimezone, &m.in)
		case "heart_rate":
			r.meet(heartRate)
			d, v := s.ReadDecimal()
			r.judge(heartRate, v)
			rate = d
		case "modified":
			modified = r.integer(s, heartModified)
		case "timestamp":
			timestamp = r.integer(s, heartTimestamp)
		case "ecg":
			r.meet(heartECG)
			if before := len(r.faults); objectOr(s, r, "ecg") {
				signal, badSignal = r.ecg(s)
			} else { // the id in it is the key, of which a row without a signal has another
				badSignal = len(r.faults) > before
			}
		case "bloodpressure":
			r.meet(heartPressure)
			if objectOr(s, r, "bloodpressure") {
				r.bloodPressure(s)
			}
		case "stetho":
			r.meet(heartStetho)
			if objectOr(s, r, "stetho") {
				r.stethoscope(s)
			}
		default:
			s.Skip()
		}
	}
	at, flags, ok := m.moment(timestamp)
	switch {
	case badSignal:
		return "", reasonNoID
	case !ok:
		return "", reasonTime
	case r.bad&(1<<heartDevice|1<<heartHash) != 0:
		return "", reasonDevice
	}
	r.optional(heartNames)
	if rate.Coefficient != 0 {
		r.value(health.Value{Metric: health.MetricHeartRate, Number: rate})
	}
	var (
		kind   = health.KindBody
		series []health.Series
		span   = health.Span{Start: at, Flags: flags}
	)
	if signal == 0 {
		key = m.key(strconv.FormatInt(timestamp, 10), dev.source())
	} else {
		kind, key = health.KindECG, m.idKey(signal)
		m.signals = append(m.signals, signal)
		r.text(health.TextECGSignalID, strconv.FormatInt(signal, 10))
		if got, ok := m.recordings[signal]; ok {
			r.describeRecording(got)
			if len(got.microvolts) > 0 {
				series = []health.Series{got.series(at.SortMilli())}
				span.End = health.Instant(series[0].To)
			}
		}
	}
	if loc := m.zone(zone); loc != nil {
		span = span.InZone(loc, health.ZoneFromRecord)
	}
	order := m.order(modified, timestamp)
	if signal != 0 && series == nil && order > 0 {
		order-- // the same row with its signal, which may come later, is newer
	}
	rec := m.emit(kind, key, order, r.describe(dev))
	rec.Span, rec.Series, rec.Method = span, series, health.MethodSensed
	return key, ""
}

// describeRecording adds what is known of a signal to its row.
func (r *row) describeRecording(rec recording) {
	r.value(health.Value{Metric: health.MetricECGSamplingFrequency, Number: health.Int(rec.frequency)})
	switch p := rec.position; {
	case p < 0:
	case p < int64(len(positions)):
		r.text(health.TextWearPosition, string(positions[p]))
	default:
		r.text(health.TextWearPosition, "position_"+strconv.FormatInt(p, 10))
	}
}

// ecg reads the member of that name.
func (r *row) ecg(s *jsonscan.Scanner) (signal int64, bad bool) {
	var seen members
	for s.NextMember() {
		switch string(s.Name()) {
		case "signalid":
			seen.meet(0)
			n, v := s.ReadInt()
			bad = v == jsonscan.Bad || v == jsonscan.OK && n <= 0
			signal = n
		case "afib":
			seen.meet(1)
			switch d, v := s.ReadDecimal(); v {
			case jsonscan.OK:
				r.rhythm(health.TextAFibResult, health.TextAFibCode, d)
			case jsonscan.Bad:
				r.fault("afib", reasonType, nil)
			}
		default:
			s.Skip()
		}
	}
	r.twice = r.twice || seen.twice
	return signal, bad
}

func (r *row) bloodPressure(s *jsonscan.Scanner) {
	var seen members
	for s.NextMember() {
		bit, metric := uint(0), health.MetricBloodPressureDiastolic
		switch string(s.Name()) {
		case "diastole":
		case "systole":
			bit, metric = 1, health.MetricBloodPressureSystolic
		default:
			s.Skip()
			continue
		}
		seen.meet(bit)
		switch d, v := s.ReadDecimal(); v {
		case jsonscan.OK:
			r.value(health.Value{Metric: metric, Number: d})
		case jsonscan.Bad:
			r.fault(string(metric), reasonType, nil)
		}
	}
	r.twice = r.twice || seen.twice
}

func (r *row) stethoscope(s *jsonscan.Scanner) {
	for s.NextMember() {
		switch string(s.Name()) {
		case "signalid":
			if b, v := s.ReadWord(); v == jsonscan.OK {
				r.text("withings_stetho_signalid", string(b))
			}
		case "vhd":
			if b, v := s.ReadWord(); v == jsonscan.OK {
				r.text(health.TextVHDResult, string(b))
			}
		default:
			s.Skip()
		}
	}
}
