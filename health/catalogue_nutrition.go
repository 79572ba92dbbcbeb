package health

// Nutrition: energy, fluids, amounts and nutrients taken in.
const (
	MetricEnergyIntake               Metric = "energy_intake"
	MetricEnergyIntakeFromFat        Metric = "energy_intake_from_fat"
	MetricWaterIntake                Metric = "water_intake"
	MetricFluidIntake                Metric = "fluid_intake"
	MetricFoodMass                   Metric = "food_mass"
	MetricFoodVolume                 Metric = "food_volume"
	MetricFoodQuantity               Metric = "food_quantity"
	MetricNutrientCarbohydrates      Metric = "nutrient_carbohydrates"
	MetricNutrientNetCarbohydrates   Metric = "nutrient_net_carbohydrates"
	MetricNutrientFat                Metric = "nutrient_fat"
	MetricNutrientSaturatedFat       Metric = "nutrient_saturated_fat"
	MetricNutrientUnsaturatedFat     Metric = "nutrient_unsaturated_fat"
	MetricNutrientMonounsaturatedFat Metric = "nutrient_monounsaturated_fat"
	MetricNutrientPolyunsaturatedFat Metric = "nutrient_polyunsaturated_fat"
	MetricNutrientTransFat           Metric = "nutrient_trans_fat"
	MetricNutrientOmega3             Metric = "nutrient_omega3"
	MetricNutrientOmega6             Metric = "nutrient_omega6"
	MetricNutrientProtein            Metric = "nutrient_protein"
	MetricNutrientFiber              Metric = "nutrient_fiber"
	MetricNutrientSugar              Metric = "nutrient_sugar"
	MetricNutrientStarch             Metric = "nutrient_starch"
	MetricNutrientAlcohol            Metric = "nutrient_alcohol"
	MetricNutrientCystine            Metric = "nutrient_cystine"
	MetricNutrientHistidine          Metric = "nutrient_histidine"
	MetricNutrientIsoleucine         Metric = "nutrient_isoleucine"
	MetricNutrientLeucine            Metric = "nutrient_leucine"
	MetricNutrientLysine             Metric = "nutrient_lysine"
	MetricNutrientMethionine         Metric = "nutrient_methionine"
	MetricNutrientPhenylalanine      Metric = "nutrient_phenylalanine"
	MetricNutrientThreonine          Metric = "nutrient_threonine"
	MetricNutrientTryptophan         Metric = "nutrient_tryptophan"
	MetricNutrientTyrosine           Metric = "nutrient_tyrosine"
	MetricNutrientValine             Metric = "nutrient_valine"
	MetricNutrientBiotin             Metric = "nutrient_biotin"
	MetricNutrientCaffeine           Metric = "nutrient_caffeine"
	MetricNutrientCalcium            Metric = "nutrient_calcium"
	MetricNutrientChloride           Metric = "nutrient_chloride"
	MetricNutrientChromium           Metric = "nutrient_chromium"
	MetricNutrientCopper             Metric = "nutrient_copper"
	MetricNutrientFolate             Metric = "nutrient_folate"
	MetricNutrientFolicAcid          Metric = "nutrient_folic_acid"
	MetricNutrientIodine             Metric = "nutrient_iodine"
	MetricNutrientIron               Metric = "nutrient_iron"
	MetricNutrientMagnesium          Metric = "nutrient_magnesium"
	MetricNutrientManganese          Metric = "nutrient_manganese"
	MetricNutrientMolybdenum         Metric = "nutrient_molybdenum"
	MetricNutrientNiacin             Metric = "nutrient_niacin"
	MetricNutrientPantothenicAcid    Metric = "nutrient_pantothenic_acid"
	MetricNutrientPhosphorus         Metric = "nutrient_phosphorus"
	MetricNutrientPotassium          Metric = "nutrient_potassium"
	MetricNutrientRiboflavin         Metric = "nutrient_riboflavin"
	MetricNutrientSelenium           Metric = "nutrient_selenium"
	MetricNutrientSodium             Metric = "nutrient_sodium"
	MetricNutrientThiamin            Metric = "nutrient_thiamin"
	MetricNutrientVitaminA           Metric = "nutrient_vitamin_a"
	MetricNutrientVitaminB6          Metric = "nutrient_vitamin_b6"
	MetricNutrientVitaminB12         Metric = "nutrient_vitamin_b12"
	MetricNutrientVitaminC           Metric = "nutrient_vitamin_c"
	MetricNutrientVitaminD           Metric = "nutrient_vitamin_d"
	MetricNutrientVitaminD2          Metric = "nutrient_vitamin_d2"
	MetricNutrientVitaminD3          Metric = "nutrient_vitamin_d3"
	MetricNutrientVitaminE           Metric = "nutrient_vitamin_e"
	MetricNutrientVitaminK           Metric = "nutrient_vitamin_k"
	MetricNutrientZinc               Metric = "nutrient_zinc"
	MetricNutrientCholesterol        Metric = "nutrient_cholesterol"
)

