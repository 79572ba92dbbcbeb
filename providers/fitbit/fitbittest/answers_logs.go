package fitbittest

func (c *call) bodyLog(kind string, q question) (any, *refusal) {
	if refused := q.within(map[string]int{"weight": 31, "fat": 30}[kind]); refused != nil {
		return nil, refused
	}
	list := []any{}
	for _, w := range c.person.weighings {
		if w.Date < dayText(q.first) || w.Date > dayText(q.last) {
			continue
		}
		switch {
		case kind == "weight":
			row := object{"bmi": w.BMI, "date": w.Date, "logId": w.WeightID, "source": w.Source, "time": w.Time, "weight": c.units.weight(w.Weight)}
			if w.Fat > 0 {
				row["fat"] = w.Fat
			}
			list = append(list, row)
		case w.Fat > 0:
			list = append(list, object{"date": w.Date, "fat": w.Fat, "logId": w.FatID, "source": w.Source, "time": w.Time})
		}
	}
	return object{kind: list}, nil
}

// bodySeries carries the last value forward.
func (c *call) bodySeries(kind string, q question) (any, *refusal) {
	if refused := q.within(map[string]int{"bmi": 1095, "weight": 31, "fat": 30}[kind]); refused != nil {
		return nil, refused
	}
	list := []any{}
	c.every(q, func(date string, _ *Day) {
		value := 0.0
		for _, w := range c.person.weighings {
			if w.Date > date {
				break
			}
			switch {
			case kind == "bmi":
				value = w.BMI
			case kind == "weight":
				value = c.units.weight(w.Weight)
			case w.Fat > 0:
				value = w.Fat
			}
		}
		list = append(list, object{"dateTime": date, "value": text(value)})
	})
	return object{"body-" + kind: list}, nil
}

func (c *call) foodLog(n int) any {
	date, foods := dayText(n), []any{}
	var sum Food
	for _, f := range c.person.foods {
		if f.Date != date {
			continue
		}
		values := object{"calories": f.Calories, "carbs": f.Carbs, "fat": f.Fat, "fiber": f.Fiber, "protein": f.Protein, "sodium": f.Sodium}
		unit := object{"id": 304, "name": f.Unit, "plural": f.Unit + "s"}
		foods = append(foods, object{
			"isFavorite": false, "logDate": date, "logId": f.LogID, "nutritionalValues": values,
			"loggedFood": object{
				"accessLevel": "PUBLIC", "amount": f.Amount, "brand": f.Brand, "calories": f.Calories, "foodId": 82294, "locale": "en_US", "mealTypeId": f.Meal,
				"name": f.Name, "unit": unit, "units": []any{304},
			},
		})
		sum.Calories += f.Calories
		sum.Carbs, sum.Fat, sum.Fiber = sum.Carbs+f.Carbs, sum.Fat+f.Fat, sum.Fiber+f.Fiber
		sum.Protein, sum.Sodium = sum.Protein+f.Protein, sum.Sodium+f.Sodium
	}
	water := 0
	if d := c.person.days[n]; d != nil && n < c.person.next {
		water = d.Water
	}
	return object{"foods": foods, "goals": object{"calories": 2200}, "summary": object{
		"calories": sum.Calories, "carbs": round(sum.Carbs, 2), "fat": round(sum.Fat, 2), "fiber": round(sum.Fiber, 2), "protein": round(sum.Protein, 2),
		"sodium": round(sum.Sodium, 2), "water": c.units.water(float64(water)),
	}}
}

func (c *call) waterLog(n int) any {
	date, list, total := dayText(n), []any{}, 0
	for _, d := range c.person.drinks {
		if d.Date == date {
			list = append(list, object{"amount": c.units.water(float64(d.Amount)), "logId": d.LogID})
			total += d.Amount
		}
	}
	return object{"summary": object{"water": c.units.water(float64(total))}, "water": list}
}

func (c *call) foodSeries(kind string, q question) (any, *refusal) {
	if refused := q.within(1095); refused != nil {
		return nil, refused
	}
	list := []any{}
	c.every(q, func(date string, d *Day) {
		value := c.units.water(float64(d.Water))
		if kind == "caloriesIn" {
			value = 0
			for _, f := range c.person.foods {
				if f.Date == date {
					value += float64(f.Calories)
				}
			}
		}
		list = append(list, object{"dateTime": date, "value": text(value)})
	})
	return object{"foods-log-" + kind: list}, nil
}
