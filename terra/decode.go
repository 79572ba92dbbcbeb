package terra

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// Model is any of the objects that Terra's data answers and events are made of.
type Model interface {
	Activity | Athlete | Body | Daily | HealthObservation | HormoneSample | LabReport | LegacyPlannedWorkout | Menstruation |
		Nutrition | PlannedWorkout | Sleep | User | WorkoutTemplate
}

// Fault is a member of a model that could not be read, because it is of another
// type than the documented one. The member is left out and the others are kept.
type Fault struct {
	// Path leads to the member: "heart_rate_data.summary.avg_hr_bpm",
	// "meals[2].type".
	Path string
	// Reason is a fixed text. It does not hold the value.
	Reason string
}

// reasonType is the reason of every [Fault] that there is so far.
const reasonType = "not of the documented type"

const (
	// maxFaults is how many faults of one document are listed.
	maxFaults = 100
	// maxLists bounds the memory of all lists of one document, because "{}" in
	// a document is a whole struct in memory.
	maxLists = 64 << 20
)

// Decode reads one model. Members that are not known are ignored, numbers of
// enums that are not known are kept, and members of a wrong type are left out
// and listed, up to 100 of them. An error is a document that is no JSON object, or
// whose lists would take more than 64 MiB: *providers.Error of class ErrMalformed.
//
// Dense samples are not decoded: the result keeps a part of data for each
// [Samples], and data must not change as long as it is used.
func Decode[T Model](data []byte) (T, []Fault, error) {
	var v T
	faults, err := decode(data, &v)
	return v, faults, err
}

// decode reads a whole document into the struct, or the slice, that v points to.
func decode(data []byte, v any) ([]Fault, error) {
	s := jsonscan.New(data)
	want := jsonscan.Object
	if reflect.TypeOf(v).Elem().Kind() == reflect.Slice {
		want = jsonscan.Array
	}
	switch s.Kind() {
	case want:
	case jsonscan.Invalid:
		return nil, malformed(codeNotJSON)
	default:
		return nil, malformed(codeShape)
	}
	d := decoder{s: &s}
	d.into(v)
	switch err := s.End(); {
	case d.lists > maxLists:
		return nil, malformed(codeFlooded)
	case err != nil:
		return nil, malformed(codeBadJSON)
	}
	return d.faults, nil
}

// decoder fills structs from a document. It is a small part of encoding/json,
// with which it shares the tags, for two reasons: one value of a wrong type does
// not lose the others, and samples are not touched. The tag "also" names a
// member that older models have in the place of the field.
type decoder struct {
	s      *jsonscan.Scanner
	path   []string
	faults []Fault
	lists  uintptr // bytes that lists take
	// twice is set when an object has a member twice, of which nobody knows which
	// one is meant. Members that are not known do not count, and those of samples
	// are looked at when they are read.
	twice bool
}

// scanner is implemented by types that read themselves. scan consumes one value
// and reports whether it could be read.
type scanner interface {
	scan(*jsonscan.Scanner) bool
}

// container is implemented by types that read themselves as objects. read
// consumes one value and reports whether it could be read.
type container interface {
	read(*decoder) bool
}

// into fills what v points to from the next value.
func (d *decoder) into(v any) {
	p := reflect.ValueOf(v).Elem()
	d.value(planOf(p.Type()), p)
}

// fault notes that the current member could not be read.
func (d *decoder) fault() bool {
	if d.s.Err() == nil && len(d.faults) < maxFaults {
		d.faults = append(d.faults, Fault{Path: strings.TrimPrefix(strings.Join(d.path, ""), "."), Reason: reasonType})
	}
	return false
}

