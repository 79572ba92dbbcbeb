package terratest

import (
	"math"
	"strconv"
	"time"
)

// secondPass is how long after its end a night of a provider with two passes is complete.
const secondPass = 2 * time.Hour

func appendNumber(b []byte, v float64) []byte {
	return strconv.AppendFloat(b, math.Round(v*100)/100, 'f', -1, 64)
}

// body makes the element of data.
func (w *world) body(r rec, samples bool) object {
	g := w.random(r.key.Kind, r.day, r.n)
	g.samples, g.growth, g.bare, g.until = samples, 1+0.04*float64(w.edits[r.key]), w.bare[r.key], w.asOf
	switch r.key.Kind {
	case KindActivity:
		return g.activity(r)
	case KindBody:
		return g.body(r)
	case KindDaily:
		return g.daily(r)
	case KindSleep:
		return g.sleep(r)
	case KindNutrition:
		return g.nutrition(r)
	case KindMenstruation:
		return g.menstruation(r)
	}
	panic("terratest: no generator for " + string(r.key.Kind))
}

func (w *world) athlete() object {
	g := w.random(KindAthlete, 0, 0)
	p := w.person
	age := w.asOf.Year() - p.born.Year()
	if w.asOf.YearDay() < p.born.YearDay() {
		age--
	}
	return g.model("Athlete", object{
		"age": age, "country": p.country, "city": p.city, "first_name": p.first, "last_name": p.last, "sex": p.sex, "gender": p.sex, "bio": "",
		"date_of_birth": p.born.Format(time.DateOnly), "email": "person@example.com", "provider_user_id": w.account,
		"account_creation_date": g.stamp(w.at(w.first-100, 12*60)),
	})
}

func (g *gen) device() any {
	if g.w.habit.device == "" {
		return g.model("DeviceData", object{"data_provided": []string{}, "other_devices": []object{}})
	}
	return g.model("DeviceData", object{
		"manufacturer": g.w.habit.maker, "name": g.w.habit.device, "hardware_version": "1.2", "software_version": "8.14",
		"serial_number": g.w.id("device", 0, 0)[:12], "last_upload_date": g.stamp(g.until), "activation_timestamp": g.stamp(g.w.at(g.w.first, 0)),
		"data_provided": []string{"STEPS", "HEART_RATE", "CALORIES"},
		"other_devices": []object{g.model("OtherDeviceData", object{"manufacturer": g.w.habit.maker, "name": "Chest strap", "data_provided": []string{"HEART_RATE"}})},
	})
}

// scores are enrichment scores, all null once they were cleared.
func (g *gen) scores(model string, names ...string) object {
	fields := object{}
	for _, name := range names {
		score, parts := round(g.between(40, 95), 1), object{"resting_hr": round(g.between(-2, 2), 2), "hrv": round(g.between(-2, 2), 2)}
		if g.bare {
			continue
		}
		fields[name] = score
		for _, member := range g.w.schema[model] {
			if base, is := cutContributors(member); is && (base == name || base+"_score" == name || base == "stress" && name == "total_stress_score" ||
				base == "immune" && name == "immune_index" || base == "strain" && name == "strain_index") {
				fields[member] = parts
			}
		}
	}
	return g.model(model, fields)
}

func cutContributors(member string) (string, bool) {
	const suffix = "_contributors"
	if len(member) > len(suffix) && member[len(member)-len(suffix):] == suffix {
		return member[:len(member)-len(suffix)], true
	}
	return "", false
}

// pulse is a plausible heart rate of an ordinary day at a time of it.
func (g *gen) pulse(t time.Time) float64 {
	t = t.In(g.w.loc)
	hour := float64(t.Hour()) + float64(t.Minute())/60
	awake := math.Max(0, math.Sin((hour-6)/17*math.Pi))
	return math.Round(g.w.person.resting + 4 + 28*awake + 10*g.r.Float64())
}

