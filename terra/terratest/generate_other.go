package terratest

import (
	"fmt"
	"math"
	"slices"
	"time"
)

func (g *gen) body(r rec) object {
	w := g.w
	morning := w.at(r.day, 7*60+30)
	has := func(part string) bool { return slices.Contains(w.habit.measures, part) }
	one := func(model string, names []string, values ...float64) encoded {
		return g.series(model, morning, r.end, 24*time.Hour, names, func(int, time.Time) []float64 { return values })
	}
	body := object{
		"metadata":    g.model("BodyMetadata", object{"start_time": g.stamp(r.start), "end_time": g.stamp(r.end), "timestamp_localization": g.localization()}),
		"device_data": g.device(),
	}
	if has("weight") {
		weight := round((w.person.weight+g.between(-1, 1))*(1+(g.growth-1)/20), 2)
		m := w.person.height / 100
		fat := round(g.between(15, 30), 1)
		values := object{
			"BMI": round(weight/m/m, 1), "BMR": g.whole(10*weight + 900), "RMR": g.whole(10*weight + 950), "estimated_fitness_age": 34, "skin_fold_mm": 12.5,
			"bodyfat_percentage": fat, "weight_kg": weight, "height_cm": w.person.height, "bone_mass_g": math.Round(weight * 40), "muscle_mass_g": math.Round(weight * 420),
			"lean_mass_g": math.Round(weight * 10 * (100 - fat)), "water_percentage": 55.5, "visceral_fat_level": 6, "visceral_fat_category": "healthy",
			"insulin_units": 0, "insulin_type": "", "urine_color": "", "user_notes": "", "measurement_time": g.stamp(morning),
		}
		averages := object{"measurements": []object{g.model("MeasurementDataSample", values)}}
		for name, from := range map[string]string{
			"bmi": "BMI", "bmr": "BMR", "rmr": "RMR", "estimated_fitness_age": "estimated_fitness_age", "skin_fold_mm": "skin_fold_mm", "bodyfat_percentage": "bodyfat_percentage",
			"weight_kg": "weight_kg", "height_cm": "height_cm", "bone_mass_g": "bone_mass_g", "muscle_mass_g": "muscle_mass_g", "lean_mass_g": "lean_mass_g",
			"water_percentage": "water_percentage", "insulin_units": "insulin_units", "visceral_fat_level": "visceral_fat_level",
		} {
			averages["day_avg_"+name] = values[from]
		}
		body["measurements_data"] = g.model("MeasurementsData", averages)
	}
	if has("pressure") {
		sys, dia := math.Round(g.between(108, 138)), math.Round(g.between(66, 88))
		body["blood_pressure_data"] = g.model("BloodPressureData", object{
			"day_avg_systolic_bp": sys, "day_avg_diastolic_bp": dia,
			"blood_pressure_samples": one("BloodPressureSample", []string{"systolic_bp", "diastolic_bp"}, sys, dia),
		})
	}
	if has("heart") {
		heart := object{
			"heart_rate_data":             g.heartRate(morning, morning.Add(time.Minute), time.Minute, g.pulse, false),
			"afib_classification_samples": one("AFibClassificationSample", []string{"afib_classification"}, 0),
			"pulse_wave_velocity_samples": one("PulseVelocitySample", []string{"pulse_wave_velocity_meters_per_second"}, round(g.between(5, 8), 2)),
			"rr_interval_samples": g.series("RRIntervalSample", morning, morning.Add(8*time.Second), 800*time.Millisecond, []string{"rr_interval_ms", "hr_bpm"}, func(int, time.Time) []float64 {
				v := math.Round(g.between(760, 1020))
				return []float64{v, math.Round(60000 / v)}
			}),
			"ecg_signal": []object{},
		}
		if r.day%7 == 0 {
			heart["ecg_signal"] = []object{g.model("ECGReading", object{
				"start_timestamp": g.stamp(morning), "avg_hr_bpm": g.whole(64), "afib_classification": 0,
				"raw_signal": g.series("RawECGSample", morning, morning.Add(time.Second), 10*time.Millisecond, []string{"potential_uV"}, func(i int, _ time.Time) []float64 {
					return []float64{math.Round(900 * math.Exp(-math.Pow(float64(i%80-40)/4, 2)))}
				}),
			})}
		}
		body["heart_data"] = g.model("HeartData", heart)
	}
	if has("water") {
		kg := round(g.w.person.weight*0.55, 1)
		body["hydration_data"] = g.model("HydrationData", object{
			"day_total_water_consumption_ml": g.whole(g.between(1200, 2600)), "day_avg_hydration_kg": kg, "hydration_amount_samples": one("HydrationMeasurementSample", []string{"hydration_kg"}, kg),
		})
	}
	if has("ketones") {
		v := round(g.between(2, 12), 1)
		body["ketone_data"] = g.model("KetoneData", object{"day_avg_ketone_mg_per_dL": v, "ketone_samples": one("KetoneSample", []string{"ketone_mg_per_dL", "sample_type"}, v, 1)})
	}
	if has("oxygen") {
		v := math.Round(g.between(94, 99))
		body["oxygen_data"] = g.model("OxygenData", object{
			"avg_saturation_percentage": v, "saturation_samples": one("OxygenSaturationSample", []string{"percentage", "type"}, v, 0), "vo2_samples": encoded("[]"),
		})
	}
	if has("temperature") {
		v, skin := round(g.between(36.3, 37.1), 2), round(g.between(33, 35), 2)
		body["temperature_data"] = g.model("TemperatureData", object{
			"day_avg_body_temperature_celsius": v, "day_avg_skin_temperature_celsius": skin, "day_avg_ambient_temperature_celsius": 21.5,
			"body_temperature_samples": one("TemperatureSample", []string{"temperature_celsius"}, v), "skin_temperature_samples": one("TemperatureSample", []string{"temperature_celsius"}, skin),
			"ambient_temperature_samples": one("TemperatureSample", []string{"temperature_celsius"}, 21.5),
		})
	}
	if has("glucose") {
		sugar := func(every time.Duration) encoded {
			return g.series("GlucoseDataSample", r.start, r.end, every, []string{"blood_glucose_mg_per_dL", "glucose_level_flag", "trend_arrow"}, func(_ int, t time.Time) []float64 {
				v := math.Round(105 + 30*math.Sin(float64(t.In(w.loc).Hour())/24*4*math.Pi) + g.between(-12, 12))
				level := 0.0
				if v > 140 {
					level = 1
				} else if v < 70 {
					level = 2
				}
				return []float64{v, level, 3}
			})
		}
		patterns := []object{}
		for hour := range 24 {
			patterns = append(patterns, g.model("DailyPatternSample", object{
				"time_from_midnight": hour, "percentile_5": 82, "percentile_25": 95, "percentile_50": 107, "percentile_75": 122, "percentile_95": 141,
			}))
		}
		body["glucose_data"] = g.model("GlucoseData", object{
			"blood_glucose_samples": sugar(time.Hour), "detailed_blood_glucose_samples": sugar(5 * time.Minute), "day_avg_blood_glucose_mg_per_dL": 106.5,
			"day_avg_detailed_blood_glucose_mg_per_dL": 106.4, "day_avg_blood_glucose_mg_per_dl": 106.5, "gmi": 5.9, "time_in_range": 93.5, "sensor_usage": 288, "daily_patterns": patterns,
		})
	}
	return g.model("Body", body)
}

