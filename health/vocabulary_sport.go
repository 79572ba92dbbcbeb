package health

// Sport is the normalized name of what a person did in a workout. The
// provider's own code is kept beside it: see [TextSport] and [TextSportCode].
// A code without a sport of its own maps to the nearest wider one, and a code
// that is not known maps to [SportOther].
type Sport string

// The sports.
const (
	// On foot.

	SportWalking            Sport = "walking"
	SportWalkingIndoor      Sport = "walking_indoor" // on a treadmill or a track
	SportPowerWalking       Sport = "power_walking"
	SportNordicWalking      Sport = "nordic_walking"
	SportWalkingStroller    Sport = "walking_stroller" // pushing a stroller
	SportWalkingDog         Sport = "walking_dog"
	SportWalkingLoaded      Sport = "walking_loaded"   // with weights or a child on the body
	SportWalkingAssisted    Sport = "walking_assisted" // with a cane or a walker
	SportRucking            Sport = "rucking"
	SportHiking             Sport = "hiking"
	SportBackpacking        Sport = "backpacking"
	SportMountaineering     Sport = "mountaineering"
	SportOrienteering       Sport = "orienteering"
	SportSnowshoeing        Sport = "snowshoeing"
	SportRunning            Sport = "running"
	SportRunningIndoor      Sport = "running_indoor"
	SportRunningTreadmill   Sport = "running_treadmill"
	SportRunningTrail       Sport = "running_trail"
	SportRunningSand        Sport = "running_sand"
	SportJogging            Sport = "jogging"
	SportTreadmill          Sport = "treadmill" // walking or running is not told
	SportStairClimbing      Sport = "stair_climbing"
	SportTrackAndField      Sport = "track_and_field"
	SportParkour            Sport = "parkour"
	SportWheelchair         Sport = "wheelchair"
	SportWheelchairWalkPace Sport = "wheelchair_walk_pace"
	SportWheelchairRunPace  Sport = "wheelchair_run_pace"

	// On wheels and hooves.

	SportCycling         Sport = "cycling"
	SportCyclingRoad     Sport = "cycling_road"
	SportCyclingMountain Sport = "cycling_mountain"
	SportCyclingGravel   Sport = "cycling_gravel"
	SportCyclingTrack    Sport = "cycling_track"
	SportCyclingIndoor   Sport = "cycling_indoor"
	SportCyclingSpinning Sport = "cycling_spinning" // class on stationary bikes
	SportCyclingUtility  Sport = "cycling_utility"
	SportCyclingHand     Sport = "cycling_hand"
	SportBMX             Sport = "bmx"
	SportEBike           Sport = "e_bike"
	SportEMountainBike   Sport = "e_mountain_bike"
	SportVelomobile      Sport = "velomobile"
	SportUnicycling      Sport = "unicycling"
	SportSkating         Sport = "skating"
	SportSkatingInline   Sport = "skating_inline"
	SportSkatingRoller   Sport = "skating_roller"
	SportSkatingIndoor   Sport = "skating_indoor"
	SportSkatingCross    Sport = "skating_cross"
	SportSkateboarding   Sport = "skateboarding"
	SportScooter         Sport = "scooter"
	SportEScooter        Sport = "e_scooter"
	SportEquestrian      Sport = "equestrian"
	SportPolo            Sport = "polo"
	SportMotorcycling    Sport = "motorcycling"
	SportMotocross       Sport = "motocross"
	SportEnduro          Sport = "enduro"
	SportMotorRacing     Sport = "motor_racing"
	SportDriving         Sport = "driving"
	SportDrivingOffRoad  Sport = "driving_off_road"
	SportInVehicle       Sport = "in_vehicle"

	// In and on water.

	SportSwimming             Sport = "swimming"
	SportSwimmingPool         Sport = "swimming_pool"
	SportSwimmingOpenWater    Sport = "swimming_open_water"
	SportSynchronizedSwimming Sport = "synchronized_swimming"
	SportWaterAerobics        Sport = "water_aerobics"
	SportWaterJogging         Sport = "water_jogging"
	SportWaterPolo            Sport = "water_polo"
	SportWaterVolleyball      Sport = "water_volleyball"
	SportDiving               Sport = "diving"
	SportScubaDiving          Sport = "scuba_diving"
	SportSnorkeling           Sport = "snorkeling"
	SportRowing               Sport = "rowing"
	SportKayaking             Sport = "kayaking"
	SportCanoeing             Sport = "canoeing"
	SportPaddling             Sport = "paddling"
	SportStandUpPaddling      Sport = "stand_up_paddling"
	SportSailing              Sport = "sailing"
	SportSurfing              Sport = "surfing"
	SportBodyboarding         Sport = "bodyboarding"
	SportFoiling              Sport = "foiling"
	SportKitesurfing          Sport = "kitesurfing"
	SportWindsurfing          Sport = "windsurfing"
	SportWakeboarding         Sport = "wakeboarding"
	SportWaterSkiing          Sport = "water_skiing"
	SportJetSkiing            Sport = "jet_skiing"
	SportPowerBoating         Sport = "power_boating"
	SportFishing              Sport = "fishing"
	SportWaterSport           Sport = "water_sport" // which one is not told

	// On snow and ice.

	SportSkiing             Sport = "skiing"
	SportSkiingDownhill     Sport = "skiing_downhill"
	SportSkiingCrossCountry Sport = "skiing_cross_country"
	SportSkiingBackcountry  Sport = "skiing_backcountry"
	SportSkiingRoller       Sport = "skiing_roller"
	SportSkiingKite         Sport = "skiing_kite"
	SportBiathlon           Sport = "biathlon"
	SportSnowboarding       Sport = "snowboarding"
	SportSnowmobiling       Sport = "snowmobiling"
	SportSledding           Sport = "sledding"
	SportIceSkating         Sport = "ice_skating"
	SportSpeedSkating       Sport = "speed_skating"
	SportIceHockey          Sport = "ice_hockey"
	SportCurling            Sport = "curling"
	SportSnowSport          Sport = "snow_sport" // which one is not told

	// In the air.

	SportParagliding      Sport = "paragliding"
	SportHangGliding      Sport = "hang_gliding"
	SportSkydiving        Sport = "skydiving"
	SportFlying           Sport = "flying"
	SportHotAirBallooning Sport = "hot_air_ballooning"

	// With a ball or a racket.

	SportTennis             Sport = "tennis"
	SportTableTennis        Sport = "table_tennis"
	SportPadel              Sport = "padel"
	SportPickleball         Sport = "pickleball"
	SportBadminton          Sport = "badminton"
	SportSquash             Sport = "squash"
	SportRacquetball        Sport = "racquetball"
	SportRacketSport        Sport = "racket_sport" // which one is not told
	SportTeqball            Sport = "teqball"
	SportSoccer             Sport = "soccer"
	SportAmericanFootball   Sport = "american_football"
	SportAustralianFootball Sport = "australian_football"
	SportGaelicFootball     Sport = "gaelic_football"
	SportRugby              Sport = "rugby"
	SportBasketball         Sport = "basketball"
	SportVolleyball         Sport = "volleyball"
	SportVolleyballBeach    Sport = "volleyball_beach"
	SportVolleyballIndoor   Sport = "volleyball_indoor"
	SportHandball           Sport = "handball"
	SportHockey             Sport = "hockey" // field hockey or not told
	SportBaseball           Sport = "baseball"
	SportBaseballTraining   Sport = "baseball_training"
	SportSoftball           Sport = "softball"
	SportCricket            Sport = "cricket"
	SportLacrosse           Sport = "lacrosse"
	SportHurling            Sport = "hurling"
	SportRoundnet           Sport = "roundnet" // also called spikeball
	SportDodgeball          Sport = "dodgeball"
	SportFrisbee            Sport = "frisbee"
	SportUltimateFrisbee    Sport = "ultimate_frisbee"
	SportTeamSport          Sport = "team_sport" // which one is not told
	SportGolf               Sport = "golf"

	// Of aim and skill.

	SportArchery   Sport = "archery"
	SportShooting  Sport = "shooting"
	SportHunting   Sport = "hunting"
	SportPaintball Sport = "paintball"
	SportLaserTag  Sport = "laser_tag"
	SportBowling   Sport = "bowling"
	SportBocce     Sport = "bocce"
	SportPetanque  Sport = "petanque"
	SportCornhole  Sport = "cornhole"
	SportCroquet   Sport = "croquet"
	SportBilliards Sport = "billiards"

	// Of combat.

	SportFencing          Sport = "fencing"
	SportBoxing           Sport = "boxing"
	SportKickboxing       Sport = "kickboxing"
	SportMuayThai         Sport = "muay_thai"
	SportTaekwondo        Sport = "taekwondo"
	SportKarate           Sport = "karate"
	SportJudo             Sport = "judo"
	SportJiuJitsu         Sport = "jiu_jitsu"
	SportSumo             Sport = "sumo"
	SportWrestling        Sport = "wrestling"
	SportMixedMartialArts Sport = "mixed_martial_arts"
	SportMartialArts      Sport = "martial_arts"
	SportTaiChi           Sport = "tai_chi"

	// In the gym.

	SportWorkout            Sport = "workout" // of a kind that is not told
	SportExerciseClass      Sport = "exercise_class"
	SportStrengthTraining   Sport = "strength_training"
	SportStrengthFunctional Sport = "strength_functional"
	SportStrengthSeated     Sport = "strength_seated"
	SportWeightlifting      Sport = "weightlifting"
	SportPowerlifting       Sport = "powerlifting"
	SportKettlebell         Sport = "kettlebell"
	SportResistanceBands    Sport = "resistance_bands"
	SportSuspensionTraining Sport = "suspension_training"
	SportBodyWeightTraining Sport = "body_weight_training"
	SportCalisthenics       Sport = "calisthenics"
	SportCoreTraining       Sport = "core_training"
	SportCircuitTraining    Sport = "circuit_training"
	SportCrossTraining      Sport = "cross_training"
	SportCrossfit           Sport = "crossfit"
	SportHIIT               Sport = "hiit"
	SportIntervalTraining   Sport = "interval_training"
	SportTabata             Sport = "tabata"
	SportBootcamp           Sport = "bootcamp"
	SportP90X               Sport = "p90x"
	SportAerobics           Sport = "aerobics"
	SportCardio             Sport = "cardio"
	SportCardioSeated       Sport = "cardio_seated"
	SportCardioSculpt       Sport = "cardio_sculpt"
	SportStepTraining       Sport = "step_training"
	SportJumpingRope        Sport = "jumping_rope"
	SportTrampoline         Sport = "trampoline"
	SportGymnastics         Sport = "gymnastics"
	SportCheerleading       Sport = "cheerleading"
	SportBarre              Sport = "barre"
	SportElliptical         Sport = "elliptical"
	SportErgometer          Sport = "ergometer"
	SportRowingMachine      Sport = "rowing_machine"
	SportStairMachine       Sport = "stair_machine"
	SportStandingFrame      Sport = "standing_frame"
	SportClimbing           Sport = "climbing"
	SportClimbingRock       Sport = "climbing_rock"
	SportClimbingIndoor     Sport = "climbing_indoor"
	SportFitnessGaming      Sport = "fitness_gaming"
	SportOutdoorWorkout     Sport = "outdoor_workout"

	// Of balance, breath and recovery.

	SportYoga            Sport = "yoga"
	SportPilates         Sport = "pilates"
	SportStretching      Sport = "stretching"
	SportBalance         Sport = "balance"
	SportMeditation      Sport = "meditation"
	SportBreathing       Sport = "breathing"
	SportPhysicalTherapy Sport = "physical_therapy"

	// Dances.

	SportDancing       Sport = "dancing"
	SportBallet        Sport = "ballet"
	SportBallroomDance Sport = "ballroom_dance"
	SportHipHop        Sport = "hip_hop"
	SportBreaking      Sport = "breaking"
	SportJazzDance     Sport = "jazz_dance"
	SportModernDance   Sport = "modern_dance"
	SportTango         Sport = "tango"
	SportFlamenco      Sport = "flamenco"
	SportZumba         Sport = "zumba"

	// Of several parts.

	SportTriathlon  Sport = "triathlon"
	SportPentathlon Sport = "pentathlon"
	SportMultisport Sport = "multisport"

	// At home and at work.

	SportHousework          Sport = "housework"
	SportCleaning           Sport = "cleaning"
	SportCooking            Sport = "cooking"
	SportGardening          Sport = "gardening"
	SportMowing             Sport = "mowing"
	SportShoveling          Sport = "shoveling"
	SportCarpentry          Sport = "carpentry"
	SportPainting           Sport = "painting"
	SportGaming             Sport = "gaming"
	SportMusicalPerformance Sport = "musical_performance"
	SportPublicSpeaking     Sport = "public_speaking"
	SportElevator           Sport = "elevator"
	SportEscalator          Sport = "escalator"

	// Not a sport.

	SportStill      Sport = "still"
	SportTilting    Sport = "tilting"
	SportNoActivity Sport = "no_activity"
	SportUnknown    Sport = "unknown"
	SportOther      Sport = "other" // a sport we have no word for
)