func (g *gen) heartRate(from, to time.Time, every time.Duration, pulse func(time.Time) float64, hrv bool) object {
	lo, hi, sum, n := math.Inf(1), 0.0, 0.0, 0
	note := func(v float64) float64 {
		lo, hi, sum, n = math.Min(lo, v), math.Max(hi, v), sum+v, n+1
		return v
	}
	hr := encoded("[]")
	rmssd, sdnn := encoded("[]"), encoded("[]")
	if every > 0 {
		// The summary is over the samples, whether or not they are asked for.
		asked := g.samples
		g.samples = true
		hr = g.series("HeartRateDataSample", from, to, every, []string{"bpm", "timer_duration_seconds", "context"}, func(i int, t time.Time) []float64 {
			return []float64{note(pulse(t)), float64(i) * every.Seconds(), 0}
		})
		if hrv {
			rmssd = g.series("HeartRateVariabilityDataSampleRMSSD", from, to, 5*time.Minute, []string{"hrv_rmssd"}, func(int, time.Time) []float64 {
				return []float64{round(g.between(25, 75), 1)}
			})
			sdnn = g.series("HeartRateVariabilityDataSampleSDNN", from, to, 30*time.Minute, []string{"hrv_sdnn"}, func(int, time.Time) []float64 {
				return []float64{round(g.between(30, 90), 1)}
			})
		}
		if g.samples = asked; !asked {
			hr, rmssd, sdnn = encoded("[]"), encoded("[]"), encoded("[]")
		}
	}
	summary := object{"resting_hr_bpm": g.w.person.resting, "user_max_hr_bpm": 187, "hr_zone_data": []object{}}
	if n > 0 {
		summary["avg_hr_bpm"], summary["min_hr_bpm"], summary["max_hr_bpm"] = round(sum/float64(n), 1), lo, hi
		zones := []object{}
		for i := range 6 {
			zones = append(zones, g.model("HeartRateZoneData", object{
				"zone": i, "start_percentage": 40 + 10*i, "end_percentage": 50 + 10*i, "name": "Zone " + strconv.Itoa(i), "duration_seconds": g.whole(float64(600 * (6 - i))),
			}))
		}
		summary["hr_zone_data"] = zones
	}
	if hrv {
		summary["avg_hrv_rmssd"], summary["avg_hrv_sdnn"] = round(g.between(30, 70), 1), round(g.between(35, 80), 1)
	}
	return g.model("HeartRateData", object{
		"summary":  g.model("HeartRateDataSummary", summary),
		"detailed": g.model("HeartRateDataDetailed", object{"hr_samples": hr, "hrv_samples_rmssd": rmssd, "hrv_samples_sdnn": sdnn}),
	})
}

func (g *gen) elevation(gain float64) object {
	return g.model("ElevationData", object{
		"gain_actual_meters": round(gain, 1), "loss_actual_meters": round(gain*0.97, 1), "avg_meters": 112.5, "min_meters": 96.0, "max_meters": round(112.5+gain, 1),
	})
}

