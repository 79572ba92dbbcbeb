package terra

import (
	"strings"

	"github.com/vitalmux/vitalmux/health"
)

// daily maps the summary of a day.
func (d *draft) daily(v *Daily) string {
	meta := &v.Metadata
	if reason := d.ofDay(health.KindDaily, meta.TimestampLocalization, meta.StartTime, meta.EndTime); reason != "" {
		return reason
	}
	d.device(&v.DeviceData)
	if !d.upload(meta.UploadType) {
		d.erase()
		return ""
	}
	d.activeDurations(&v.ActiveDurationsData)
	d.calories(&v.CaloriesData)
	d.dailyEnrichment(&v.DataEnrichment)
	d.value(v.DistanceData.DistanceMeters, health.MetricDistance, health.StatValue, "")
	d.value(v.DistanceData.FloorsClimbed, health.MetricFloorsClimbed, health.StatValue, "")
	d.value(v.DistanceData.Steps, health.MetricSteps, health.StatValue, "")
	d.elevation(&v.DistanceData.Elevation)
	d.swimming(&v.DistanceData.Swimming)
	d.distances(&v.DistanceData.Detailed)
	d.heartRate("heart_rate_data", &v.HeartRateData)
	d.mets(&v.METData)
	d.oxygen(&v.OxygenData)
	d.value(v.Scores.Activity, health.MetricActivityScore, health.StatValue, "")
	d.value(v.Scores.Recovery, health.MetricRecoveryScore, health.StatValue, "")
	d.value(v.Scores.Sleep, health.MetricSleepScore, health.StatValue, "")
	d.value(v.Scores.BiologicalAge, health.MetricBiologicalAge, health.StatValue, "")
	d.strain(&v.StrainData)
	d.stress(&v.StressData)
	d.tags(v.TagData.Tags)
	return ""
}

func (d *draft) dailyEnrichment(v *DailyDataEnrichment) {
	d.sticky(v.TotalStressScore, v.StressContributors, health.MetricTerraStressScore)
	d.sticky(v.RespiratoryScore, v.RespiratoryContributors, health.MetricTerraRespiratoryScore)
	d.sticky(v.ImmuneIndex, v.ImmuneContributors, health.MetricTerraImmuneIndex)
	d.sticky(v.ResilienceScore, v.ResilienceContributors, health.MetricTerraResilienceScore)
	d.sticky(v.StrainIndex, v.StrainContributors, health.MetricTerraStrainIndex)
	d.sticky(v.TotalStressScoreV2, v.TotalStressScoreV2Contributors, health.MetricTerraStressScoreV2)
	d.sticky(v.CardiovascularScore, v.CardiovascularContributors, health.MetricTerraCardiovascularScore)
	d.sticky(v.ReadinessScore, v.ReadinessContributors, health.MetricTerraReadinessScore)
	// A word and no score: Terra says of scores alone that null does not take them back.
	d.text(health.TextStrainTrafficLight, v.StrainTrafficLight)
}

func (d *draft) stress(v *StressData) {
	d.value(v.AvgStressLevel, health.MetricStressLevel, health.StatMean, "")
	d.value(v.MaxStressLevel, health.MetricStressLevel, health.StatMax, "")
	d.value(v.StressDurationSeconds, health.MetricStressDuration, health.StatValue, "")
	d.value(v.RestStressDurationSeconds, health.MetricStressDuration, health.StatValue, health.PartRest)
	d.value(v.LowStressDurationSeconds, health.MetricStressDuration, health.StatValue, health.PartLow)
	d.value(v.MediumStressDurationSeconds, health.MetricStressDuration, health.StatValue, health.PartMedium)
	d.value(v.HighStressDurationSeconds, health.MetricStressDuration, health.StatValue, health.PartHigh)
	d.value(v.ActivityStressDurationSeconds, health.MetricStressDuration, health.StatValue, health.PartActivity)
	d.text(health.TextStressRating, word(stressLevelNames[:], v.StressRating))
	d.series("stress_data.samples", v.Samples.Raw(), []string{"level"}, nil, column{metric: health.MetricStressLevel})
	d.series("stress_data.body_battery_samples", v.BodyBatterySamples.Raw(), []string{"level"}, nil, column{metric: health.MetricBodyBattery})
}

// tags adds what the person noted. A segment has no room for notes: they are in
// one text.
func (d *draft) tags(list []TagEntry) {
	var notes []string
	for i := range list {
		v := &list[i]
		d.segment(health.Segment{Track: health.TrackTag, Label: slug(v.TagName), Code: v.TagName, Start: d.stamped("tag_data.tags.timestamp", v.Timestamp)})
		if v.Notes != "" {
			notes = append(notes, v.TagName+": "+v.Notes)
		}
	}
	d.text(health.TextNotes, strings.Join(notes, "\n"))
}
