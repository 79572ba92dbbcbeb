package terra

// Nutrition holds what was eaten and drunk on one civil day: the first ten
// characters of Metadata.StartTime, which are its key.
type Nutrition struct {
	DrinkSamples []DrinkSample     `json:"drink_samples,omitzero"`
	Meals        []Meal            `json:"meals,omitzero"`
	Metadata     NutritionMetadata `json:"metadata,omitzero"`
	Summary      NutritionSummary  `json:"summary,omitzero"`
}

// NutritionMetadata says which day a Nutrition is about.
type NutritionMetadata struct {
	EndTime               Timestamp              `json:"end_time"`
	StartTime             Timestamp              `json:"start_time"`
	TimestampLocalization *TimestampLocalization `json:"timestamp_localization,omitzero"`
}

// NutritionSummary holds the totals of a day.
type NutritionSummary struct {
	Macros  NutritionMacros `json:"macros,omitzero"`
	Micros  NutritionMicros `json:"micros,omitzero"`
	WaterMl Number          `json:"water_ml,omitzero"`
	DrinkMl Number          `json:"drink_ml,omitzero"`
}

// Meal is one meal or food.
type Meal struct {
	Micros    NutritionMicros   `json:"micros,omitzero"`
	Type      *MealType         `json:"type,omitzero"`
	ID        string            `json:"id"`
	Timestamp Timestamp         `json:"timestamp"` // 00:00:00.00X = time unknown
	Quantity  NutritionQuantity `json:"quantity,omitzero"`
	Name      string            `json:"name"`
	Macros    NutritionMacros   `json:"macros,omitzero"`
}

// NutritionQuantity is how much was eaten.
type NutritionQuantity struct {
	Unit   *NutritionUnits `json:"unit,omitzero"`
	Amount Number          `json:"amount,omitzero"`
}

// NutritionMacros holds energy and macronutrients.
type NutritionMacros struct {
	AlcoholG          Number `json:"alcohol_g,omitzero"`
	Calories          Number `json:"calories,omitzero"` // kcal
	CarbohydratesG    Number `json:"carbohydrates_g,omitzero"`
	CholesterolMg     Number `json:"cholesterol_mg,omitzero"`
	FatG              Number `json:"fat_g,omitzero"`
	FiberG            Number `json:"fiber_g,omitzero"`
	NetCarbohydratesG Number `json:"net_carbohydrates_g,omitzero"`
	ProteinG          Number `json:"protein_g,omitzero"`
	SaturatedFatG     Number `json:"saturated_fat_g,omitzero"`
	SodiumMg          Number `json:"sodium_mg,omitzero"`
	SugarG            Number `json:"sugar_g,omitzero"`
	TransFatG         Number `json:"trans_fat_g,omitzero"`
}

// NutritionMicros holds vitamins, minerals and the like.
type NutritionMicros struct {
	BiotinMg            Number `json:"biotin_mg,omitzero"`
	CaffeineMg          Number `json:"caffeine_mg,omitzero"`
	CalciumMg           Number `json:"calcium_mg,omitzero"`
	SodiumMg            Number `json:"sodium_mg,omitzero"`
	ChlorideMg          Number `json:"chloride_mg,omitzero"`
	ChromiumMg          Number `json:"chromium_mg,omitzero"`
	CopperMg            Number `json:"copper_mg,omitzero"`
	FolateMg            Number `json:"folate_mg,omitzero"`
	FolicAcidMg         Number `json:"folic_acid_mg,omitzero"`
	IodineMg            Number `json:"iodine_mg,omitzero"`
	IronMg              Number `json:"iron_mg,omitzero"`
	MagnesiumMg         Number `json:"magnesium_mg,omitzero"`
	ManganeseMg         Number `json:"manganese_mg,omitzero"`
	MolybdenumMg        Number `json:"molybdenum_mg,omitzero"`
	NiacinMg            Number `json:"niacin_mg,omitzero"`
	PantothenicAcidMg   Number `json:"pantothenic_acid_mg,omitzero"`
	PhosphorusMg        Number `json:"phosphorus_mg,omitzero"`
	PotassiumMg         Number `json:"potassium_mg,omitzero"`
	RiboflavinMg        Number `json:"riboflavin_mg,omitzero"`
	SeleniumMg          Number `json:"selenium_mg,omitzero"`
	ThiaminMg           Number `json:"thiamin_mg,omitzero"`
	VitaminAMg          Number `json:"vitamin_A_mg,omitzero"`
	VitaminB12Mg        Number `json:"vitamin_B12_mg,omitzero"`
	VitaminB6Mg         Number `json:"vitamin_B6_mg,omitzero"`
	VitaminCMg          Number `json:"vitamin_C_mg,omitzero"`
	VitaminDMg          Number `json:"vitamin_D_mg,omitzero"`
	VitaminD2Mg         Number `json:"vitamin_D2_mg,omitzero"`
	VitaminD3Mg         Number `json:"vitamin_D3_mg,omitzero"`
	VitaminEMg          Number `json:"vitamin_E_mg,omitzero"`
	VitaminKMg          Number `json:"vitamin_K_mg,omitzero"`
	ZincMg              Number `json:"zinc_mg,omitzero"`
	CystineG            Number `json:"cystine_g,omitzero"`
	HistidineG          Number `json:"histidine_g,omitzero"`
	IsoleucineG         Number `json:"isoleucine_g,omitzero"`
	LeucineG            Number `json:"leucine_g,omitzero"`
	LysineG             Number `json:"lysine_g,omitzero"`
	MethionineG         Number `json:"methionine_g,omitzero"`
	PhenylalanineG      Number `json:"phenylalanine_g,omitzero"`
	ThreonineG          Number `json:"threonine_g,omitzero"`
	TryptophanG         Number `json:"tryptophan_g,omitzero"`
	TyrosineG           Number `json:"tyrosine_g,omitzero"`
	ValineG             Number `json:"valine_g,omitzero"`
	MonounsaturatedFatG Number `json:"monounsaturated_fat_g,omitzero"`
	PolyunsaturatedFatG Number `json:"polyunsaturated_fat_g,omitzero"`
	Omega3G             Number `json:"omega3_g,omitzero"`
	Omega6G             Number `json:"omega6_g,omitzero"`
	StarchG             Number `json:"starch_g,omitzero"`
}

// DrinkSample is one drink.
type DrinkSample struct {
	Timestamp   Timestamp `json:"timestamp,omitzero"`
	DrinkVolume Number    `json:"drink_volume,omitzero"` // in drink_unit
	DrinkUnit   Code      `json:"drink_unit,omitzero"`
	DrinkName   string    `json:"drink_name,omitzero"`
}

// Unit returns the unit of the volume, which was documented as a text once; false
// if there is none or the text is not known.
func (d DrinkSample) Unit() (NutritionUnits, bool) {
	return enumOf[NutritionUnits](d.DrinkUnit, nutritionUnitsNames[:])
}