func (g *gen) daily(r rec) object {
	w := g.w
	length := r.end.Sub(r.start)
	part := math.Min(1, math.Max(0, w.asOf.Sub(r.start).Seconds()/length.Seconds()))
	steps := math.Round(w.person.steps * g.between(0.5, 1.5) * g.growth * part)
	distance, floors := round(steps*0.74, 1), math.Round(steps/900)
	basal := math.Round((10*w.person.weight + 6*w.person.height - 100) * part)
	active := math.Round(steps * 0.045)

	every := time.Duration(0)
	if w.heart > 0 && !w.habit.noHeartRate {
		every = 24 * time.Hour / time.Duration(w.heart)
	}
	heart := g.heartRate(r.start, r.end, every, g.pulse, !w.habit.hrvInSleep && !w.habit.noHeartRate)
	hourly := func(model, name string, total float64) encoded {
		n := float64(max(1, int(length/time.Hour)))
		return g.series(model, r.start.Add(time.Hour-time.Second), r.end, time.Hour, []string{name, "timer_duration_seconds"}, func(i int, _ time.Time) []float64 {
			share := math.Min(1, float64(i+1)/math.Max(1, n*math.Max(part, 1/n)))
			return []float64{math.Round(total * share), float64(i+1) * 3600}
		})
	}
	dist := object{"distance_meters": distance, "elevation": g.elevation(floors * 3), "floors_climbed": g.whole(floors), "steps": g.whole(steps)}
	detail := object{
		"distance_samples": hourly("DistanceSample", "distance_meters", distance), "step_samples": hourly("StepSample", "steps", steps),
		"floors_climbed_samples": hourly("FloorsClimbedSample", "floors_climbed", floors), "elevation_samples": hourly("ElevationSample", "elev_meters", 120),
	}
	if w.habit.noHeartRate {
		dist["steps"], detail["step_samples"] = nil, encoded("[]")
	}
	dist["detailed"] = g.model("DistanceDataDetailed", detail)

	body := object{
		"metadata": g.model("DailyMetadata", object{
			"start_time": g.stamp(r.start), "end_time": g.stamp(r.end), "timestamp_localization": g.localization(), "upload_type": 0,
		}),
		"distance_data": g.model("DailyDistanceData", dist), "heart_rate_data": heart, "device_data": g.device(),
		"calories_data": g.model("CaloriesData", object{
			"BMR_calories": basal, "net_activity_calories": active, "total_burned_calories": basal + active, "net_intake_calories": 0,
			"calorie_samples": hourly("CalorieSample", "calories", basal+active),
		}),
		"active_durations_data": g.model("ActiveDurationsData", object{
			"activity_seconds": g.whole(5400 * part * g.growth), "rest_seconds": g.whole(30000 * part), "low_intensity_seconds": g.whole(9000 * part),
			"moderate_intensity_seconds": g.whole(3000 * part), "vigorous_intensity_seconds": g.whole(900 * part), "inactivity_seconds": g.whole(36000 * part),
			"num_continuous_inactive_periods": 2, "standing_hours_count": g.whole(11 * part), "standing_seconds": g.whole(20000 * part),
			"activity_levels_samples": g.series("ActivityLevelSample", r.start, r.end, time.Hour, []string{"activity_level"}, func(int, time.Time) []float64 {
				return []float64{float64(1 + g.r.IntN(5))}
			}),
		}),
		"MET_data": g.model("METData", object{
			"avg_level": round(g.between(1.2, 2), 2), "num_high_intensity_minutes": g.whole(15 * part), "num_inactive_minutes": g.whole(600 * part),
			"num_low_intensity_minutes": g.whole(150 * part), "num_moderate_intensity_minutes": g.whole(50 * part),
			"MET_samples": g.series("METSample", r.start, r.end, time.Hour, []string{"level"}, func(int, time.Time) []float64 { return []float64{g.between(0.9, 6)} }),
		}),
		"oxygen_data": g.model("OxygenData", object{
			"avg_saturation_percentage": round(g.between(94, 99), 1), "vo2max_ml_per_min_per_kg": 44.5, "day_avg_vo2max_ml_per_min_per_kg": 44.5,
			"saturation_samples": g.series("OxygenSaturationSample", r.start, r.start.Add(6*time.Hour), time.Hour, []string{"percentage", "type"}, func(int, time.Time) []float64 {
				return []float64{math.Round(g.between(93, 99)), 0}
			}),
			"vo2_samples": g.series("Vo2MaxSample", w.at(r.day, 12*60), r.end, 24*time.Hour, []string{"vo2max_ml_per_min_per_kg"}, func(int, time.Time) []float64 { return []float64{44.5} }),
		}),
		"scores":          g.model("ScoresData", object{"activity": math.Round(g.between(50, 100)), "recovery": math.Round(g.between(30, 99)), "sleep": math.Round(g.between(50, 95))}),
		"strain_data":     g.model("StrainData", object{"strain_level": round(g.between(4, 18), 1)}),
		"data_enrichment": g.scores("DailyDataEnrichment", "total_stress_score", "respiratory_score", "immune_index", "resilience_score", "strain_index", "total_stress_score_v2"),
		"tag_data":        g.model("TagData", object{"tags": []object{g.model("TagEntry", object{"timestamp": g.stamp(w.at(r.day, 20*60)), "tag_name": "late_meal", "notes": ""})}}),
	}
	if enrichment := body["data_enrichment"].(object); !g.bare {
		enrichment["strain_traffic_light"], enrichment["immune_index"], enrichment["resilience_score"] = "GREEN", g.r.IntN(100), g.r.IntN(100)
	}
	if w.habit.stress {
		level := func(name string) func(int, time.Time) []float64 {
			return func(int, time.Time) []float64 { return []float64{math.Round(g.between(10, 80))} }
		}
		body["stress_data"] = g.model("StressData", object{
			"avg_stress_level": g.whole(g.between(20, 45)), "max_stress_level": g.whole(g.between(70, 99)), "stress_rating": 2,
			"rest_stress_duration_seconds": g.whole(28000 * part), "low_stress_duration_seconds": g.whole(14000 * part), "medium_stress_duration_seconds": g.whole(7000 * part),
			"high_stress_duration_seconds": g.whole(1200 * part), "activity_stress_duration_seconds": g.whole(3600 * part), "stress_duration_seconds": g.whole(22200 * part),
			"samples":              g.series("StressSample", r.start, r.end, 30*time.Minute, []string{"level"}, level("stress")),
			"body_battery_samples": g.series("BodyBatterySample", r.start, r.end, 30*time.Minute, []string{"level"}, level("battery")),
		})
	}
	return g.model("Daily", body)
}

