package terra

import "github.com/vitalmux/vitalmux/health"

// sportOf returns the sport of an activity type; [health.SportOther] if it is
// not known.
func sportOf(t ActivityType) health.Sport {
	if t >= 0 && int(t) < len(activitySports) && activitySports[t] != "" {
		return activitySports[t]
	}
	return health.SportOther
}

// sportCalled returns the sport of the upper-case name that older planned
// workouts have in place of the number.
func sportCalled(text string) health.Sport {
	name := slug(text)
	switch name {
	case "swimming_swimming_pool":
		return health.SportSwimmingPool
	case "walking_treadmill":
		return health.SportWalkingIndoor
	case "waterpolo":
		return health.SportWaterPolo
	}
	for i, known := range activityTypeNames {
		if known != "" && slug(known) == name {
			return sportOf(ActivityType(i))
		}
	}
	return health.SportOther
}

// activitySports are the sports by activity type.
var activitySports = [...]health.Sport{
	ActivityInVehicle:             health.SportInVehicle,
	ActivityBiking:                health.SportCycling,
	ActivityStill:                 health.SportStill,
	ActivityUnknown:               health.SportUnknown,
	ActivityTilting:               health.SportTilting,
	ActivityWalking:               health.SportWalking,
	ActivityRunning:               health.SportRunning,
	ActivityAerobics:              health.SportAerobics,
	ActivityBadminton:             health.SportBadminton,
	ActivityBaseball:              health.SportBaseball,
	ActivityBasketball:            health.SportBasketball,
	ActivityBiathlon:              health.SportBiathlon,
	ActivityHandBiking:            health.SportCyclingHand,
	ActivityMountainBiking:        health.SportCyclingMountain,
	ActivityRoadBiking:            health.SportCyclingRoad,
	ActivitySpinning:              health.SportCyclingSpinning,
	ActivityStationaryBiking:      health.SportCyclingIndoor,
	ActivityUtilityBiking:         health.SportCyclingUtility,
	ActivityBoxing:                health.SportBoxing,
	ActivityCalisthenics:          health.SportCalisthenics,
	ActivityCircuitTraining:       health.SportCircuitTraining,
	ActivityCricket:               health.SportCricket,
	ActivityDancing:               health.SportDancing,
	ActivityElliptical:            health.SportElliptical,
	ActivityFencing:               health.SportFencing,
	ActivityAmericanFootball:      health.SportAmericanFootball,
	ActivityAustralianFootball:    health.SportAustralianFootball,
	ActivityEnglishFootball:       health.SportSoccer,
	ActivityFrisbee:               health.SportFrisbee,
	ActivityGardening:             health.SportGardening,
	ActivityGolf:                  health.SportGolf,
	ActivityGymnastics:            health.SportGymnastics,
	ActivityHandball:              health.SportHandball,
	ActivityHiking:                health.SportHiking,
	ActivityHockey:                health.SportHockey,
	ActivityHorsebackRiding:       health.SportEquestrian,
	ActivityHousework:             health.SportHousework,
	ActivityJumpingRope:           health.SportJumpingRope,
	ActivityKayaking:              health.SportKayaking,
	ActivityKettlebellTraining:    health.SportKettlebell,
	ActivityKickboxing:            health.SportKickboxing,
	ActivityKitesurfing:           health.SportKitesurfing,
	ActivityMartialArts:           health.SportMartialArts,
	ActivityMeditation:            health.SportMeditation,
	ActivityMixedMartialArts:      health.SportMixedMartialArts,
	ActivityP90XExercises:         health.SportP90X,
	ActivityParagliding:           health.SportParagliding,
	ActivityPilates:               health.SportPilates,
	ActivityPolo:                  health.SportPolo,
	ActivityRacquetball:           health.SportRacquetball,
	ActivityRockClimbing:          health.SportClimbingRock,
	ActivityRowing:                health.SportRowing,
	ActivityRowingMachine:         health.SportRowingMachine,
	ActivityRugby:                 health.SportRugby,
	ActivityJogging:               health.SportJogging,
	ActivityRunningOnSand:         health.SportRunningSand,
	ActivityTreadmillRunning:      health.SportRunningTreadmill,
	ActivitySailing:               health.SportSailing,
	ActivityScubaDiving:           health.SportScubaDiving,
	ActivitySkateboarding:         health.SportSkateboarding,
	ActivitySkating:               health.SportSkating,
	ActivityCrossSkating:          health.SportSkatingCross,
	ActivityIndoorRollerblading:   health.SportSkatingInline,
	ActivitySkiing:                health.SportSkiing,
	ActivityBackCountrySkiing:     health.SportSkiingBackcountry,
	ActivityCrossCountrySkiing:    health.SportSkiingCrossCountry,
	ActivityDownhillSkiing:        health.SportSkiingDownhill,
	ActivityKiteSkiing:            health.SportSkiingKite,
	ActivityRollerSkiing:          health.SportSkiingRoller,
	ActivitySledding:              health.SportSledding,
	ActivitySnowboarding:          health.SportSnowboarding,
	ActivitySnowmobile:            health.SportSnowmobiling,
	ActivitySnowshoeing:           health.SportSnowshoeing,
	ActivitySquash:                health.SportSquash,
	ActivityStairClimbing:         health.SportStairClimbing,
	ActivityStairClimbingMachine:  health.SportStairMachine,
	ActivityStandUpPaddleboarding: health.SportStandUpPaddling,
	ActivityStrengthTraining:      health.SportStrengthTraining,
	ActivitySurfing:               health.SportSurfing,
	ActivitySwimming:              health.SportSwimming,
	ActivitySwimmingInPool:        health.SportSwimmingPool,
	ActivityOpenWaterSwimming:     health.SportSwimmingOpenWater,
	ActivityTableTennis:           health.SportTableTennis,
	ActivityTeamSports:            health.SportTeamSport,
	ActivityTennis:                health.SportTennis,
	ActivityTreadmill:             health.SportTreadmill,
	ActivityVolleyball:            health.SportVolleyball,
	ActivityBeachVolleyball:       health.SportVolleyballBeach,
	ActivityIndoorVolleyball:      health.SportVolleyballIndoor,
	ActivityWakeboarding:          health.SportWakeboarding,
	ActivityWalkingForFitness:     health.SportWalking,
	ActivityNordicWalking:         health.SportNordicWalking,
	ActivityTreadmillWalking:      health.SportWalkingIndoor,
	ActivityWaterPolo:             health.SportWaterPolo,
	ActivityWeightlifting:         health.SportWeightlifting,
	ActivityWheelchair:            health.SportWheelchair,
	ActivityWindsurfing:           health.SportWindsurfing,
	ActivityYoga:                  health.SportYoga,
	ActivityZumba:                 health.SportZumba,
	ActivityDiving:                health.SportDiving,
	ActivityErgometer:             health.SportErgometer,
	ActivityIceSkating:            health.SportIceSkating,
	ActivityIndoorSkating:         health.SportSkatingIndoor,
	ActivityCurling:               health.SportCurling,
	ActivityOther:                 health.SportOther,
	ActivityCrossFit:              health.SportCrossfit,
	ActivityHIIT:                  health.SportHIIT,
	ActivityIntervalTraining:      health.SportIntervalTraining,
	ActivityWalkingWithStroller:   health.SportWalkingStroller,
	ActivityElevator:              health.SportElevator,
	ActivityEscalator:             health.SportEscalator,
	ActivityArchery:               health.SportArchery,
	ActivitySoftball:              health.SportSoftball,
	ActivityGuidedBreathing:       health.SportBreathing,
	ActivityCardioTraining:        health.SportCardio,
	ActivityLacrosse:              health.SportLacrosse,
	ActivityStretching:            health.SportStretching,
	ActivityTriathlon:             health.SportTriathlon,
	ActivityInlineSkating:         health.SportSkatingInline,
	ActivitySkyDiving:             health.SportSkydiving,
	ActivityPaddling:              health.SportPaddling,
	ActivityMountaineering:        health.SportMountaineering,
	ActivityFishing:               health.SportFishing,
	ActivityWaterSkiing:           health.SportWaterSkiing,
	ActivityIndoorRunning:         health.SportRunningIndoor,
	ActivityPadelTennis:           health.SportPadel,
	ActivityDriving:               health.SportDriving,
	ActivityOffRoadDriving:        health.SportDrivingOffRoad,
	ActivityMotorbiking:           health.SportMotorcycling,
	ActivityMotorRacing:           health.SportMotorRacing,
	ActivityEnduro:                health.SportEnduro,
	ActivityCanoeing:              health.SportCanoeing,
	ActivityOrienteering:          health.SportOrienteering,
	ActivityHangGliding:           health.SportHangGliding,
	ActivityFlying:                health.SportFlying,
	ActivityHotAirBallooning:      health.SportHotAirBallooning,
	ActivityJetSkiing:             health.SportJetSkiing,
	ActivityPowerBoating:          health.SportPowerBoating,
	ActivityGaelicFootball:        health.SportGaelicFootball,
	ActivityHurling:               health.SportHurling,
	ActivityTrailRunning:          health.SportRunningTrail,
	ActivityGravelCycling:         health.SportCyclingGravel,
	ActivityMultisport:            health.SportMultisport,
	ActivityEBiking:               health.SportEBike,
	ActivityEMountainBiking:       health.SportEMountainBike,
	ActivityPhysicalTherapy:       health.SportPhysicalTherapy,
}
