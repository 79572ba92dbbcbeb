package health

// Body measurements: size, composition, temperature, skin, nerves and what they are compared with.
const (
	MetricBodyWeight                     Metric = "body_weight"
	MetricBodyHeight                     Metric = "body_height"
	MetricBMI                            Metric = "bmi"
	MetricBodyFatPercentage              Metric = "body_fat_percentage"
	MetricFatMass                        Metric = "fat_mass"
	MetricFatFreeMass                    Metric = "fat_free_mass"
	MetricMuscleMass                     Metric = "muscle_mass"
	MetricBoneMass                       Metric = "bone_mass"
	MetricBodyWaterMass                  Metric = "body_water_mass"
	MetricBodyWaterPercentage            Metric = "body_water_percentage"
	MetricExtracellularWater             Metric = "extracellular_water"
	MetricIntracellularWater             Metric = "intracellular_water"
	MetricVisceralFatIndex               Metric = "visceral_fat_index"
	MetricSkinfoldThickness              Metric = "skinfold_thickness"
	MetricBasalMetabolicRate             Metric = "basal_metabolic_rate"
	MetricRestingMetabolicRate           Metric = "resting_metabolic_rate"
	MetricAge                            Metric = "age"
	MetricFitnessAge                     Metric = "fitness_age"
	MetricMetabolicAge                   Metric = "metabolic_age"
	MetricBiologicalAge                  Metric = "biological_age"
	MetricVascularAge                    Metric = "vascular_age"
	MetricBodyTemperature                Metric = "body_temperature"
	MetricSkinTemperature                Metric = "skin_temperature"
	MetricSkinTemperatureBaseline        Metric = "skin_temperature_baseline"
	MetricSkinTemperatureDeviation       Metric = "skin_temperature_deviation"
	MetricAmbientTemperature             Metric = "ambient_temperature"
	MetricElectrodermalActivity          Metric = "electrodermal_activity"
	MetricElectrochemicalSkinConductance Metric = "electrochemical_skin_conductance"
	MetricNerveHealthScore               Metric = "nerve_health_score"
	MetricBloodGlucose                   Metric = "blood_glucose"
	MetricBloodGlucosePercentile         Metric = "blood_glucose_percentile"
	MetricBloodGlucoseTrend              Metric = "blood_glucose_trend"
	MetricBloodGlucoseLevel              Metric = "blood_glucose_level"
	MetricGlucoseManagementIndicator     Metric = "glucose_management_indicator"
	MetricGlucoseTimeInRange             Metric = "glucose_time_in_range"
	MetricGlucoseReadings                Metric = "glucose_readings"
	MetricKetones                        Metric = "ketones"
	MetricInsulinDose                    Metric = "insulin_dose"
)

