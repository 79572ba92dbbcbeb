package health

// The parts of the body.
const (
	PartLeftArm    Part = "left_arm"
	PartRightArm   Part = "right_arm"
	PartLeftLeg    Part = "left_leg"
	PartRightLeg   Part = "right_leg"
	PartTorso      Part = "torso"
	PartLeftHand   Part = "left_hand"
	PartRightHand  Part = "right_hand"
	PartLeftWrist  Part = "left_wrist"
	PartRightWrist Part = "right_wrist"
	PartLeftFoot   Part = "left_foot"
	PartRightFoot  Part = "right_foot"
	PartLeftSide   Part = "left_side"
	PartRightSide  Part = "right_side"
	PartWholeBody  Part = "whole_body" // said to be the whole by a provider that sends parts as well
)

// Places of the body that only stethoscopes, thermometers and multi-sensor
// devices tell.
const (
	PartBetweenLegs          Part = "between_legs"
	PartBetweenArms          Part = "between_arms"
	PartWide                 Part = "wide"
	PartHoldLeft             Part = "hold_left"
	PartHoldRight            Part = "hold_right"
	PartAortic               Part = "aortic"
	PartPulmonic             Part = "pulmonic"
	PartTricuspid            Part = "tricuspid"
	PartMitral               Part = "mitral"
	PartApex                 Part = "apex"
	PartLungFrontUpperRight  Part = "lung_front_upper_right"
	PartLungFrontUpperLeft   Part = "lung_front_upper_left"
	PartLungFrontBottomRight Part = "lung_front_bottom_right"
	PartLungFrontBottomLeft  Part = "lung_front_bottom_left"
	PartLungBackUpperLeft    Part = "lung_back_upper_left"
	PartLungBackUpperRight   Part = "lung_back_upper_right"
	PartLungBackBottomLeft   Part = "lung_back_bottom_left"
	PartLungBackBottomRight  Part = "lung_back_bottom_right"
)

// Heart rate zones from the lowest to the highest. Providers draw the bounds
// differently; [MetricHeartRateZoneBound] tells them where they are told. A
// provider of four zones (such as light, moderate, vigorous, peak, or out of
// range, fat burn, cardio, peak) uses zone_0 to zone_3.
const (
	PartZone0     Part = "zone_0"
	PartZone1     Part = "zone_1"
	PartZone2     Part = "zone_2"
	PartZone3     Part = "zone_3"
	PartZone4     Part = "zone_4"
	PartZone5     Part = "zone_5"
	PartZoneOther Part = "zone_other"
)

// Intensities of activity and sleep stages as parts of a metric.
const (
	PartSedentary  Part = "sedentary"
	PartLight      Part = "light"
	PartModerate   Part = "moderate"
	PartVigorous   Part = "vigorous"
	PartDeep       Part = "deep"
	PartREM        Part = "rem"
	PartNonREM     Part = "non_rem"
	PartAwake      Part = "awake"
	PartAsleep     Part = "asleep"
	PartRestless   Part = "restless"
	PartShort      Part = "short" // short interruptions
	PartLong       Part = "long"  // long interruptions
	PartRest       Part = "rest"
	PartLow        Part = "low"
	PartMedium     Part = "medium"
	PartHigh       Part = "high"
	PartActivity   Part = "activity"
	PartWellness   Part = "wellness" // a second reading meant for wellness, not for medicine
	PartWalking    Part = "walking"
	PartRunning    Part = "running"
	PartCenter     Part = "center"       // the middle of a track
	PartTracker    Part = "tracker"      // what the device alone counted
	PartLogged     Part = "logged"       // what recorded workouts account for
	PartManual     Part = "manual"       // what the person typed in beside a measured value
	PartDetected   Part = "detected"     // what the device found without being told
	PartDetailed   Part = "detailed"     // a second, denser run of the same readings
	PartBeatToBeat Part = "beat_to_beat" // computed from single intervals between beats
	PartBlood      Part = "blood"        // specimen
	PartUrine      Part = "urine"        // specimen
	PartBreath     Part = "breath"       // specimen
	PartP5         Part = "p5"           // 5th percentile
	PartP25        Part = "p25"          // 25th percentile
	PartP50        Part = "p50"          // 50th percentile
	PartP75        Part = "p75"          // 75th percentile
	PartP95        Part = "p95"          // 95th percentile
	PartTargetLow  Part = "target_low"   // lower end of a planned range, with StatGoal
	PartTargetHigh Part = "target_high"  // upper end of a planned range, with StatGoal
	PartUntilBelow Part = "until_below"  // a planned step ends when the metric falls below, with StatGoal
	PartUntilAbove Part = "until_above"  // a planned step ends when the metric rises above, with StatGoal
	PartUntil      Part = "until"        // a planned step ends when the metric reaches it, with StatGoal
)

// Parts returns the parts in the order of their constants. A metric may be
// split by other words too, such as the contributors of a score.
func Parts() []Part {
	return []Part{
		PartLeftArm, PartRightArm, PartLeftLeg, PartRightLeg, PartTorso, PartLeftHand, PartRightHand, PartLeftWrist,
		PartRightWrist, PartLeftFoot, PartRightFoot, PartLeftSide, PartRightSide, PartWholeBody,
		PartBetweenLegs, PartBetweenArms, PartWide, PartHoldLeft, PartHoldRight, PartAortic, PartPulmonic,
		PartTricuspid, PartMitral, PartApex, PartLungFrontUpperRight, PartLungFrontUpperLeft, PartLungFrontBottomRight,
		PartLungFrontBottomLeft, PartLungBackUpperLeft, PartLungBackUpperRight, PartLungBackBottomLeft, PartLungBackBottomRight,
		PartZone0, PartZone1, PartZone2, PartZone3, PartZone4, PartZone5, PartZoneOther,
		PartSedentary, PartLight, PartModerate, PartVigorous, PartDeep, PartREM, PartNonREM, PartAwake, PartAsleep,
		PartRestless, PartShort, PartLong, PartRest, PartLow, PartMedium, PartHigh, PartActivity, PartWellness,
		PartWalking, PartRunning, PartCenter, PartTracker, PartLogged, PartManual, PartDetected, PartDetailed, PartBeatToBeat, PartBlood, PartUrine,
		PartBreath, PartP5, PartP25, PartP50, PartP75, PartP95, PartTargetLow, PartTargetHigh, PartUntilBelow,
		PartUntilAbove, PartUntil,
	}
}

// HeartRateZone returns the part of the n-th heart rate zone, counted from 0;
// [PartZoneOther] for a zone above the fifth or below 0.
func HeartRateZone(n int) Part {
	switch n {
	case 0:
		return PartZone0
	case 1:
		return PartZone1
	case 2:
		return PartZone2
	case 3:
		return PartZone3
	case 4:
		return PartZone4
	case 5:
		return PartZone5
	default:
		return PartZoneOther
	}
}
