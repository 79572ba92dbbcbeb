package terra

import (
	"strconv"

	"github.com/vitalmux/vitalmux/health"
)

// body maps the measurements of a day: a record of the day with its means and
// samples, one of each set of measurements, and one of each electrocardiogram.
func (d *draft) body(v *Body) string {
	meta := &v.Metadata
	if reason := d.ofDay(health.KindBody, meta.TimestampLocalization, meta.StartTime, meta.EndTime); reason != "" {
		return reason
	}
	d.device(&v.DeviceData)
	d.bloodPressure(&v.BloodPressureData)
	d.heart(&v.HeartData)
	d.hydration(&v.HydrationData)
	d.ketones(&v.KetoneData)
	d.composition(&v.MeasurementsData)
	d.oxygen(&v.OxygenData)
	d.temperatures(&v.TemperatureData)
	d.glucose(&v.GlucoseData)

	used := map[string]int{}
	for i := range v.MeasurementsData.Measurements {
		d.measurement(&v.MeasurementsData.Measurements[i], used)
	}
	for i := range v.HeartData.ECGSignal {
		d.ecg(&v.HeartData.ECGSignal[i], used)
	}
	return ""
}

func (d *draft) bloodPressure(v *BloodPressureData) {
	d.value(v.DayAvgSystolicBP, health.MetricBloodPressureSystolic, health.StatMean, "")
	d.value(v.DayAvgDiastolicBP, health.MetricBloodPressureDiastolic, health.StatMean, "")
	d.series("blood_pressure_data.blood_pressure_samples", v.BloodPressureSamples.Raw(), []string{"systolic_bp", "diastolic_bp"}, nil,
		column{metric: health.MetricBloodPressureSystolic}, column{metric: health.MetricBloodPressureDiastolic})
}

func (d *draft) heart(v *HeartData) {
	d.heartRate("heart_data.heart_rate_data", &v.HeartRateData)
	d.marks("heart_data.afib_classification_samples", v.AfibClassificationSamples.Raw(), []string{"afib_classification"}, health.TrackRhythm, rhythms)
	d.series("heart_data.pulse_wave_velocity_samples", v.PulseWaveVelocitySamples.Raw(), []string{"pulse_wave_velocity_meters_per_second"}, nil,
		column{metric: health.MetricPulseWaveVelocity})
	d.series("heart_data.rr_interval_samples", v.RRIntervalSamples.Raw(), []string{"rr_interval_ms", "hr_bpm"}, nil,
		column{metric: health.MetricRRInterval}, column{metric: health.MetricHeartRate, part: health.PartBeatToBeat})
}

// rhythms are the labels of [AFibFlag].
var rhythms = labels{AFibNegative: health.RhythmNegative, AFibPositive: health.RhythmPositive, AFibInconclusive: health.RhythmInconclusive}

func (d *draft) hydration(v *HydrationData) {
	d.value(v.DayTotalWaterConsumptionMl, health.MetricWaterIntake, health.StatValue, "")
	d.value(v.DayAvgHydrationKg, health.MetricBodyWaterMass, health.StatMean, "")
	d.series("hydration_data.hydration_amount_samples", v.HydrationAmountSamples.Raw(), []string{"hydration_kg"}, nil, column{metric: health.MetricBodyWaterMass})
}

func (d *draft) ketones(v *KetoneData) {
	d.value(v.DayAvgKetoneMgPerDL, health.MetricKetones, health.StatMean, "")
	d.series("ketone_data.ketone_samples", v.KetoneSamples.Raw(), []string{"ketone_mg_per_dL", "sample_type"}, func(w *walk) string {
		n := w.numbers[0]
		specimen, told := w.numbers[1].Int()
		w.numbers = [maxNumbers]Number{}
		switch {
		case !told:
			w.numbers[KetoneUnknown] = n
		case specimen >= int64(KetoneUnknown) && specimen <= int64(KetoneBreath):
			w.numbers[specimen] = n
		case n.IsSet():
			return reasonCode
		}
		return ""
	},
		column{metric: health.MetricKetones}, column{metric: health.MetricKetones, part: health.PartBlood},
		column{metric: health.MetricKetones, part: health.PartUrine}, column{metric: health.MetricKetones, part: health.PartBreath})
}