// Sports returns the sports in the order of their constants.
func Sports() []Sport {
	return []Sport{
		SportWalking, SportWalkingIndoor, SportPowerWalking, SportNordicWalking, SportWalkingStroller, SportWalkingDog,
		SportWalkingLoaded, SportWalkingAssisted, SportRucking, SportHiking, SportBackpacking, SportMountaineering,
		SportOrienteering, SportSnowshoeing, SportRunning, SportRunningIndoor, SportRunningTreadmill,
		SportRunningTrail, SportRunningSand, SportJogging, SportTreadmill, SportStairClimbing, SportTrackAndField,
		SportParkour, SportWheelchair, SportWheelchairWalkPace, SportWheelchairRunPace, SportCycling, SportCyclingRoad,
		SportCyclingMountain, SportCyclingGravel, SportCyclingTrack, SportCyclingIndoor, SportCyclingSpinning,
		SportCyclingUtility, SportCyclingHand, SportBMX, SportEBike, SportEMountainBike, SportVelomobile,
		SportUnicycling, SportSkating, SportSkatingInline, SportSkatingRoller, SportSkatingIndoor, SportSkatingCross,
		SportSkateboarding, SportScooter, SportEScooter, SportEquestrian, SportPolo, SportMotorcycling, SportMotocross,
		SportEnduro, SportMotorRacing, SportDriving, SportDrivingOffRoad, SportInVehicle, SportSwimming,
		SportSwimmingPool, SportSwimmingOpenWater, SportSynchronizedSwimming, SportWaterAerobics, SportWaterJogging,
		SportWaterPolo, SportWaterVolleyball, SportDiving, SportScubaDiving, SportSnorkeling, SportRowing,
		SportKayaking, SportCanoeing, SportPaddling, SportStandUpPaddling, SportSailing, SportSurfing,
		SportBodyboarding, SportFoiling, SportKitesurfing, SportWindsurfing, SportWakeboarding, SportWaterSkiing,
		SportJetSkiing, SportPowerBoating, SportFishing, SportWaterSport, SportSkiing, SportSkiingDownhill,
		SportSkiingCrossCountry, SportSkiingBackcountry, SportSkiingRoller, SportSkiingKite, SportBiathlon,
		SportSnowboarding, SportSnowmobiling, SportSledding, SportIceSkating, SportSpeedSkating, SportIceHockey,
		SportCurling, SportSnowSport, SportParagliding, SportHangGliding, SportSkydiving, SportFlying,
		SportHotAirBallooning, SportTennis, SportTableTennis, SportPadel, SportPickleball, SportBadminton, SportSquash,
		SportRacquetball, SportRacketSport, SportTeqball, SportSoccer, SportAmericanFootball, SportAustralianFootball,
		SportGaelicFootball, SportRugby, SportBasketball, SportVolleyball, SportVolleyballBeach, SportVolleyballIndoor,
		SportHandball, SportHockey, SportBaseball, SportBaseballTraining, SportSoftball, SportCricket, SportLacrosse,
		SportHurling, SportRoundnet, SportDodgeball, SportFrisbee, SportUltimateFrisbee, SportTeamSport, SportGolf,
		SportArchery, SportShooting, SportHunting, SportPaintball, SportLaserTag, SportBowling, SportBocce,
		SportPetanque, SportCornhole, SportCroquet, SportBilliards, SportFencing, SportBoxing, SportKickboxing,
		SportMuayThai, SportTaekwondo, SportKarate, SportJudo, SportJiuJitsu, SportSumo, SportWrestling,
		SportMixedMartialArts, SportMartialArts, SportTaiChi, SportWorkout, SportExerciseClass, SportStrengthTraining,
		SportStrengthFunctional, SportStrengthSeated, SportWeightlifting, SportPowerlifting, SportKettlebell,
		SportResistanceBands, SportSuspensionTraining, SportBodyWeightTraining, SportCalisthenics, SportCoreTraining,
		SportCircuitTraining, SportCrossTraining, SportCrossfit, SportHIIT, SportIntervalTraining, SportTabata,
		SportBootcamp, SportP90X, SportAerobics, SportCardio, SportCardioSeated, SportCardioSculpt, SportStepTraining,
		SportJumpingRope, SportTrampoline, SportGymnastics, SportCheerleading, SportBarre, SportElliptical,
		SportErgometer, SportRowingMachine, SportStairMachine, SportStandingFrame, SportClimbing, SportClimbingRock,
		SportClimbingIndoor, SportFitnessGaming, SportOutdoorWorkout, SportYoga, SportPilates, SportStretching,
		SportBalance, SportMeditation, SportBreathing, SportPhysicalTherapy, SportDancing, SportBallet,
		SportBallroomDance, SportHipHop, SportBreaking, SportJazzDance, SportModernDance, SportTango, SportFlamenco,
		SportZumba, SportTriathlon, SportPentathlon, SportMultisport, SportHousework, SportCleaning, SportCooking,
		SportGardening, SportMowing, SportShoveling, SportCarpentry, SportPainting, SportGaming,
		SportMusicalPerformance, SportPublicSpeaking, SportElevator, SportEscalator, SportStill, SportTilting,
		SportNoActivity, SportUnknown, SportOther,
	}
}
