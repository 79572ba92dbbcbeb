package health

// Menstrual cycle, hormones, and observations with a unit of their own.
const (
	MetricMenstrualCycleLength          Metric = "menstrual_cycle_length"
	MetricMenstrualCycleLengthPredicted Metric = "menstrual_cycle_length_predicted"
	MetricMenstrualCycleDay             Metric = "menstrual_cycle_day"
	MetricMenstrualPeriodLength         Metric = "menstrual_period_length"
	MetricMenstrualPhaseLength          Metric = "menstrual_phase_length"
	MetricMenstrualPhaseRemaining       Metric = "menstrual_phase_remaining"
	MetricHormoneLH                     Metric = "hormone_lh"
	MetricHormoneFSH                    Metric = "hormone_fsh"
	MetricHormoneHCG                    Metric = "hormone_hcg"
	MetricHormoneE3G                    Metric = "hormone_e3g"
	MetricHormonePdG                    Metric = "hormone_pdg"
	MetricObservationQuantity           Metric = "observation_quantity"
	MetricDeviceBatteryLevel            Metric = "device_battery_level"
)

var cycleMetrics = [...]Definition{
	{MetricMenstrualCycleLength, "d", "", reading, 1, 400, "Length of the cycle in calendar days."},
	{MetricMenstrualCycleLengthPredicted, "d", "", reading, 1, 400, "Expected length of the cycle in calendar days."},
	{MetricMenstrualCycleDay, "d", "", reading, 0, 400, "Day of the cycle, the first day of the period being 1."},
	{MetricMenstrualPeriodLength, "d", "", reading, 0, 100, "Length of the bleeding in calendar days."},
	{MetricMenstrualPhaseLength, "d", "", reading, 0, 400, "Length of the current phase in calendar days."},
	{MetricMenstrualPhaseRemaining, "d", "", reading, 0, 400, "Calendar days until the next phase."},
	{MetricHormoneLH, "[IU]/L", "", reading, 0, 1000, "Luteinizing hormone; milli units per millilitre are the same number."},
	{MetricHormoneFSH, "[IU]/L", "", reading, 0, 1000, "Follicle stimulating hormone; milli units per millilitre are the same number."},
	{MetricHormoneHCG, "[IU]/L", "", reading, 0, 1000000, "Human chorionic gonadotropin; milli units per millilitre are the same number."},
	{MetricHormoneE3G, "ng/mL", "", reading, 0, 10000, "Estrone-3-glucuronide, an estrogen metabolite in urine."},
	{MetricHormonePdG, "ug/mL", "", reading, 0, 1000, "Pregnanediol glucuronide, a progesterone metabolite in urine."},
	{MetricObservationQuantity, "{observation_unit}", "", reading, 0, 0, "Quantity of a coded observation in the unit its observation_unit text names; the part names the component."},
	{MetricDeviceBatteryLevel, "%", "", reading, 0, 100, "Charge of a device."},
}