func (g *gen) sleep(r rec) object {
	w := g.w
	start, end := r.start, r.end
	tentative := w.habit.twoPasses && w.asOf.Before(end.Add(secondPass))
	total := end.Sub(start).Seconds()
	// Stages alternate; their sums are the durations.
	type stage struct {
		at    time.Time
		level int
	}
	var stages []stage
	sums := map[int]float64{}
	for t := start; t.Before(end); {
		level := []int{4, 5, 4, 6, 1}[len(stages)%5]
		length := time.Duration(8+g.r.IntN(40)) * time.Minute
		if level == 1 {
			length = time.Duration(1+g.r.IntN(8)) * time.Minute
		}
		if tentative && level == 6 {
			level = 4
		}
		length = min(length, end.Sub(t))
		stages = append(stages, stage{t, level})
		sums[level] += length.Seconds()
		t = t.Add(length)
	}
	asleep := total - sums[1]
	efficiency := asleep / total
	if w.habit.percent {
		efficiency *= 100
	}
	hypnogram := g.series("SleepHypnogramSample", start, start.Add(time.Duration(len(stages))), 1, []string{"level"}, func(i int, _ time.Time) []float64 {
		return []float64{float64(stages[i].level)}
	})
	if g.samples {
		list := []object{}
		for _, st := range stages {
			list = append(list, g.model("SleepHypnogramSample", object{"timestamp": g.stamp(st.at), "level": st.level}))
		}
		hypnogram = marshal(list)
	}
	every := 5 * time.Minute
	if w.habit.noHeartRate {
		every = 0
	}
	durations := object{
		"duration_asleep_state_seconds": g.whole(asleep), "duration_deep_sleep_state_seconds": g.whole(sums[5]), "duration_light_sleep_state_seconds": g.whole(sums[4]),
		"duration_REM_sleep_state_seconds": g.whole(sums[6]), "num_REM_events": len(stages) / 5,
	}
	if w.habit.noSleepTotal {
		durations["duration_asleep_state_seconds"] = nil
	}
	meta := object{
		"start_time": g.stamp(start), "end_time": g.stamp(end), "is_nap": r.n == 1, "summary_id": r.key.ID, "timestamp_localization": g.localization(), "upload_type": 2,
	}
	if w.habit.noSleepID {
		meta["summary_id"] = nil
	}
	if tentative {
		meta["upload_type"] = 3
	}
	body := object{
		"metadata": g.model("SleepMetadata", meta), "device_data": g.device(),
		"heart_rate_data": g.heartRate(start, end, every, func(time.Time) float64 { return math.Round(w.person.resting + g.between(-4, 8)) }, true),
		"sleep_durations_data": g.model("SleepDurationsData", object{
			"asleep": g.model("AsleepDurations", durations),
			"awake": g.model("AwakeDurations", object{
				"duration_awake_state_seconds": g.whole(sums[1]), "duration_long_interruption_seconds": g.whole(sums[1] / 2), "duration_short_interruption_seconds": g.whole(sums[1] / 2),
				"num_out_of_bed_events": 1, "num_wakeup_events": len(stages) / 5, "sleep_latency_seconds": g.whole(g.between(200, 1200)), "wake_up_latency_seconds": g.whole(g.between(60, 600)),
			}),
			"other":            g.model("OtherSleepDurations", object{"duration_in_bed_seconds": g.whole(total), "duration_unmeasurable_sleep_seconds": 0}),
			"sleep_efficiency": round(efficiency, 4), "hypnogram_samples": hypnogram,
		}),
		"respiration_data": g.model("RespirationData", object{
			"breaths_data": g.model("BreathsData", object{
				"avg_breaths_per_min": round(g.between(13, 16), 1), "min_breaths_per_min": 11.0, "max_breaths_per_min": 19.5, "on_demand_reading": false,
				"start_time": g.stamp(start), "end_time": g.stamp(end),
				"samples": g.series("BreathSample", start, end, 15*time.Minute, []string{"breaths_per_min"}, func(int, time.Time) []float64 { return []float64{round(g.between(12, 18), 1)} }),
			}),
			"oxygen_saturation_data": g.model("OxygenSaturationData", object{
				"avg_saturation_percentage": round(g.between(93, 98), 1), "start_time": g.stamp(start), "end_time": g.stamp(end),
				"samples": g.series("OxygenSaturationSample", start, end, 30*time.Minute, []string{"percentage", "type"}, func(int, time.Time) []float64 {
					return []float64{math.Round(g.between(92, 99)), 0}
				}),
			}),
			"snoring_data": g.model("SnoringData", object{
				"start_time": g.stamp(start), "end_time": g.stamp(end), "num_snoring_events": 3, "total_snoring_duration_seconds": g.whole(540),
				"samples": g.series("SnoringSample", start.Add(time.Hour), start.Add(4*time.Hour), time.Hour, []string{"duration_seconds"}, func(int, time.Time) []float64 { return []float64{180} }),
			}),
		}),
		"temperature_data": g.model("SleepTemperatureData", object{"delta": round(g.between(-0.4, 0.5), 2)}),
		"scores":           g.model("SleepScores", object{"sleep": math.Min(100, math.Round(g.between(55, 90)*g.growth))}),
		"readiness_data":   g.model("ReadinessData", object{"readiness": math.Round(g.between(45, 95)), "recovery_level": 1 + g.r.IntN(6)}),
		"data_enrichment":  g.scores("SleepDataEnrichment", "sleep_score", "readiness_score", "sleep_score_v2", "respiratory_score_v2"),
	}
	return g.model("Sleep", body)
}

