package health

// Scores, strain and stress on the scale of the provider that computes them.
const (
	MetricSleepScore               Metric = "sleep_score"
	MetricActivityScore            Metric = "activity_score"
	MetricReadinessScore           Metric = "readiness_score"
	MetricRecoveryScore            Metric = "recovery_score"
	MetricRecoveryLevel            Metric = "recovery_level"
	MetricStrain                   Metric = "strain"
	MetricStressLevel              Metric = "stress_level"
	MetricStressDuration           Metric = "stress_duration"
	MetricBodyBattery              Metric = "body_battery"
	MetricTerraSleepScore          Metric = "terra_sleep_score"
	MetricTerraSleepScoreV2        Metric = "terra_sleep_score_v2"
	MetricTerraReadinessScore      Metric = "terra_readiness_score"
	MetricTerraRespiratoryScore    Metric = "terra_respiratory_score"
	MetricTerraRespiratoryScoreV2  Metric = "terra_respiratory_score_v2"
	MetricTerraStressScore         Metric = "terra_stress_score"
	MetricTerraStressScoreV2       Metric = "terra_stress_score_v2"
	MetricTerraImmuneIndex         Metric = "terra_immune_index"
	MetricTerraResilienceScore     Metric = "terra_resilience_score"
	MetricTerraStrainIndex         Metric = "terra_strain_index"
	MetricTerraStrainScore         Metric = "terra_strain_score"
	MetricTerraEfficiencyScore     Metric = "terra_efficiency_score"
	MetricTerraRCRSScore           Metric = "terra_rcrs_score"
	MetricTerraTRIMPScore          Metric = "terra_trimp_score"
	MetricTerraCardiovascularScore Metric = "terra_cardiovascular_score"
)

var scoreMetrics = [...]Definition{
	{MetricSleepScore, "{score}", "", reading, 0, 100, "Provider's score of a night."},
	{MetricActivityScore, "{score}", "", reading, 0, 0, "Provider's score of a day's activity."},
	{MetricReadinessScore, "{score}", "", reading, 0, 100, "Provider's score of how ready the body is for load."},
	{MetricRecoveryScore, "{score}", "", reading, 0, 100, "Provider's score of recovery."},
	{MetricRecoveryLevel, "{level}", "", reading, 0, 0, "Provider's class of recovery as a number."},
	{MetricStrain, "{score}", "", reading, 0, 0, "Provider's score of strain."},
	{MetricStressLevel, "{score}", "", reading, 0, 0, "Provider's score of stress."},
	{MetricStressDuration, "s", "", additive, 0, 2678400, "Time under stress: all of it, or that of the class the part names (rest, low, medium, high, activity)."},
	{MetricBodyBattery, "{score}", "", reading, 0, 100, "Provider's score of energy reserves."},
	{MetricTerraSleepScore, "{score}", "", reading, 0, 0, "Terra's score of a night; the part names a contributor."},
	{MetricTerraSleepScoreV2, "{score}", "", reading, 0, 0, "Terra's score of a night, second model; the part names a contributor."},
	{MetricTerraReadinessScore, "{score}", "", reading, 0, 0, "Terra's score of readiness; the part names a contributor."},
	{MetricTerraRespiratoryScore, "{score}", "", reading, 0, 0, "Terra's score of breathing; the part names a contributor."},
	{MetricTerraRespiratoryScoreV2, "{score}", "", reading, 0, 0, "Terra's score of breathing, second model; the part names a contributor."},
	{MetricTerraStressScore, "{score}", "", reading, 0, 0, "Terra's score of total stress; the part names a contributor."},
	{MetricTerraStressScoreV2, "{score}", "", reading, 0, 0, "Terra's score of total stress, second model; the part names a contributor."},
	{MetricTerraImmuneIndex, "{index}", "", reading, 0, 0, "Terra's index of immune load; the part names a contributor."},
	{MetricTerraResilienceScore, "{score}", "", reading, 0, 0, "Terra's score of resilience; the part names a contributor."},
	{MetricTerraStrainIndex, "{index}", "", reading, 0, 0, "Terra's strain index of a day; the part names a contributor."},
	{MetricTerraStrainScore, "{score}", "", reading, 0, 0, "Terra's strain score of a workout; the part names a contributor."},
	{MetricTerraEfficiencyScore, "{score}", "", reading, 0, 0, "Terra's efficiency score of a workout; the part names a contributor."},
	{MetricTerraRCRSScore, "{score}", "", reading, 0, 0, "Terra's RCRS score of a workout; the part names a contributor."},
	{MetricTerraTRIMPScore, "{score}", "", reading, 0, 0, "Terra's training impulse of a workout; the part names a contributor."},
	{MetricTerraCardiovascularScore, "{score}", "", reading, 0, 0, "Terra's score of the cardiovascular system, of an older model; the part names a contributor."},
}