func (g *gen) nutrition(r rec) object {
	dishes := []struct {
		name                       string
		meal, minutes, unit        int
		amount, kcal, carb, fat, p float64
	}{
		{"Oatmeal", 1, 8*60 + 10, 1, 80, 304, 52, 6, 11}, {"Apple", 2, 10*60 + 30, 10, 1, 95, 25, 0.3, 0.5}, {"Lentil soup", 3, 12*60 + 40, 4, 2, 360, 60, 6, 24},
		{"Yoghurt", 4, 16 * 60, 1, 150, 92, 7, 5, 5.2}, {"Salmon with rice", 5, 19*60 + 15, 1, 420, 610, 62, 22, 38}, {"Nuts", 6, 21 * 60, 1, 30, 180, 6, 16, 5},
	}
	macros := func(kcal, carb, fat, protein float64) object {
		return g.model("NutritionMacros", object{
			"alcohol_g": 0, "calories": round(kcal, 1), "carbohydrates_g": round(carb, 1), "cholesterol_mg": round(fat*4, 1), "fat_g": round(fat, 1), "fiber_g": round(carb/8, 1),
			"net_carbohydrates_g": round(carb*7/8, 1), "protein_g": round(protein, 1), "saturated_fat_g": round(fat/3, 1), "sodium_mg": round(kcal*0.9, 1), "sugar_g": round(carb/4, 1), "trans_fat_g": 0,
		})
	}
	micros := func(kcal float64) object {
		all := object{}
		for i, name := range g.w.schema["NutritionMicros"] {
			all[name] = round(kcal/float64(200+17*i), 3)
		}
		return g.model("NutritionMicros", all)
	}
	meals := []object{}
	var kcal, carb, fat, protein float64
	for i, d := range dishes {
		x := g.between(0.7, 1.3) * g.growth
		at := g.w.at(r.day, d.minutes)
		if at.After(g.until) {
			continue
		}
		kcal, carb, fat, protein = kcal+d.kcal*x, carb+d.carb*x, fat+d.fat*x, protein+d.p*x
		meals = append(meals, g.model("Meal", object{
			"id": fmt.Sprintf("%s-%d", r.key.ID, i), "type": d.meal, "name": d.name, "timestamp": g.stamp(at),
			"quantity": g.model("NutritionQuantity", object{"unit": d.unit, "amount": round(d.amount*x, 1)}),
			"macros":   macros(d.kcal*x, d.carb*x, d.fat*x, d.p*x), "micros": micros(d.kcal * x),
		}))
	}
	water := math.Round(g.between(800, 1800))
	return g.model("Nutrition", object{
		"metadata": g.model("NutritionMetadata", object{"start_time": g.stamp(r.start), "end_time": g.stamp(r.end), "timestamp_localization": g.localization()}),
		"meals":    meals, "summary": g.model("NutritionSummary", object{"macros": macros(kcal, carb, fat, protein), "micros": micros(kcal), "water_ml": water, "drink_ml": water + 250}),
		"drink_samples": []object{g.model("DrinkSample", object{"timestamp": g.stamp(g.w.at(r.day, 8*60+15)), "drink_volume": 250, "drink_unit": 8, "drink_name": "Coffee"})},
	})
}