// sports are the activity types in use: running, road biking, swimming in a pool, hiking, strength training, walking, and 0.
func sports() []int { return []int{8, 16, 83, 35, 80, 7, 0} }

func (g *gen) activity(r rec) object {
	w := g.w
	sport := sports()[g.r.IntN(len(sports()))]
	length := r.end.Sub(r.start)
	speed := map[int]float64{8: 2.9, 16: 7.5, 83: 0.8, 35: 1.3, 7: 1.4}[sport]
	distance := round(speed*length.Seconds()*g.growth, 1)
	kcal := math.Round(length.Minutes() * g.between(5, 12) * g.growth)
	steps := 0.0
	if sport == 8 || sport == 35 || sport == 7 {
		steps = math.Round(distance / 0.95)
	}
	upload := []int{1, 1, 1, 2, 6}[g.r.IntN(5)]
	switch {
	case w.deleted[r.key]:
		upload = 4
	case w.edits[r.key] > 0:
		upload = 3
	}
	tick := func(model string, every time.Duration, name string, value func(t float64) float64) encoded {
		return g.series(model, r.start, r.end, every, []string{name, "timer_duration_seconds"}, func(i int, _ time.Time) []float64 {
			at := float64(i) * every.Seconds()
			return []float64{value(at / length.Seconds()), at}
		})
	}
	lat, lng := 48.1+g.r.Float64(), 11.5+g.r.Float64()
	positions := encoded("[]")
	if g.samples && distance > 0 && sport != 83 {
		list := []object{}
		for t := time.Duration(0); t < length; t += time.Minute {
			list = append(list, g.model("PositionSample", object{
				"timestamp": g.stamp(r.start.Add(t)), "coords_lat_lng_deg": []float64{round(lat+t.Hours()/50, 6), round(lng+t.Hours()/70, 6)}, "timer_duration_seconds": t.Seconds(),
			}))
		}
		positions = marshal(list)
	}
	laps := []object{}
	for i := range 3 {
		from := r.start.Add(length * time.Duration(i) / 3)
		laps = append(laps, g.model("LapSample", object{
			"start_time": g.stamp(from), "end_time": g.stamp(from.Add(length / 3)), "distance_meters": round(distance/3, 1), "calories": round(kcal/3, 1),
			"avg_hr_bpm": g.whole(140), "avg_speed_meters_per_second": round(speed, 2), "active_duration_seconds": int(length.Seconds() / 3), "trigger_method": "DISTANCE",
			"avg_watts": g.whole(180), "total_strokes": g.whole(120), "stroke_type": map[bool]any{true: "freestyle", false: nil}[sport == 83],
		}))
	}
	every := time.Minute
	if w.habit.noHeartRate {
		every = 0
	}
	exercise := func(time.Time) float64 { return math.Round(g.between(115, 172)) }
	summary := object{"distance_meters": distance, "elevation": g.elevation(35), "floors_climbed": g.whole(4), "steps": g.whole(steps)}
	if sport == 83 {
		summary["swimming"] = g.model("SwimmingData", object{"num_laps": int(distance / 25), "num_strokes": int(distance), "pool_length_meters": 25})
	}
	return g.model("Activity", object{
		"metadata": g.model("ActivityMetadata", object{
			"start_time": g.stamp(r.start), "end_time": g.stamp(r.end), "summary_id": r.key.ID, "type": sport, "upload_type": upload, "name": "Workout",
			"timestamp_localization": g.localization(), "city": w.person.city, "country": w.person.country,
		}),
		"active_durations_data": g.model("ActiveDurationsData", object{
			"activity_seconds": g.whole(length.Seconds()), "rest_seconds": 0, "low_intensity_seconds": g.whole(length.Seconds() / 2),
			"moderate_intensity_seconds": g.whole(length.Seconds() / 4), "vigorous_intensity_seconds": g.whole(length.Seconds() / 4), "inactivity_seconds": 0,
			"activity_levels_samples": tick("ActivityLevelSample", 10*time.Minute, "activity_level", func(float64) float64 { return 4 }),
		}),
		"calories_data": g.model("CaloriesData", object{
			"total_burned_calories": kcal, "net_activity_calories": math.Round(kcal * 0.9), "BMR_calories": math.Round(kcal * 0.1),
			"calorie_samples": tick("CalorieSample", 5*time.Minute, "calories", func(x float64) float64 { return kcal * x }),
		}),
		"cheat_detection": 0, "data_enrichment": g.scores("DataEnrichment", "efficiency_score", "strain_score", "rcrs_score", "trimp_score"), "device_data": g.device(),
		"distance_data": g.model("DistanceData", object{
			"summary": g.model("DistanceDataSummary", summary),
			"detailed": g.model("DistanceDataDetailed", object{
				"distance_samples":       tick("DistanceSample", time.Minute, "distance_meters", func(x float64) float64 { return distance * x }),
				"step_samples":           tick("StepSample", time.Minute, "steps", func(x float64) float64 { return math.Round(steps * x) }),
				"elevation_samples":      tick("ElevationSample", time.Minute, "elev_meters", func(x float64) float64 { return 110 + 20*math.Sin(x*math.Pi) }),
				"floors_climbed_samples": tick("FloorsClimbedSample", 10*time.Minute, "floors_climbed", func(x float64) float64 { return math.Floor(4 * x) }),
			}),
		}),
		"energy_data":     g.model("EnergyData", object{"energy_kilojoules": round(kcal*4.184, 1), "energy_planned_kilojoules": round(kcal*4, 1)}),
		"heart_rate_data": g.heartRate(r.start, r.end, every, exercise, false),
		"lap_data":        g.model("LapData", object{"laps": laps}),
		"MET_data": g.model("METData", object{
			"avg_level": round(g.between(5, 9), 1), "num_high_intensity_minutes": 20, "num_inactive_minutes": 0, "num_low_intensity_minutes": 5, "num_moderate_intensity_minutes": 15,
			"MET_samples": g.series("METSample", r.start, r.end, 10*time.Minute, []string{"level"}, func(int, time.Time) []float64 { return []float64{g.between(4, 10)} }),
		}),
		"movement_data": g.model("MovementData", object{
			"avg_speed_meters_per_second": speed, "max_speed_meters_per_second": round(speed*1.4, 2), "normalized_speed_meters_per_second": speed, "adjusted_max_speed_meters_per_second": round(speed*1.4, 2),
			"avg_pace_minutes_per_kilometer": pace(speed), "max_pace_minutes_per_kilometer": pace(speed * 1.4), "avg_cadence_rpm": 84, "max_cadence_rpm": 101,
			"avg_velocity_meters_per_second": speed, "max_velocity_meters_per_second": round(speed*1.4, 2), "avg_torque_newton_meters": 22.5, "max_torque_newton_meters": 48.0,
			"cadence_samples": tick("CadenceSample", time.Minute, "cadence_rpm", func(float64) float64 { return math.Round(g.between(75, 95)) }),
			"speed_samples":   tick("SpeedSample", time.Minute, "speed_meters_per_second", func(float64) float64 { return speed * g.between(0.9, 1.1) }),
			"torque_samples":  tick("TorqueSample", 5*time.Minute, "torque_newton_meters", func(float64) float64 { return g.between(15, 30) }),
		}),
		"oxygen_data": g.model("OxygenData", object{
			"vo2max_ml_per_min_per_kg": 45.2, "saturation_samples": encoded("[]"),
			"vo2_samples": g.series("Vo2MaxSample", r.start, r.end, 24*time.Hour, []string{"vo2max_ml_per_min_per_kg"}, func(int, time.Time) []float64 { return []float64{45.2} }),
		}),
		"polyline_map_data": g.model("PolylineMapData", object{"summary_polyline": "_p~iF~ps|U_ulLnnqC_mqNvxq`@"}),
		"position_data": g.model("PositionData", object{
			"start_pos_lat_lng_deg": []float64{round(lat, 6), round(lng, 6)}, "center_pos_lat_lng_deg": []any{nil, nil},
			"end_pos_lat_lng_deg": []float64{round(lat+length.Hours()/50, 6), round(lng+length.Hours()/70, 6)}, "position_samples": positions,
		}),
		"power_data": g.model("PowerData", object{
			"avg_watts": 182, "max_watts": 410, "power_samples": tick("PowerSample", time.Minute, "watts", func(float64) float64 { return math.Round(g.between(120, 260)) }),
		}),
		"strain_data": g.model("StrainData", object{"strain_level": round(g.between(6, 16), 1)}),
		"TSS_data": g.model("TSSData", object{"TSS_samples": []object{g.model("TSSSample", object{
			"planned": 60, "actual": 64.5, "method": "power", "intensity_factor_planned": 0.8, "intensity_factor_actual": 0.83, "normalized_power_watts": 195,
		})}}),
		"work_data": g.model("WorkData", object{"work_kilojoules": round(kcal*0.95, 1)}),
	})
}

func pace(speed float64) any {
	if speed == 0 {
		return nil
	}
	return round(1000/speed/60, 2)
}