var bodyMetrics = [...]Definition{
	{MetricBodyWeight, "kg", "29463-7", reading, 0.2, 700, "Body weight."},
	{MetricBodyHeight, "m", "8302-2", reading, 0.2, 2.8, "Standing height."},
	{MetricBMI, "kg/m2", "39156-5", reading, 5, 200, "Body mass index."},
	{MetricBodyFatPercentage, "%", "41982-0", reading, 1, 90, "Share of fat in the body weight."},
	{MetricFatMass, "kg", "73708-0", reading, 0.01, 500, "Mass of fat, of the whole body or of the part named."},
	{MetricFatFreeMass, "kg", "", reading, 0.01, 300, "Everything that is not fat, also called lean mass, of the whole body or of the part named."},
	{MetricMuscleMass, "kg", "", reading, 0.01, 300, "Mass of muscle, of the whole body or of the part named."},
	{MetricBoneMass, "kg", "", reading, 0.1, 20, "Mass of bone mineral."},
	{MetricBodyWaterMass, "kg", "", reading, 0.5, 300, "Mass of water in the body."},
	{MetricBodyWaterPercentage, "%", "", reading, 10, 90, "Share of water in the body weight."},
	{MetricExtracellularWater, "kg", "", reading, 0.1, 150, "Mass of water outside of the cells."},
	{MetricIntracellularWater, "kg", "", reading, 0.1, 150, "Mass of water inside of the cells."},
	{MetricVisceralFatIndex, "{index}", "", reading, 0, 100, "Fat around the organs on the scale of the device, not an area."},
	{MetricSkinfoldThickness, "mm", "", reading, 0.5, 200, "Thickness of a fold of skin."},
	{MetricBasalMetabolicRate, "kcal/d", "", reading, 200, 10000, "Energy the body needs in a day in complete rest."},
	{MetricRestingMetabolicRate, "kcal/d", "", reading, 200, 10000, "Energy the body needs in a day at rest, measured less strictly than the basal rate."},
	{MetricAge, "a", "", reading, 0, 130, "Age of the person."},
	{MetricFitnessAge, "a", "", reading, 1, 130, "Age at which the person's fitness is typical."},
	{MetricMetabolicAge, "a", "", reading, 1, 130, "Age at which the person's basal metabolic rate is typical."},
	{MetricBiologicalAge, "a", "", reading, 1, 130, "Age of which the person's body is typical, by the provider's model."},
	{MetricVascularAge, "a", "", reading, 1, 130, "Age at which the person's arterial stiffness is typical."},
	{MetricBodyTemperature, "Cel", "8310-5", reading, 25, 45, "Temperature of the body core, measured or estimated."},
	{MetricSkinTemperature, "Cel", "39106-0", reading, 5, 45, "Temperature of the skin."},
	{MetricSkinTemperatureBaseline, "Cel", "", reading, 5, 45, "The person's usual skin temperature at night, over the days the provider looks back."},
	{MetricSkinTemperatureDeviation, "K", "", reading, -15, 15, "Skin temperature minus the person's baseline; one kelvin is one degree Celsius of difference."},
	{MetricAmbientTemperature, "Cel", "", reading, -90, 70, "Temperature of the surroundings."},
	{MetricElectrodermalActivity, "uS", "", reading, 0, 1000, "Electrical conductance of the skin as it varies with sweating."},
	{MetricElectrochemicalSkinConductance, "uS", "", reading, 0, 1000, "Conductance of the skin under a small voltage, a sign of sweat gland function."},
	{MetricNerveHealthScore, "{score}", "", reading, 0, 100, "Score of the small nerves of the feet, of both or of the part named."},
	{MetricBloodGlucose, "mg/dL", "2339-0", reading, 10, 1000, "Glucose in blood or in the fluid between cells; millimoles per litre are to be converted with 18.0156."},
	{MetricBloodGlucosePercentile, "mg/dL", "", reading, 10, 1000, "Glucose at an hour of the day in the percentile that the part names (p5, p25, p50, p75, p95), over the days the provider looks back."},
	{MetricBloodGlucoseTrend, "{trend}", "", reading, -2, 2, "Direction of glucose: -2 falling quickly, -1 falling, 0 flat, 1 rising, 2 rising quickly."},
	{MetricBloodGlucoseLevel, "{level}", "", reading, -1, 1, "Provider's rating of a glucose reading: -1 low, 0 normal, 1 high."},
	{MetricGlucoseManagementIndicator, "%", "", reading, 2, 30, "Estimate of glycated haemoglobin from continuous glucose readings, as the provider states it."},
	{MetricGlucoseTimeInRange, "%", "", reading, 0, 0, "Share of time in the glucose target range, as the provider states it: a provider that does not tell the unit is passed through."},
	{MetricGlucoseReadings, "{count}", "", additive, 0, 100000, "Number of readings of a glucose sensor."},
	{MetricKetones, "mg/dL", "", reading, 0, 500, "Ketone bodies in the specimen the part names: blood, urine or breath."},
	{MetricInsulinDose, "[IU]", "", additive, 0, 1000, "Insulin taken, in insulin units."},
}