// composition adds the means of the day.
func (d *draft) composition(v *MeasurementsData) {
	d.value(v.DayAvgBMI, health.MetricBMI, health.StatMean, "")
	d.value(v.DayAvgBMR, health.MetricBasalMetabolicRate, health.StatMean, "")
	d.value(v.DayAvgRMR, health.MetricRestingMetabolicRate, health.StatMean, "")
	d.value(v.DayAvgEstimatedFitnessAge, health.MetricFitnessAge, health.StatMean, "")
	d.value(v.DayAvgSkinFoldMm, health.MetricSkinfoldThickness, health.StatMean, "")
	d.value(v.DayAvgBodyfatPercentage, health.MetricBodyFatPercentage, health.StatMean, "")
	d.value(v.DayAvgWeightKg, health.MetricBodyWeight, health.StatMean, "")
	d.scaled(v.DayAvgHeightCm, -2, health.MetricBodyHeight, health.StatMean)
	d.scaled(v.DayAvgBoneMassG, -3, health.MetricBoneMass, health.StatMean)
	d.scaled(v.DayAvgMuscleMassG, -3, health.MetricMuscleMass, health.StatMean)
	d.scaled(v.DayAvgLeanMassG, -3, health.MetricFatFreeMass, health.StatMean)
	d.value(v.DayAvgWaterPercentage, health.MetricBodyWaterPercentage, health.StatMean, "")
	d.value(v.DayAvgInsulinUnits, health.MetricInsulinDose, health.StatMean, "")
	d.value(v.DayAvgVisceralFatLevel, health.MetricVisceralFatIndex, health.StatMean, "")
}

// part starts a record of a part of the day, known by its time. Parts of one
// time are counted. An electrocardiogram is known without the day, unless the
// day is all that tells when it was.
func (d *draft) part(kind health.Kind, t Timestamp, used map[string]int) {
	at, flags, ok := d.moment(t)
	key := d.key
	switch {
	case kind == health.KindECG && ok:
		key = d.m.kind
	case kind == health.KindECG:
		key += "/ecg"
	}
	key += "/" + clockText(t)
	if used[key]++; used[key] > 1 {
		key += "/" + strconv.Itoa(used[key])
	}
	d.next(kind, key)
	if !ok {
		// It is known to be of this day.
		d.Span = health.Span{Day: d.about}
		if t != "" {
			d.text("terra_measurement_time", string(t))
		}
		return
	}
	d.Span = health.Span{Start: at, Flags: flags, Zone: zoneOf(at)}
}

// measurement maps one set of measurements to a record of its own.
func (d *draft) measurement(v *MeasurementDataSample, used map[string]int) {
	if *v == (MeasurementDataSample{MeasurementTime: v.MeasurementTime}) {
		return
	}
	d.part(health.KindBody, v.MeasurementTime, used)
	d.value(v.BMI, health.MetricBMI, health.StatValue, "")
	d.value(v.BMR, health.MetricBasalMetabolicRate, health.StatValue, "")
	d.value(v.RMR, health.MetricRestingMetabolicRate, health.StatValue, "")
	d.value(v.EstimatedFitnessAge, health.MetricFitnessAge, health.StatValue, "")
	d.value(v.SkinFoldMm, health.MetricSkinfoldThickness, health.StatValue, "")
	d.value(v.BodyfatPercentage, health.MetricBodyFatPercentage, health.StatValue, "")
	d.value(v.WeightKg, health.MetricBodyWeight, health.StatValue, "")
	d.scaled(v.HeightCm, -2, health.MetricBodyHeight, health.StatValue)
	d.scaled(v.BoneMassG, -3, health.MetricBoneMass, health.StatValue)
	d.scaled(v.MuscleMassG, -3, health.MetricMuscleMass, health.StatValue)
	d.scaled(v.LeanMassG, -3, health.MetricFatFreeMass, health.StatValue)
	d.value(v.WaterPercentage, health.MetricBodyWaterPercentage, health.StatValue, "")
	d.value(v.InsulinUnits, health.MetricInsulinDose, health.StatValue, "")
	d.value(v.VisceralFatLevel, health.MetricVisceralFatIndex, health.StatValue, "")
	d.text(health.TextInsulinType, v.InsulinType)
	d.text(health.TextUrineColor, v.UrineColor)
	d.text(health.TextNotes, v.UserNotes)
	d.text(health.TextVisceralFatCategory, v.VisceralFatCategory)
}

// ecg maps one electrocardiogram to a record of its own.
func (d *draft) ecg(v *ECGReading, used map[string]int) {
	d.part(health.KindECG, v.StartTimestamp, used)
	d.value(v.AvgHRBPM, health.MetricHeartRate, health.StatMean, "")
	if v.AfibClassification != nil {
		d.text(health.TextAFibResult, rhythms.label(int64(*v.AfibClassification)))
		d.text(health.TextAFibCode, number(v.AfibClassification))
	}
	d.series("heart_data.ecg_signal.raw_signal", v.RawSignal.Raw(), []string{"potential_uV"}, nil, column{metric: health.MetricECGVoltage})
}

