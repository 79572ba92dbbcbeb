package terra

import (
	"strings"

	"github.com/vitalmux/vitalmux/health"
)

// nutrition maps what was eaten and drunk on a day: the totals as values, meals
// and drinks as segments.
func (d *draft) nutrition(v *Nutrition) string {
	meta := &v.Metadata
	if reason := d.ofDay(health.KindNutrition, meta.TimestampLocalization, meta.StartTime, meta.EndTime); reason != "" {
		return reason
	}
	total := (*values)(&d.Values)
	d.value(v.Summary.WaterMl, health.MetricWaterIntake, health.StatValue, "")
	d.value(v.Summary.DrinkMl, health.MetricFluidIntake, health.StatValue, "")
	d.macros(total, &v.Summary.Macros)
	d.micros(total, &v.Summary.Micros)
	for i := range v.Meals {
		d.meal(&v.Meals[i])
	}
	for i := range v.DrinkSamples {
		d.drink(&v.DrinkSamples[i])
	}
	return ""
}

// meals are the labels of [MealType].
var meals = labels{
	MealUnknown: health.MealUnknown, MealBreakfast: health.MealBreakfast, MealMorningSnack: health.MealMorningSnack, MealLunch: health.MealLunch,
	MealAfternoonSnack: health.MealAfternoonSnack, MealDinner: health.MealDinner, MealSnack: health.MealSnack,
}

// meal adds a meal. Its code is its name, with the number of its type if that is
// not known.
func (d *draft) meal(v *Meal) {
	s := health.Segment{Track: health.TrackMeal, Code: v.Name}
	if v.Type != nil {
		if s.Label = meals.label(int64(*v.Type)); s.Label == "" {
			s.Code = strings.TrimSpace(number(v.Type) + " " + v.Name)
		}
	}
	s.Start = d.stamped("meals.timestamp", v.Timestamp)
	wall, ok := s.Start.WallMilli()
	if !ok {
		wall = s.Start.SortMilli() // the clock reading that was printed, with Z
	}
	if wall%milliPerDay < 10 {
		s.Start = health.Moment{} // the last digit counts meals of which nobody knows when they were
	}
	var vs values
	d.quantity(&vs, v.Quantity.Amount, unitOf(v.Quantity.Unit))
	d.macros(&vs, &v.Macros)
	d.micros(&vs, &v.Micros)
	s.Values = vs
	d.segment(s)
}

// drink adds a drink.
func (d *draft) drink(v *DrinkSample) {
	s := health.Segment{Track: health.TrackDrink, Code: v.DrinkName, Start: d.stamped("drink_samples.timestamp", v.Timestamp)}
	u := unitCalled(v.DrinkUnit.Text)
	if n, ok := v.DrinkUnit.Number.Int(); ok {
		u = unitNumbered(n)
	}
	if u.metric == health.MetricFoodVolume {
		u.metric = health.MetricFluidIntake
	}
	var vs values
	d.quantity(&vs, v.DrinkVolume, u)
	s.Values = vs
	d.segment(s)
}

func (d *draft) quantity(vs *values, n Number, u foodUnit) {
	if u.factor == (health.Decimal{}) || u.factor == health.Int(1) {
		d.put(vs, n, u.metric, health.StatValue, u.part)
		return
	}
	d.putTimes(vs, n, u.factor, u.metric, health.StatValue, u.part)
}

// foodUnit is what a unit measures, and how much of the metric's unit it is.
type foodUnit struct {
	metric health.Metric
	part   health.Part
	factor health.Decimal
}

// foodUnits are the units by [NutritionUnits]. Spoons, cups and fluid ounces are
// US customary measure (NIST Handbook 44, appendix C), the ounce is avoirdupois.
// Pieces are counted by their kind.
var foodUnits = [...]foodUnit{
	NutritionUnitUnknown:    {metric: health.MetricFoodQuantity},
	NutritionUnitGram:       {metric: health.MetricFoodMass},
	NutritionUnitTeaspoon:   {metric: health.MetricFoodVolume, factor: health.Decimal{Coefficient: 492892159375, Exponent: -11}},
	NutritionUnitTablespoon: {metric: health.MetricFoodVolume, factor: health.Decimal{Coefficient: 1478676478125, Exponent: -11}},
	NutritionUnitCup:        {metric: health.MetricFoodVolume, factor: health.Decimal{Coefficient: 2365882365, Exponent: -7}},
	NutritionUnitMediumEgg:  {metric: health.MetricFoodQuantity, part: "medium_egg"},
	NutritionUnitLargeEgg:   {metric: health.MetricFoodQuantity, part: "large_egg"},
	NutritionUnitSmallEgg:   {metric: health.MetricFoodQuantity, part: "small_egg"},
	NutritionUnitMilliliter: {metric: health.MetricFoodVolume},
	NutritionUnitOunce:      {metric: health.MetricFoodMass, factor: health.Decimal{Coefficient: 28349523125, Exponent: -9}},
	NutritionUnitCount:      {metric: health.MetricFoodQuantity, part: "count"},
	NutritionUnitScoop:      {metric: health.MetricFoodQuantity, part: "scoop"},
	NutritionUnitFluidOunce: {metric: health.MetricFoodVolume, factor: health.Decimal{Coefficient: 295735295625, Exponent: -10}},
}

func unitOf(u *NutritionUnits) foodUnit {
	if u == nil {
		return foodUnits[NutritionUnitUnknown]
	}
	return unitNumbered(int64(*u))
}

func unitNumbered(n int64) foodUnit {
	if n >= 0 && n < int64(len(foodUnits)) {
		return foodUnits[n]
	}
	return foodUnit{metric: health.MetricFoodQuantity, part: health.Part("unit_" + slug(Whole(n).String()))}
}