var nutritionMetrics = [...]Definition{
	{MetricEnergyIntake, "kcal", "9052-2", additive, 0, 50000, "Energy of food and drink; kilojoules are to be divided by 4.184."},
	{MetricEnergyIntakeFromFat, "kcal", "", additive, 0, 50000, "Energy of the fat in food and drink."},
	{MetricWaterIntake, "mL", "", additive, 0, 50000, "Water drunk."},
	{MetricFluidIntake, "mL", "", additive, 0, 50000, "Fluids drunk of any kind."},
	{MetricFoodMass, "g", "", additive, 0, 50000, "Amount of a food by mass; ounces are to be multiplied by 28.349523125."},
	{MetricFoodVolume, "mL", "", additive, 0, 50000, "Amount of a food or drink by volume: US measure for spoons, cups and fluid ounces."},
	{MetricFoodQuantity, "{count}", "", additive, 0, 10000, "Amount of a food in pieces, scoops or servings, as the food_unit text names."},
	{MetricNutrientCarbohydrates, "g", "", additive, 0, 5000, "Carbohydrates eaten, fibre included where the provider does not say."},
	{MetricNutrientNetCarbohydrates, "g", "", additive, 0, 5000, "Carbohydrates without fibre, eaten."},
	{MetricNutrientFat, "g", "", additive, 0, 3000, "Fat eaten."},
	{MetricNutrientSaturatedFat, "g", "", additive, 0, 3000, "Saturated fat eaten."},
	{MetricNutrientUnsaturatedFat, "g", "", additive, 0, 3000, "Unsaturated fat eaten."},
	{MetricNutrientMonounsaturatedFat, "g", "", additive, 0, 3000, "Monounsaturated fat eaten."},
	{MetricNutrientPolyunsaturatedFat, "g", "", additive, 0, 3000, "Polyunsaturated fat eaten."},
	{MetricNutrientTransFat, "g", "", additive, 0, 3000, "Trans fat eaten."},
	{MetricNutrientOmega3, "g", "", additive, 0, 1000, "Omega-3 fatty acids eaten."},
	{MetricNutrientOmega6, "g", "", additive, 0, 1000, "Omega-6 fatty acids eaten."},
	{MetricNutrientProtein, "g", "", additive, 0, 3000, "Protein eaten."},
	{MetricNutrientFiber, "g", "", additive, 0, 1000, "Dietary fibre eaten."},
	{MetricNutrientSugar, "g", "", additive, 0, 5000, "Sugar eaten."},
	{MetricNutrientStarch, "g", "", additive, 0, 5000, "Starch eaten."},
	{MetricNutrientAlcohol, "g", "", additive, 0, 2000, "Pure alcohol drunk."},
	{MetricNutrientCystine, "g", "", additive, 0, 500, "Cystine eaten."},
	{MetricNutrientHistidine, "g", "", additive, 0, 500, "Histidine eaten."},
	{MetricNutrientIsoleucine, "g", "", additive, 0, 500, "Isoleucine eaten."},
	{MetricNutrientLeucine, "g", "", additive, 0, 500, "Leucine eaten."},
	{MetricNutrientLysine, "g", "", additive, 0, 500, "Lysine eaten."},
	{MetricNutrientMethionine, "g", "", additive, 0, 500, "Methionine eaten."},
	{MetricNutrientPhenylalanine, "g", "", additive, 0, 500, "Phenylalanine eaten."},
	{MetricNutrientThreonine, "g", "", additive, 0, 500, "Threonine eaten."},
	{MetricNutrientTryptophan, "g", "", additive, 0, 500, "Tryptophan eaten."},
	{MetricNutrientTyrosine, "g", "", additive, 0, 500, "Tyrosine eaten."},
	{MetricNutrientValine, "g", "", additive, 0, 500, "Valine eaten."},
	{MetricNutrientBiotin, "mg", "", additive, 0, 1000, "Biotin eaten."},
	{MetricNutrientCaffeine, "mg", "", additive, 0, 20000, "Caffeine taken in."},
	{MetricNutrientCalcium, "mg", "", additive, 0, 50000, "Calcium eaten."},
	{MetricNutrientChloride, "mg", "", additive, 0, 100000, "Chloride eaten."},
	{MetricNutrientChromium, "mg", "", additive, 0, 1000, "Chromium eaten."},
	{MetricNutrientCopper, "mg", "", additive, 0, 1000, "Copper eaten."},
	{MetricNutrientFolate, "mg", "", additive, 0, 1000, "Folate eaten, all forms."},
	{MetricNutrientFolicAcid, "mg", "", additive, 0, 1000, "Folic acid eaten, the synthetic form of folate."},
	{MetricNutrientIodine, "mg", "", additive, 0, 1000, "Iodine eaten."},
	{MetricNutrientIron, "mg", "", additive, 0, 10000, "Iron eaten."},
	{MetricNutrientMagnesium, "mg", "", additive, 0, 50000, "Magnesium eaten."},
	{MetricNutrientManganese, "mg", "", additive, 0, 5000, "Manganese eaten."},
	{MetricNutrientMolybdenum, "mg", "", additive, 0, 1000, "Molybdenum eaten."},
	{MetricNutrientNiacin, "mg", "", additive, 0, 20000, "Niacin eaten."},
	{MetricNutrientPantothenicAcid, "mg", "", additive, 0, 20000, "Pantothenic acid eaten."},
	{MetricNutrientPhosphorus, "mg", "", additive, 0, 50000, "Phosphorus eaten."},
	{MetricNutrientPotassium, "mg", "", additive, 0, 100000, "Potassium eaten."},
	{MetricNutrientRiboflavin, "mg", "", additive, 0, 10000, "Riboflavin eaten."},
	{MetricNutrientSelenium, "mg", "", additive, 0, 1000, "Selenium eaten."},
	{MetricNutrientSodium, "mg", "", additive, 0, 200000, "Sodium eaten."},
	{MetricNutrientThiamin, "mg", "", additive, 0, 10000, "Thiamin eaten."},
	{MetricNutrientVitaminA, "mg", "", additive, 0, 1000, "Vitamin A eaten."},
	{MetricNutrientVitaminB6, "mg", "", additive, 0, 10000, "Vitamin B6 eaten."},
	{MetricNutrientVitaminB12, "mg", "", additive, 0, 1000, "Vitamin B12 eaten."},
	{MetricNutrientVitaminC, "mg", "", additive, 0, 100000, "Vitamin C eaten."},
	{MetricNutrientVitaminD, "mg", "", additive, 0, 1000, "Vitamin D eaten."},
	{MetricNutrientVitaminD2, "mg", "", additive, 0, 1000, "Vitamin D2 eaten."},
	{MetricNutrientVitaminD3, "mg", "", additive, 0, 1000, "Vitamin D3 eaten."},
	{MetricNutrientVitaminE, "mg", "", additive, 0, 10000, "Vitamin E eaten."},
	{MetricNutrientVitaminK, "mg", "", additive, 0, 1000, "Vitamin K eaten."},
	{MetricNutrientZinc, "mg", "", additive, 0, 10000, "Zinc eaten."},
	{MetricNutrientCholesterol, "mg", "", additive, 0, 50000, "Cholesterol eaten."},
}
