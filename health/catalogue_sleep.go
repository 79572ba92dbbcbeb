package health

// Sleep: durations, counts and indices of one night, nap or day.
const (
	MetricSleepDuration             Metric = "sleep_duration"
	MetricSleepLight                Metric = "sleep_light"
	MetricSleepDeep                 Metric = "sleep_deep"
	MetricSleepREM                  Metric = "sleep_rem"
	MetricSleepAsleep               Metric = "sleep_asleep"
	MetricSleepRestless             Metric = "sleep_restless"
	MetricSleepAwake                Metric = "sleep_awake"
	MetricSleepAwakeAfterOnset      Metric = "sleep_awake_after_onset"
	MetricSleepUnmeasurable         Metric = "sleep_unmeasurable"
	MetricSleepInBed                Metric = "sleep_in_bed"
	MetricSleepPeriod               Metric = "sleep_period"
	MetricSleepLatency              Metric = "sleep_latency"
	MetricSleepWakeupLatency        Metric = "sleep_wakeup_latency"
	MetricSleepInterruptionDuration Metric = "sleep_interruption_duration"
	MetricSleepEfficiency           Metric = "sleep_efficiency"
	MetricSleepAwakenings           Metric = "sleep_awakenings"
	MetricSleepOutOfBedCount        Metric = "sleep_out_of_bed_count"
	MetricSleepStageEpisodes        Metric = "sleep_stage_episodes"
	MetricSleepStageMean30d         Metric = "sleep_stage_mean_30d"
	MetricSleepMovementScore        Metric = "sleep_movement_score"
	MetricSleepMovementDuration     Metric = "sleep_movement_duration"
	MetricWithingsIndex             Metric = "withings_index"
)

var sleepMetrics = [...]Definition{
	{MetricSleepDuration, "s", "93832-4", additive, 0, 172800, "Time asleep, all stages together, without time awake."},
	{MetricSleepLight, "s", "93830-8", additive, 0, 172800, "Time in light sleep."},
	{MetricSleepDeep, "s", "93831-6", additive, 0, 172800, "Time in deep sleep."},
	{MetricSleepREM, "s", "93829-0", additive, 0, 172800, "Time in REM sleep."},
	{MetricSleepAsleep, "s", "", additive, 0, 172800, "Time asleep without a known stage."},
	{MetricSleepRestless, "s", "", additive, 0, 172800, "Time of restless sleep."},
	{MetricSleepAwake, "s", "", additive, 0, 172800, "Time awake within the sleep session."},
	{MetricSleepAwakeAfterOnset, "s", "", additive, 0, 172800, "Time awake between first falling asleep and the last awakening."},
	{MetricSleepUnmeasurable, "s", "", additive, 0, 172800, "Time of the session for which no stage could be told."},
	{MetricSleepInBed, "s", "", additive, 0, 172800, "Time in bed."},
	{MetricSleepPeriod, "s", "", additive, 0, 172800, "Time from first falling asleep to the last awakening, as far as it is staged."},
	{MetricSleepLatency, "s", "", reading, 0, 86400, "Time from going to bed to falling asleep."},
	{MetricSleepWakeupLatency, "s", "", reading, 0, 86400, "Time in bed after the last awakening."},
	{MetricSleepInterruptionDuration, "s", "", additive, 0, 172800, "Time of interruptions, short or long as the part names."},
	{MetricSleepEfficiency, "%", "", reading, 0, 100, "Share of the time in bed that was slept, by the provider's method; a ratio is to be multiplied by 100."},
	{MetricSleepAwakenings, "{count}", "", additive, 0, 1000, "Number of awakenings."},
	{MetricSleepOutOfBedCount, "{count}", "", additive, 0, 1000, "How often the person left the bed."},
	{MetricSleepStageEpisodes, "{count}", "", additive, 0, 1000, "Number of episodes of the stage the part names."},
	{MetricSleepStageMean30d, "s", "", reading, 0, 172800, "Mean time per night in the stage the part names over the last 30 days."},
	{MetricSleepMovementScore, "{score}", "", reading, 0, 255, "Intensity of movement in bed on the provider's scale."},
	{MetricSleepMovementDuration, "s", "", additive, 0, 172800, "Time with movement in bed."},
	{MetricWithingsIndex, "{index}", "", reading, 0, 0, "Index of breathing events during sleep as Withings computes it."},
}