// unitCalled returns the unit of a name.
func unitCalled(text string) foodUnit {
	name := slug(text)
	switch name {
	case "":
		return foodUnits[NutritionUnitUnknown]
	case "ml", "millilitre", "milliliters", "millilitres":
		return foodUnits[NutritionUnitMilliliter]
	case "g", "grams":
		return foodUnits[NutritionUnitGram]
	case "oz":
		return foodUnits[NutritionUnitOunce]
	case "fl_oz":
		return foodUnits[NutritionUnitFluidOunce]
	}
	for i, known := range nutritionUnitsNames {
		if name == slug(known) {
			return foodUnits[i]
		}
	}
	return foodUnit{metric: health.MetricFoodQuantity, part: health.Part(name)}
}

func (d *draft) macros(vs *values, v *NutritionMacros) {
	add := func(n Number, m health.Metric) { d.put(vs, n, m, health.StatValue, "") }
	add(v.AlcoholG, health.MetricNutrientAlcohol)
	add(v.Calories, health.MetricEnergyIntake)
	add(v.CarbohydratesG, health.MetricNutrientCarbohydrates)
	add(v.CholesterolMg, health.MetricNutrientCholesterol)
	add(v.FatG, health.MetricNutrientFat)
	add(v.FiberG, health.MetricNutrientFiber)
	add(v.NetCarbohydratesG, health.MetricNutrientNetCarbohydrates)
	add(v.ProteinG, health.MetricNutrientProtein)
	add(v.SaturatedFatG, health.MetricNutrientSaturatedFat)
	add(v.SodiumMg, health.MetricNutrientSodium)
	add(v.SugarG, health.MetricNutrientSugar)
	add(v.TransFatG, health.MetricNutrientTransFat)
}

// micros follows macros, which have the sodium too. Where theirs is another
// number, that of micros is kept as a part.
func (d *draft) micros(vs *values, v *NutritionMicros) {
	add := func(n Number, m health.Metric) { d.put(vs, n, m, health.StatValue, "") }
	add(v.BiotinMg, health.MetricNutrientBiotin)
	add(v.CaffeineMg, health.MetricNutrientCaffeine)
	add(v.CalciumMg, health.MetricNutrientCalcium)
	if sodium := (health.Value{Metric: health.MetricNutrientSodium}); vs.add(v.SodiumMg, sodium) != "" {
		d.put(vs, v.SodiumMg, sodium.Metric, health.StatValue, "micros")
	}
	add(v.ChlorideMg, health.MetricNutrientChloride)
	add(v.ChromiumMg, health.MetricNutrientChromium)
	add(v.CopperMg, health.MetricNutrientCopper)
	add(v.FolateMg, health.MetricNutrientFolate)
	add(v.FolicAcidMg, health.MetricNutrientFolicAcid)
	add(v.IodineMg, health.MetricNutrientIodine)
	add(v.IronMg, health.MetricNutrientIron)
	add(v.MagnesiumMg, health.MetricNutrientMagnesium)
	add(v.ManganeseMg, health.MetricNutrientManganese)
	add(v.MolybdenumMg, health.MetricNutrientMolybdenum)
	add(v.NiacinMg, health.MetricNutrientNiacin)
	add(v.PantothenicAcidMg, health.MetricNutrientPantothenicAcid)
	add(v.PhosphorusMg, health.MetricNutrientPhosphorus)
	add(v.PotassiumMg, health.MetricNutrientPotassium)
	add(v.RiboflavinMg, health.MetricNutrientRiboflavin)
	add(v.SeleniumMg, health.MetricNutrientSelenium)
	add(v.ThiaminMg, health.MetricNutrientThiamin)
	add(v.VitaminAMg, health.MetricNutrientVitaminA)
	add(v.VitaminB12Mg, health.MetricNutrientVitaminB12)
	add(v.VitaminB6Mg, health.MetricNutrientVitaminB6)
	add(v.VitaminCMg, health.MetricNutrientVitaminC)
	add(v.VitaminDMg, health.MetricNutrientVitaminD)
	add(v.VitaminD2Mg, health.MetricNutrientVitaminD2)
	add(v.VitaminD3Mg, health.MetricNutrientVitaminD3)
	add(v.VitaminEMg, health.MetricNutrientVitaminE)
	add(v.VitaminKMg, health.MetricNutrientVitaminK)
	add(v.ZincMg, health.MetricNutrientZinc)
	add(v.CystineG, health.MetricNutrientCystine)
	add(v.HistidineG, health.MetricNutrientHistidine)
	add(v.IsoleucineG, health.MetricNutrientIsoleucine)
	add(v.LeucineG, health.MetricNutrientLeucine)
	add(v.LysineG, health.MetricNutrientLysine)
	add(v.MethionineG, health.MetricNutrientMethionine)
	add(v.PhenylalanineG, health.MetricNutrientPhenylalanine)
	add(v.ThreonineG, health.MetricNutrientThreonine)
	add(v.TryptophanG, health.MetricNutrientTryptophan)
	add(v.TyrosineG, health.MetricNutrientTyrosine)
	add(v.ValineG, health.MetricNutrientValine)
	add(v.MonounsaturatedFatG, health.MetricNutrientMonounsaturatedFat)
	add(v.PolyunsaturatedFatG, health.MetricNutrientPolyunsaturatedFat)
	add(v.Omega3G, health.MetricNutrientOmega3)
	add(v.Omega6G, health.MetricNutrientOmega6)
	add(v.StarchG, health.MetricNutrientStarch)
}