// value reads the next value into v; false if it is of another type. Null
// changes nothing but a number.
func (d *decoder) value(p *plan, v reflect.Value) bool {
	kind := d.s.Kind()
	if kind == jsonscan.Null && (!p.scans || !v.IsZero()) {
		d.s.Skip()
		return true
	}
	if p.scans {
		switch x := v.Addr().Interface().(type) {
		case scanner:
			return x.scan(d.s) || d.fault()
		case container:
			return x.read(d) || d.fault()
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		n := reflect.New(v.Type().Elem())
		if !d.value(p.elem, n.Elem()) {
			return false
		}
		v.Set(n)
	case reflect.Struct:
		if !d.s.Object() {
			return d.fault()
		}
		d.members(p, v)
	case reflect.Slice:
		if !d.s.Array() {
			return d.fault()
		}
		d.elements(p, v)
	case reflect.String:
		if kind == jsonscan.Number { // some ids
			v.SetString(string(d.s.Raw()))
			break
		}
		b, ok := d.s.Identifier()
		if !ok {
			return d.fault()
		}
		v.SetString(string(b))
	case reflect.Bool:
		b, ok := d.s.Bool()
		if !ok {
			return d.fault()
		}
		v.SetBool(b)
	case reflect.Int:
		var n Number
		i, ok := int64(0), n.scan(d.s)
		if ok {
			i, ok = n.Int()
		}
		if !ok {
			return d.fault()
		}
		v.SetInt(i)
	}
	return true
}

func (d *decoder) members(p *plan, v reflect.Value) {
	var seen [maxMembers / 64]uint64
	for d.s.NextMember() {
		m, ok := p.members[string(d.s.Name())]
		if !ok {
			d.s.Skip()
			continue
		}
		word, bit := &seen[m.number/64], uint64(1)<<(m.number%64)
		d.twice = d.twice || *word&bit != 0
		*word |= bit
		field := v.FieldByIndex(m.field)
		if m.older && told(field) {
			d.s.Skip()
			continue
		}
		d.path = append(d.path, m.step)
		d.value(m.plan, field)
		d.path = d.path[:len(d.path)-1]
	}
}

// told reports whether a field has a value.
func told(field reflect.Value) bool {
	if n, ok := field.Addr().Interface().(*Number); ok {
		return n.IsSet()
	}
	return !field.IsZero()
}

func (d *decoder) elements(p *plan, v reflect.Value) {
	list := reflect.MakeSlice(v.Type(), 0, 0)
	for i := 0; d.s.NextElement(); i++ {
		if d.lists += v.Type().Elem().Size(); d.lists > maxLists {
			d.s.Skip()
			continue
		}
		e := reflect.New(v.Type().Elem()).Elem()
		d.path = append(d.path, "["+strconv.Itoa(i)+"]")
		if d.value(p.elem, e) {
			list = reflect.Append(list, e)
		}
		d.path = d.path[:len(d.path)-1]
	}
	v.Set(list)
}

// plan says how values of one type are read.
type plan struct {
	scans   bool              // it implements scanner or container
	elem    *plan             // of a pointer or a slice
	members map[string]member // of a struct, by the name on the wire
}

type member struct {
	field []int  // its index, see reflect.Value.FieldByIndex
	step  string // of the path: ".name"
	older bool   // it has the name of an older model
	plan  *plan
	// number tells the names of a struct apart. There are at most maxMembers.
	number int
}

const maxMembers = 128

// knownPlans has the plans of the models. It never changes.
var knownPlans = sync.OnceValue(func() map[reflect.Type]*plan {
	p := planner{made: map[reflect.Type]*plan{}}
	for _, t := range []reflect.Type{
		reflect.TypeFor[Activity](), reflect.TypeFor[Athlete](), reflect.TypeFor[Body](), reflect.TypeFor[Daily](),
		reflect.TypeFor[HealthObservation](), reflect.TypeFor[HormoneSample](), reflect.TypeFor[LegacyPlannedWorkout](),
		reflect.TypeFor[Menstruation](), reflect.TypeFor[Nutrition](), reflect.TypeFor[PlannedWorkout](),
		reflect.TypeFor[Sleep](), reflect.TypeFor[User](), reflect.TypeFor[WorkoutTemplate](),
	} {
		p.plan(t)
	}
	return p.made
})

// planOf returns the plan of a type. What is not part of a model is planned for
// the occasion.
func planOf(t reflect.Type) *plan {
	known := knownPlans()
	if p, ok := known[t]; ok {
		return p
	}
	return planner{known: known, made: map[reflect.Type]*plan{}}.plan(t)
}

// planner makes plans. Types may contain themselves.
type planner struct{ known, made map[reflect.Type]*plan }

var scannerType, containerType = reflect.TypeFor[scanner](), reflect.TypeFor[container]()

func (pl planner) plan(t reflect.Type) *plan {
	if p, ok := pl.known[t]; ok {
		return p
	}
	if p, ok := pl.made[t]; ok {
		return p
	}
	p := &plan{}
	pl.made[t] = p
	if pt := reflect.PointerTo(t); pt.Implements(scannerType) || pt.Implements(containerType) {
		p.scans = true
		if e, ok := reflect.New(t).Interface().(interface{ sample() reflect.Type }); ok {
			pl.plan(e.sample())
		}
		return p
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		p.elem = pl.plan(t.Elem())
	case reflect.Struct:
		p.members = map[string]member{}
		for _, f := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" || name == "-" {
				continue
			}
			m := member{field: f.Index, step: "." + name, plan: pl.plan(f.Type), number: len(p.members)}
			p.members[name] = m
			if older := f.Tag.Get("also"); older != "" {
				m.older, m.step, m.number = true, "."+older, len(p.members)
				p.members[older] = m
			}
		}
	}
	return p
}

// errType is what the UnmarshalJSON methods of this package return.
var errType = errors.New("terra: " + reasonType)

// unmarshalOne is the UnmarshalJSON of a scanner.
func unmarshalOne(b []byte, v scanner) error {
	s := jsonscan.New(b)
	if !v.scan(&s) || s.End() != nil {
		return errType
	}
	return nil
}