func (d *draft) temperatures(v *TemperatureData) {
	d.value(v.DayAvgAmbientTemperatureCelsius, health.MetricAmbientTemperature, health.StatMean, "")
	d.value(v.DayAvgBodyTemperatureCelsius, health.MetricBodyTemperature, health.StatMean, "")
	d.value(v.DayAvgSkinTemperatureCelsius, health.MetricSkinTemperature, health.StatMean, "")
	const path = "temperature_data."
	d.series(path+"ambient_temperature_samples", v.AmbientTemperatureSamples.Raw(), []string{"temperature_celsius"}, nil, column{metric: health.MetricAmbientTemperature})
	d.series(path+"body_temperature_samples", v.BodyTemperatureSamples.Raw(), []string{"temperature_celsius"}, nil, column{metric: health.MetricBodyTemperature})
	d.series(path+"skin_temperature_samples", v.SkinTemperatureSamples.Raw(), []string{"temperature_celsius"}, nil, column{metric: health.MetricSkinTemperature})
}

func (d *draft) glucose(v *GlucoseData) {
	d.value(v.DayAvgBloodGlucoseMgPerDL, health.MetricBloodGlucose, health.StatMean, "")
	d.value(v.DayAvgDetailedBloodGlucoseMgPerDL, health.MetricBloodGlucose, health.StatMean, health.PartDetailed)
	d.value(v.GMI, health.MetricGlucoseManagementIndicator, health.StatValue, "")
	d.value(v.TimeInRange, health.MetricGlucoseTimeInRange, health.StatValue, "")
	d.value(v.SensorUsage, health.MetricGlucoseReadings, health.StatValue, "")
	d.glucoseSamples("blood_glucose_samples", v.BloodGlucoseSamples.Raw(), "")
	d.glucoseSamples("detailed_blood_glucose_samples", v.DetailedBloodGlucoseSamples.Raw(), health.PartDetailed)
	d.glucosePattern(v.DailyPatterns)
}

func (d *draft) glucoseSamples(name string, raw []byte, part health.Part) {
	d.series("glucose_data."+name, raw, []string{"blood_glucose_mg_per_dL", "glucose_level_flag", "trend_arrow"}, func(w *walk) string {
		flag, told := w.numbers[1].Int()
		switch {
		case !told || flag == int64(GlucoseFlagNormal) || flag == int64(GlucoseFlagHigh):
		case flag == int64(GlucoseFlagLow):
			w.numbers[1] = Whole(-1)
		default: // the glucose is as good with a code that came later
			w.numbers[1], w.odd = Number{}, reasonCode
		}
		trend, told := w.numbers[2].Int()
		switch {
		case !told:
		case trend == int64(TrendUnknown):
			w.numbers[2] = Number{}
		case trend >= int64(TrendFallingQuickly) && trend <= int64(TrendRisingQuickly):
			w.numbers[2] = Whole(trend - int64(TrendFlat))
		default:
			w.numbers[2], w.odd = Number{}, reasonCode
		}
		return ""
	},
		column{metric: health.MetricBloodGlucose, part: part}, column{metric: health.MetricBloodGlucoseLevel, part: part},
		column{metric: health.MetricBloodGlucoseTrend, part: part})
}

// glucosePattern maps how glucose is distributed in each hour of the day.
func (d *draft) glucosePattern(list []DailyPatternSample) {
	const name = "glucose_data.daily_patterns"
	midnight := d.midnight()
	columns := []column{{part: health.PartP5}, {part: health.PartP25}, {part: health.PartP50}, {part: health.PartP75}, {part: health.PartP95}}
	for i := range list {
		v := &list[i]
		hour, ok := v.TimeFromMidnight.Int()
		if !ok || hour < 0 || hour > 23 {
			d.fault(name, reasonTime, locate(d.raw, name+"["+strconv.Itoa(i)+"]"))
			continue
		}
		for j, n := range []Number{v.Percentile5, v.Percentile25, v.Percentile50, v.Percentile75, v.Percentile95} {
			if number, ok := n.Decimal(); ok && !columns[j].add(midnight+hour*60*60*1000, number, len(list)) {
				d.fault(name, reasonNumber, []byte(n.String()))
			}
		}
	}
	for j := range columns {
		columns[j].metric = health.MetricBloodGlucosePercentile
		d.column(name, locate(d.raw, name), &columns[j], d.Span.Start.IsFloating())
	}
}

// midnight is when the day begins that the datum is about, on the clock of its
// start; the start itself where that tells no local time.
func (d *draft) midnight() int64 {
	start := d.Span.Start.SortMilli()
	if wall, ok := d.Span.Start.WallMilli(); ok {
		return start - (wall - int64(d.about.Number())*milliPerDay)
	}
	return start
}
