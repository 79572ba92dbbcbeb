package fitbit

import (
	"strconv"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// nutrientFields are what a food, or a day, tells besides its energy. It is
// never changed.
var nutrientFields = fields{
	"carbs":   {is: health.Value{Metric: health.MetricNutrientCarbohydrates}},
	"fat":     {is: health.Value{Metric: health.MetricNutrientFat}},
	"fiber":   {is: health.Value{Metric: health.MetricNutrientFiber}},
	"protein": {is: health.Value{Metric: health.MetricNutrientProtein}},
	"sodium":  {is: health.Value{Metric: health.MetricNutrientSodium}},
}

// foods maps the food log of one day: one record for each food, and one of the
// day, without the energy and the water, which are of the stream food_totals.
func (m *mapper) foods() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	if asked.first != asked.last {
		return malformed(codeBodyName)
	}
	var day row
	err = m.list(0, "foods", func(s *jsonscan.Scanner) (key, reason string) { return m.food(s, asked) },
		func(s *jsonscan.Scanner) error {
			switch string(s.Name()) {
			case "summary":
				day.each(s, "summary", func(s *jsonscan.Scanner) {
					name := string(s.Name())
					f, ok := nutrientFields[name]
					if m.whole && !ok {
						f, ok = foodTotals[name]
					}
					if ok {
						day.number(s, name, f)
					} else {
						s.Skip()
					}
				})
			case "goals":
				day.object(s, "goals", fields{"calories": {is: goalOf(fitbitmap.EnergyIntake)}})
			default:
				s.Skip()
			}
			return nil
		})
	if err != nil {
		return err
	}
	m.row = day
	m.emitSummary(asked.first)
	return nil
}

// foodTotals is never changed.
var foodTotals = fields{
	"calories": {is: is(fitbitmap.EnergyIntake, "")},
	"water":    {is: is(fitbitmap.WaterIntake, "")},
}

func (m *mapper) food(s *jsonscan.Scanner, asked period) (key, reason string) {
	r := &m.row
	var (
		id     int64
		okID   bool
		date   health.Day
		amount health.Decimal
		got    = jsonscan.Absent
		unit   string
		energy health.Decimal
		told   = jsonscan.Absent
	)
	for s.NextMember() {
		switch string(s.Name()) {
		case "logId":
			id, okID = r.id(s)
		case "logDate":
			date = r.day(s)
		case "loggedFood":
			r.each(s, "loggedFood", func(s *jsonscan.Scanner) {
				switch string(s.Name()) {
				case "name":
					r.word(s, health.TextTitle)
				case "brand":
					r.word(s, health.TextFoodBrand)
				case "foodId":
					r.word(s, "fitbit_food_id")
				case "mealTypeId":
					if code := r.word(s, "fitbit_meal_type_id"); code != "" {
						r.text(health.TextMealType, fitbitmap.Meal(code))
					}
				case "amount":
					amount, got = number(s)
				case "calories":
					energy, told = number(s)
				case "unit":
					r.each(s, "unit", func(s *jsonscan.Scanner) {
						if string(s.Name()) == "name" {
							unit, _ = word(s)
						} else {
							s.Skip()
						}
					})
				default:
					s.Skip()
				}
			})
		case "nutritionalValues":
			r.each(s, "nutritionalValues", func(s *jsonscan.Scanner) {
				name := string(s.Name())
				if f, ok := nutrientFields[name]; ok {
					r.number(s, name, f)
				} else if name == "calories" {
					r.number(s, name, foodTotals["calories"])
				} else {
					s.Skip()
				}
			})
		default:
			s.Skip()
		}
	}
	if !okID {
		return "", reasonNoID
	}
	key = m.key(strconv.FormatInt(id, 10))
	if date.IsZero() {
		date = asked.first // the log of a day
	}
	if !asked.holds(date) {
		return key, reasonOutside
	}
	if r.lacks(health.MetricEnergyIntake) {
		r.add(energy, told, "calories", foodTotals["calories"], nil)
	}
	r.add(amount, got, "amount", field{is: health.Value{Metric: foodAmount(unit)}}, nil)
	r.text(health.TextFoodUnit, unit)
	rec := m.emit(health.KindNutrition, key)
	rec.Span, rec.Method = m.wholeDay(date), health.MethodSelfReported
	return key, ""
}

// wholeDay is the span of what happened at a time of a day that is not told.
func (m *mapper) wholeDay(d health.Day) health.Span {
	s := health.Span{Day: d, Zone: health.ZoneFloating}
	if m.profile != nil {
		s.Zone, s.Location = health.ZoneFromProfile, m.profile.String()
	}
	return s
}

func (r *row) lacks(metric health.Metric) bool {
	for i := range r.values {
		if r.values[i].Metric == metric {
			return false
		}
	}
	return true
}

// foodAmount returns what an amount of food is measured by.
func foodAmount(unit string) health.Metric {
	switch unit {
	case "gram", "g":
		return health.MetricFoodMass
	case "ml", "milliliter":
		return health.MetricFoodVolume
	default:
		return health.MetricFoodQuantity
	}
}

// waters maps the water log of one day. The day's total is of the stream
// food_totals.
func (m *mapper) waters() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	if asked.first != asked.last {
		return malformed(codeBodyName)
	}
	var day row
	err = m.list(0, "water", func(s *jsonscan.Scanner) (key, reason string) {
		r := &m.row
		var id int64
		okID := false
		for s.NextMember() {
			switch string(s.Name()) {
			case "logId":
				id, okID = r.id(s)
			case "amount":
				r.required(s, "amount", field{is: is(fitbitmap.WaterIntake, "")})
			default:
				s.Skip()
			}
		}
		if !okID {
			return "", reasonNoID
		}
		key = m.key(strconv.FormatInt(id, 10))
		if r.empty() {
			return key, ""
		}
		rec := m.emit(health.KindNutrition, key)
		rec.Span, rec.Method = m.wholeDay(asked.first), health.MethodSelfReported
		return key, ""
	}, func(s *jsonscan.Scanner) error {
		if m.whole && string(s.Name()) == "summary" {
			day.object(s, "summary", fields{"water": foodTotals["water"]})
		} else {
			s.Skip()
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.row = day
	m.emitSummary(asked.first)
	return nil
}