// The cycle of every person is regular: day 1 to 5 period, ovulation on day 14.
func (g *gen) menstruation(r rec) object {
	const length, period = 28, 5
	w := g.w
	shift := random(w.seed, "cycle", w.account).IntN(length)
	day := (r.day+shift)%length + 1
	first := r.day - day + 1
	phase, from, to := 5, 17, length
	switch {
	case day <= period:
		phase, from, to = 1, 1, period
	case day < 11:
		phase, from, to = 2, period+1, 10
	case day == 14:
		phase, from, to = 4, 14, 14
	case day < 17:
		phase, from, to = 3, 11, 16
	}
	current := any(phase)
	if w.habit.textPhase {
		current = []string{"", "menstrual", "follicular", "fertile", "ovulation", "luteal"}[phase]
	}
	flow := encoded("[]")
	if day <= period {
		flow = g.series("MenstruationFlowSample", w.at(r.day, 6*60), r.end, 24*time.Hour, []string{"flow"}, func(int, time.Time) []float64 {
			return []float64{[]float64{3, 4, 3, 2, 5}[day-1]}
		})
	}
	return g.model("Menstruation", object{
		"metadata": g.model("MenstruationMetadata", object{"start_time": g.stamp(r.start), "end_time": g.stamp(r.end), "timestamp_localization": g.localization()}),
		"menstruation_data": g.model("MenstruationData", object{
			"period_length_days": period, "current_phase": current, "length_of_current_phase_days": to - from + 1, "days_until_next_phase": to - day + 1,
			"period_start_date": dayText(first), "predicted_cycle_length_days": length, "day_in_cycle": day, "last_updated_time": g.stamp(w.at(r.day, 6*60)),
			"cycle_length_days": length, "is_predicted_cycle": false, "menstruation_flow": flow,
			"fertility_window_start": dayText(first + 10), "fertility_window_end": dayText(first + 15), "ovulation_day": dayText(first + 13),
			"intervals": []object{g.model("MenstruationIntervalSample", object{
				"start_timestamp": g.stamp(w.at(first, 0)), "end_timestamp": g.stamp(w.at(first+period, 0)), "phase": 1,
			})},
		}),
	})
}

// extra sends one event of a kind that has no getter.
func (s *Server) extra(u *user, kind Kind) {
	w := u.world
	g := w.random(kind, w.today(), 0)
	g.until = w.asOf
	at := g.stamp(w.at(w.today(), 7*60))
	var element object
	switch kind {
	case KindHormone:
		element = g.model("HormoneSample", object{
			"timestamp": at, "lh_mIU_per_ml": round(g.between(2, 40), 1), "e3g_ng_per_ml": round(g.between(40, 250), 1), "pdg_ug_per_ml": round(g.between(1, 15), 1),
			"hcg_mIU_per_ml": 0.4, "fsh_mIU_per_ml": round(g.between(3, 12), 1),
		})
	case KindObservation:
		value := func(v object) object { return g.model("ObservationValue", v) }
		element = g.model("HealthObservation", object{
			"metadata": g.model("HealthObservationMetadata", object{"start_time": at, "end_time": nil, "summary_id": w.id(kind, w.today(), 0), "timestamp_localization": g.localization()}),
			"observation_data": g.model("HealthObservationData", object{
				"category": 1, "observation_type": "headache", "severity": 2, "status": 1, "notes": "",
				"codes":      []object{g.model("ObservationCode", object{"system": "http://snomed.info/sct", "code": "25064002", "display": "Headache"})},
				"value":      value(object{"value_type": 2, "boolean": true}),
				"components": []object{g.model("ObservationComponent", object{"code": "duration", "value": value(object{"value_type": 1, "quantity": 90, "unit": "min"})})},
			}),
		})
	case KindPlanned:
		element = s.samplePlan(u).json()
	}
	ev := about(string(kind), u)
	ev["version"], ev["data"] = DataVersion, []object{element}
	s.send(u, ev)
}
