package withings

import (
	"math"
	"strconv"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// measures maps getmeas.
func (m *mapper) measures() error { return m.list("measuregrps", m.group) }

// The members of a measure group.
const (
	groupID = iota
	groupDate
	groupCreated
	groupModified
	groupAttrib
	groupCategory
	groupDevice
	groupHash
	groupModel
	groupModelID
	groupModelID2
	groupMeasures
	groupComment
)

var groupNames = []string{
	"grpid", "date", "created", "modified", "attrib", "category", "deviceid", "hash_deviceid", "model", "modelid", "model_id", "measures",
	"comment",
}

// The categories of measure groups.
const (
	categoryReal      = 1
	categoryObjective = 2
)

func (m *mapper) group(s *jsonscan.Scanner) (key, reason string) {
	var (
		r                       = &m.row
		id, date, created       int64
		modified                int64
		attrib, category        int64
		dev                     device
		comment                 string
		stat                    = health.StatValue
		measuresBad, measuresIn bool
	)
	for s.NextMember() {
		switch string(s.Name()) {
		case "grpid":
			id = r.integer(s, groupID)
		case "date":
			date = r.integer(s, groupDate)
		case "created":
			created = r.integer(s, groupCreated)
		case "modified":
			modified = r.integer(s, groupModified)
		case "attrib":
			attrib = r.integer(s, groupAttrib)
		case "category":
			category = r.integer(s, groupCategory)
		case "deviceid":
			dev.id = r.identifier(s, groupDevice, &m.in)
		case "hash_deviceid":
			dev.hash = r.identifier(s, groupHash, &m.in)
		case "model":
			dev.model = r.word(s, groupModel, &m.in)
		case "modelid", "model_id":
			dev.modelID = r.modelID(s, groupModelID, dev.modelID)
		case "comment":
			r.meet(groupComment)
			if b, ok := s.Text(); ok {
				comment = string(b)
			}
		case "measures":
			r.meet(groupMeasures)
			measuresIn = true
			if s.Kind() == jsonscan.Null {
				s.Skip()
				continue
			}
			if !s.Array() {
				measuresBad = true
				continue
			}
			for s.NextElement() {
				if len(r.values) > health.MaxValues {
					s.Skip()
					continue
				}
				m.measure(s)
			}
		default:
			s.Skip()
		}
	}
	if r.bad&(1<<groupID) != 0 || id <= 0 {
		return "", reasonNoID
	}
	key = m.idKey(id)
	at, flags, ok := m.moment(date)
	switch {
	case !ok:
		return key, reasonTime
	case measuresBad || !measuresIn:
		return key, "measures are missing or " + reasonType
	case r.bad&(1<<groupDevice|1<<groupHash) != 0:
		return key, reasonDevice
	case len(r.values) > health.MaxValues:
		return key, reasonTooMany
	}
	r.optional(groupNames)

	if category == categoryObjective {
		stat = health.StatGoal
	} else if category != categoryReal && r.has(groupCategory) {
		r.text("withings_category", strconv.FormatInt(category, 10))
	}
	if stat != health.StatValue {
		for i := range r.values {
			r.values[i].Stat = stat
		}
		for i := range r.later {
			r.later[i].value.Stat = stat
		}
	}
	r.bodyMassIndex(stat)
	method, exact := methodOf(attrib, r.has(groupAttrib))
	if !exact {
		r.text("withings_attrib", strconv.FormatInt(attrib, 10))
	}
	r.text(health.TextNotes, comment)
	rec := m.emit(health.KindBody, key, m.order(modified, created, date), r.describe(dev))
	rec.Span.Start, rec.Span.Flags, rec.Method = at, flags, method
	return key, ""
}

// bodyMassIndex adds the index to a row that tells weight and height together.
func (r *row) bodyMassIndex(stat health.Stat) {
	var weight, height float64
	for _, v := range r.values {
		if v.Part != "" {
			continue
		}
		switch v.Metric {
		case health.MetricBodyWeight:
			weight = v.Number.Float()
		case health.MetricBodyHeight:
			height = v.Number.Float()
		}
	}
	// Beyond these bounds the index says nothing, and the division may not end well.
	if weight < 1 || weight > 1000 || height < 0.3 || height > 3 {
		return
	}
	r.value(health.Value{
		Metric: health.MetricBMI, Stat: stat, Flags: health.FlagInexact,
		Number: health.Decimal{Coefficient: int64(math.Round(weight / (height * height) * 100)), Exponent: -2},
	})
}

// methodOf returns the method behind an attribution; exact is false where the
// method says less than the attribution.
func methodOf(attrib int64, told bool) (method health.Method, exact bool) {
	if !told {
		return health.MethodUnknown, true
	}
	switch attrib {
	case 0, 8:
		return health.MethodSensed, attrib == 0
	case 1:
		return health.MethodAmbiguous, true
	case 2:
		return health.MethodSelfReported, true
	case 4: // typed in when the account was made
		return health.MethodSelfReported, false
	case 3, 5, 7, 15, 17: // picked by the person, averaged, confirmed, guided
		return health.MethodSensed, false
	default:
		return health.MethodUnknown, false
	}
}

// The members of a measure.
const (
	measureValue = iota
	measureType
	measureUnit
	measurePosition
)

// maxUnit bounds the decimal exponents of measures. Real ones are -4 to 0.
const maxUnit = 12

// measure reads one measure of a group. One that cannot be read is set aside.
func (m *mapper) measure(s *jsonscan.Scanner) {
	var (
		r        = &m.row
		at       = s.Mark()
		mb       members
		mantissa health.Decimal
		typ      int64
		unit     int64
		position int64 = -1
		flags    health.Flags
		v        jsonscan.Verdict
	)
	if !s.Object() {
		if s.Err() == nil {
			r.fault("measures", reasonNotObject, s.Since(at))
		}
		return
	}
	for {
		// What nearly all members are.
		if name, n, ok := s.NextInt(); ok {
			switch string(name) {
			case "value":
				mb.meet(measureValue)
				mantissa = health.Int(n)
			case "type":
				mb.meet(measureType)
				typ = n
			case "unit":
				mb.meet(measureUnit)
				unit = n
			case "position":
				mb.meet(measurePosition)
				position = n
			}
			continue
		}
		if !s.NextMember() {
			break
		}
		switch string(s.Name()) {
		case "value":
			mb.meet(measureValue)
			switch mantissa, v = s.ReadDecimal(); v {
			case jsonscan.OK:
			case jsonscan.Vanished:
				flags = health.FlagInexact
			default:
				mb.bad |= 1 << measureValue
			}
		case "type":
			mb.meet(measureType)
			if typ, v = s.ReadInt(); v != jsonscan.OK {
				mb.bad |= 1 << measureType
			}
		case "unit":
			mb.meet(measureUnit)
			if unit, v = s.ReadInt(); v != jsonscan.OK {
				mb.bad |= 1 << measureUnit
			}
		case "position":
			mb.meet(measurePosition)
			p, v := s.ReadInt()
			mb.judge(measurePosition, v)
			if v == jsonscan.OK {
				position = p
			}
		default:
			s.Skip()
		}
	}
	if s.Err() != nil {
		return
	}
	const required = 1<<measureValue | 1<<measureType
	switch {
	case mb.twice:
		r.fault("measures", reasonTwice, s.Since(at))
		return
	case mb.seen&required != required || mb.bad&required != 0:
		r.fault("measures", reasonValue, s.Since(at))
		return
	case mb.seen&(1<<measureUnit) == 0 || mb.bad&(1<<measureUnit) != 0 || unit < -maxUnit || unit > maxUnit:
		r.fault("measures", reasonUnit, s.Since(at))
		return
	case mb.bad != 0:
		r.fault("measures", "position is "+reasonType, s.Since(at))
		return
	}
	exponent := int64(mantissa.Exponent) + unit
	if exponent < -health.MaxExponent || exponent > health.MaxExponent {
		r.fault("measures", reasonValue, s.Since(at))
		return
	}
	if !r.measured(typ, position, health.Value{Number: health.Decimal{Coefficient: mantissa.Coefficient, Exponent: int8(exponent)}, Flags: flags}, mantissa) {
		r.fault("measures", reasonConflict, s.Since(at))
	}
}

// measured adds one measure to the row; false if the row has another number
// for the same. V has the number and its flags; code is the number without its
// unit, for types whose number is a code.
func (r *row) measured(typ, position int64, v health.Value, code health.Decimal) bool {
	kind := measureKind{}
	if typ >= 0 && typ < int64(len(measureKinds)) {
		kind = measureKinds[typ]
	}
	if kind.enum != nil {
		kind.enum(r, code)
		return true
	}
	part := kind.part
	switch {
	case position < 0:
	case position == wholeBody && !kind.segmental:
		// The whole is what the metric means anyhow.
	case position < int64(len(positions)):
		part = positions[position]
	default:
		part = health.Part("position_" + strconv.FormatInt(position, 10))
	}
	if kind.metric == "" {
		r.text(typeName(typ, part), v.Number.String())
		return true
	}
	v.Metric, v.Part = kind.metric, part
	if kind.second {
		r.later = append(r.later, latecomer{typeName(typ, part), v})
		return true
	}
	return r.value(v)
}

// typeName is the name of the text that keeps a measure without a metric.
func typeName(typ int64, part health.Part) string {
	name := "withings_meastype_" + strings.Replace(strconv.FormatInt(typ, 10), "-", "minus_", 1)
	if part != "" {
		name += "_" + string(part)
	}
	return name
}

// measureKind is what a measurement type means. The zero measureKind is a type
// that is not known.
type measureKind struct {
	metric health.Metric
	part   health.Part
	// segmental: the type comes once per part of the body and once for all of it.
	segmental bool
	// second: the type counts if no other one of the group tells its metric.
	second bool
	// enum: the number is a code.
	enum func(*row, health.Decimal)
}

// measureKinds holds the measurement types by number.
var measureKinds = [...]measureKind{
	1:   {metric: health.MetricBodyWeight},
	4:   {metric: health.MetricBodyHeight},
	5:   {metric: health.MetricFatFreeMass},
	6:   {metric: health.MetricBodyFatPercentage},
	8:   {metric: health.MetricFatMass},
	9:   {metric: health.MetricBloodPressureDiastolic},
	10:  {metric: health.MetricBloodPressureSystolic},
	11:  {metric: health.MetricHeartRate},
	12:  {metric: health.MetricBodyTemperature, second: true}, // of the body or not: the device decides
	54:  {metric: health.MetricSpO2},
	71:  {metric: health.MetricBodyTemperature},
	73:  {metric: health.MetricSkinTemperature},
	76:  {metric: health.MetricMuscleMass},
	77:  {metric: health.MetricBodyWaterMass},
	88:  {metric: health.MetricBoneMass},
	91:  {metric: health.MetricPulseWaveVelocity},
	119: {metric: health.MetricBloodGlucose},
	123: {metric: health.MetricVO2Max},
	130: {enum: afibECG},
	135: {metric: health.MetricECGQRSDuration},
	136: {metric: health.MetricECGPRInterval},
	137: {metric: health.MetricECGQTInterval},
	138: {metric: health.MetricECGQTcInterval},
	139: {enum: afibPPG},
	155: {metric: health.MetricVascularAge},
	158: {metric: health.MetricNerveHealthScore, part: health.PartLeftFoot},
	159: {metric: health.MetricNerveHealthScore, part: health.PartRightFoot},
	167: {metric: health.MetricNerveHealthScore},
	168: {metric: health.MetricExtracellularWater},
	169: {metric: health.MetricIntracellularWater},
	170: {metric: health.MetricVisceralFatIndex},
	173: {metric: health.MetricFatFreeMass, segmental: true},
	174: {metric: health.MetricFatMass, segmental: true},
	175: {metric: health.MetricMuscleMass, segmental: true},
	196: {metric: health.MetricElectrodermalActivity},
	197: {metric: health.MetricElectrodermalActivity, part: health.PartLeftFoot},
	198: {metric: health.MetricElectrodermalActivity, part: health.PartRightFoot},
	226: {metric: health.MetricBasalMetabolicRate},
	227: {metric: health.MetricMetabolicAge},
	229: {metric: health.MetricElectrochemicalSkinConductance},
}

// wholeBody is the position that stands for no part.
const wholeBody = 7

// positions holds the positions by number.
var positions = [...]health.Part{
	0: health.PartRightWrist, 1: health.PartLeftWrist, 2: health.PartRightArm, 3: health.PartLeftArm,
	4: health.PartRightFoot, 5: health.PartLeftFoot, 6: health.PartBetweenLegs, 7: health.PartWholeBody,
	8: health.PartLeftSide, 9: health.PartRightSide, 10: health.PartLeftLeg, 11: health.PartRightLeg,
	12: health.PartTorso, 13: health.PartLeftHand, 14: health.PartRightHand,
	15: health.PartAortic, 16: health.PartPulmonic, 17: health.PartTricuspid, 18: health.PartMitral, 19: health.PartApex,
	20: health.PartLungFrontUpperRight, 21: health.PartLungFrontUpperLeft, 22: health.PartLungFrontBottomRight, 23: health.PartLungFrontBottomLeft,
	24: health.PartLungBackUpperLeft, 25: health.PartLungBackUpperRight, 26: health.PartLungBackBottomLeft, 27: health.PartLungBackBottomRight,
	28: health.PartWide, 29: health.PartBetweenArms, 30: health.PartHoldRight, 31: health.PartHoldLeft,
}

// rhythms holds the results of rhythm analyses by number.
var rhythms = [...]string{
	0:  health.RhythmNegative,
	1:  health.RhythmPositive,
	2:  health.RhythmInconclusive,
	3:  health.RhythmUnreadable, // no signal
	4:  health.RhythmOther,
	5:  health.RhythmUnreadable, // noise
	6:  health.RhythmLowRate,
	7:  health.RhythmHighRate,
	8:  health.RhythmInconclusive, // by the rules of the United States
	9:  health.RhythmNegative,     // at a normal heart rate
	10: health.RhythmNegative,     // at a high heart rate
	11: health.RhythmPositive,     // at a normal heart rate
	12: health.RhythmPositive,     // at a high heart rate
	13: health.RhythmNotAnalyzed,  // no diagnosis
}

func afibECG(r *row, code health.Decimal) { r.rhythm(health.TextAFibResult, health.TextAFibCode, code) }

func afibPPG(r *row, code health.Decimal) {
	r.rhythm(health.TextAFibResultPPG, health.TextAFibResultPPG+"_code", code)
}

// rhythm adds the result of a rhythm analysis; the code is kept.
func (r *row) rhythm(result, codeName string, code health.Decimal) {
	if n, ok := code.Rescale(0); ok && n >= 0 && n < int64(len(rhythms)) {
		r.text(result, rhythms[n])
	}
	r.text(codeName, code.String())
}
