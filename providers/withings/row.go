package withings

import (
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// row is the row under way.
type row struct {
	members
	fields   uint64 // which fields of the table were there
	values   []health.Value
	later    []latecomer
	texts    []health.Text
	faults   []fault
	hopeless bool // it has more faults than are listed
}

// latecomer is a value that is used if nothing else tells its metric.
type latecomer struct {
	name  string
	value health.Value
}

// fault is a datum of a row that is set aside while the row is kept.
type fault struct {
	name, reason string
	raw          []byte
}

// startRow forgets the row before.
func (m *mapper) startRow() {
	r := &m.row
	r.members, r.fields, r.hopeless = members{}, 0, false
	r.values, r.texts = m.values.begin(), m.texts.begin()
	r.later, r.faults = r.later[:0], r.faults[:0]
}

// maxFaults is how many data of one row are set aside before the row is.
const maxFaults = 1000

// fault sets one datum of the row aside.
func (r *row) fault(name, reason string, raw []byte) {
	if len(r.faults) == maxFaults {
		r.hopeless = true
		return
	}
	r.faults = append(r.faults, fault{name, reason, raw})
}

// optional sets aside the members that could not be read. names has the name of
// each member the decoder knows, by bit.
func (r *row) optional(names []string) {
	for mask := ^uint64(0); ; {
		i, ok := r.firstBad(mask)
		if !ok {
			return
		}
		if i < len(names) {
			r.fault(names[i], reasonType, nil)
		}
		mask &^= 1 << i
	}
}

// text adds a fact that is not a number; empty is none.
func (r *row) text(name, value string) {
	if !providers.AddText(&r.texts, name, value) {
		r.fault(name, reasonConflict, nil)
	}
}

// value adds a value; false if there is another number for the same.
func (r *row) value(v health.Value) bool { return providers.AddValue(&r.values, v) }

// day reads a civil day.
func (r *row) day(s *jsonscan.Scanner, i uint) health.Day {
	r.meet(i)
	b, v := s.ReadIdentifier()
	var d health.Day
	if v == jsonscan.OK {
		var err error
		if len(b) != len(time.DateOnly) {
			v = jsonscan.Bad
		} else if d, err = health.ParseDay(string(b)); err != nil {
			v = jsonscan.Bad
		}
	}
	r.judge(i, v)
	return d
}

// device is what a row tells about where it comes from.
type device struct {
	id      string // deviceid, else hash_deviceid
	hash    string
	model   string
	modelID int64
}

// describe adds what is known of the device to the row and returns the source.
// Models that stand for other applications are echoes of what those hold: they
// name where they come from.
func (r *row) describe(d device) health.Source {
	src := health.Source{Device: d.name()}
	if class, ok := modelClasses[d.model]; ok {
		r.text(health.TextDeviceType, class)
		d.model = ""
	} else if d.modelID == 0 && d.model != "" && d.model[0]-'0' <= 9 {
		if id, err := strconv.ParseInt(d.model, 10, 32); err == nil {
			d.model, d.modelID = "", id
		}
	}
	r.text(health.TextDeviceModel, d.model)
	if d.modelID != 0 {
		r.text(health.TextDeviceModelID, strconv.FormatInt(d.modelID, 10))
		if name, ok := models[d.modelID]; ok && d.model == "" {
			r.text(health.TextDeviceModel, name)
		}
	}
	if e, ok := echoes[d.modelID]; ok {
		src.Upstream, src.App = e.upstream, e.app
	}
	return src
}

func (d device) name() string {
	if d.id != "" {
		return d.id
	}
	return d.hash
}

// source returns the last part of the key of a row that has no id of its own:
// the device, or what else tells sources apart.
func (d device) source() string {
	switch {
	case d.name() != "":
		return providers.KeyPart(d.name(), "")
	case d.modelID != 0:
		return "model_" + strconv.FormatInt(d.modelID, 10)
	case d.model != "":
		return "model_" + providers.KeyPart(d.model, "")
	default:
		return "none"
	}
}

// class returns the class of the device, as in modelClasses; empty if it is not
// known, and for an echo.
func (d device) class() string {
	if _, echoed := echoes[d.modelID]; echoed {
		return ""
	}
	if class, ok := modelClasses[d.model]; ok {
		return class
	}
	id := d.modelID
	if id == 0 {
		id, _ = strconv.ParseInt(d.model, 10, 32)
	}
	switch {
	case id >= 51 && id <= 59, id >= 90 && id <= 95:
		return classTracker
	case id >= 60 && id <= 63:
		return classSleepMonitor
	}
	return ""
}

// same reports whether both are one source of data: what has one key is one record.
func (d device) same(o device) bool {
	if d.name() != "" || o.name() != "" {
		return d.name() == o.name()
	}
	return d == o || d.source() == o.source()
}
