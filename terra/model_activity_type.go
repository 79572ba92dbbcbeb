package terra

// ActivityType is a kind of sport or other activity.
type ActivityType int

// The values of [ActivityType].
const (
	ActivityInVehicle             ActivityType = 0
	ActivityBiking                ActivityType = 1
	ActivityStill                 ActivityType = 3
	ActivityUnknown               ActivityType = 4
	ActivityTilting               ActivityType = 5
	ActivityWalking               ActivityType = 7
	ActivityRunning               ActivityType = 8
	ActivityAerobics              ActivityType = 9
	ActivityBadminton             ActivityType = 10
	ActivityBaseball              ActivityType = 11
	ActivityBasketball            ActivityType = 12
	ActivityBiathlon              ActivityType = 13
	ActivityHandBiking            ActivityType = 14
	ActivityMountainBiking        ActivityType = 15
	ActivityRoadBiking            ActivityType = 16
	ActivitySpinning              ActivityType = 17
	ActivityStationaryBiking      ActivityType = 18
	ActivityUtilityBiking         ActivityType = 19
	ActivityBoxing                ActivityType = 20
	ActivityCalisthenics          ActivityType = 21
	ActivityCircuitTraining       ActivityType = 22
	ActivityCricket               ActivityType = 23
	ActivityDancing               ActivityType = 24
	ActivityElliptical            ActivityType = 25
	ActivityFencing               ActivityType = 26
	ActivityAmericanFootball      ActivityType = 27
	ActivityAustralianFootball    ActivityType = 28
	ActivityEnglishFootball       ActivityType = 29
	ActivityFrisbee               ActivityType = 30
	ActivityGardening             ActivityType = 31
	ActivityGolf                  ActivityType = 32
	ActivityGymnastics            ActivityType = 33
	ActivityHandball              ActivityType = 34
	ActivityHiking                ActivityType = 35
	ActivityHockey                ActivityType = 36
	ActivityHorsebackRiding       ActivityType = 37
	ActivityHousework             ActivityType = 38
	ActivityJumpingRope           ActivityType = 39
	ActivityKayaking              ActivityType = 40
	ActivityKettlebellTraining    ActivityType = 41
	ActivityKickboxing            ActivityType = 42
	ActivityKitesurfing           ActivityType = 43
	ActivityMartialArts           ActivityType = 44
	ActivityMeditation            ActivityType = 45
	ActivityMixedMartialArts      ActivityType = 46
	ActivityP90XExercises         ActivityType = 47
	ActivityParagliding           ActivityType = 48
	ActivityPilates               ActivityType = 49
	ActivityPolo                  ActivityType = 50
	ActivityRacquetball           ActivityType = 51
	ActivityRockClimbing          ActivityType = 52
	ActivityRowing                ActivityType = 53
	ActivityRowingMachine         ActivityType = 54
	ActivityRugby                 ActivityType = 55
	ActivityJogging               ActivityType = 56
	ActivityRunningOnSand         ActivityType = 57
	ActivityTreadmillRunning      ActivityType = 58
	ActivitySailing               ActivityType = 59
	ActivityScubaDiving           ActivityType = 60
	ActivitySkateboarding         ActivityType = 61
	ActivitySkating               ActivityType = 62
	ActivityCrossSkating          ActivityType = 63
	ActivityIndoorRollerblading   ActivityType = 64
	ActivitySkiing                ActivityType = 65
	ActivityBackCountrySkiing     ActivityType = 66
	ActivityCrossCountrySkiing    ActivityType = 67
	ActivityDownhillSkiing        ActivityType = 68
	ActivityKiteSkiing            ActivityType = 69
	ActivityRollerSkiing          ActivityType = 70
	ActivitySledding              ActivityType = 71
	ActivitySnowboarding          ActivityType = 73
	ActivitySnowmobile            ActivityType = 74
	ActivitySnowshoeing           ActivityType = 75
	ActivitySquash                ActivityType = 76
	ActivityStairClimbing         ActivityType = 77
	ActivityStairClimbingMachine  ActivityType = 78
	ActivityStandUpPaddleboarding ActivityType = 79
	ActivityStrengthTraining      ActivityType = 80
	ActivitySurfing               ActivityType = 81
	ActivitySwimming              ActivityType = 82
	ActivitySwimmingInPool        ActivityType = 83
	ActivityOpenWaterSwimming     ActivityType = 84
	ActivityTableTennis           ActivityType = 85
	ActivityTeamSports            ActivityType = 86
	ActivityTennis                ActivityType = 87
	ActivityTreadmill             ActivityType = 88
	ActivityVolleyball            ActivityType = 89
	ActivityBeachVolleyball       ActivityType = 90
	ActivityIndoorVolleyball      ActivityType = 91
	ActivityWakeboarding          ActivityType = 92
	ActivityWalkingForFitness     ActivityType = 93
	ActivityNordicWalking         ActivityType = 94
	ActivityTreadmillWalking      ActivityType = 95
	ActivityWaterPolo             ActivityType = 96
	ActivityWeightlifting         ActivityType = 97
	ActivityWheelchair            ActivityType = 98
	ActivityWindsurfing           ActivityType = 99
	ActivityYoga                  ActivityType = 100
	ActivityZumba                 ActivityType = 101
	ActivityDiving                ActivityType = 102
	ActivityErgometer             ActivityType = 103
	ActivityIceSkating            ActivityType = 104
	ActivityIndoorSkating         ActivityType = 105
	ActivityCurling               ActivityType = 106
	ActivityOther                 ActivityType = 108
	ActivityCrossFit              ActivityType = 113
	ActivityHIIT                  ActivityType = 114
	ActivityIntervalTraining      ActivityType = 115
	ActivityWalkingWithStroller   ActivityType = 116
	ActivityElevator              ActivityType = 117
	ActivityEscalator             ActivityType = 118
	ActivityArchery               ActivityType = 119
	ActivitySoftball              ActivityType = 120
	ActivityGuidedBreathing       ActivityType = 122
	ActivityCardioTraining        ActivityType = 123
	ActivityLacrosse              ActivityType = 124
	ActivityStretching            ActivityType = 125
	ActivityTriathlon             ActivityType = 126
	ActivityInlineSkating         ActivityType = 127
	ActivitySkyDiving             ActivityType = 128
	ActivityPaddling              ActivityType = 129
	ActivityMountaineering        ActivityType = 130
	ActivityFishing               ActivityType = 131
	ActivityWaterSkiing           ActivityType = 132
	ActivityIndoorRunning         ActivityType = 133
	ActivityPadelTennis           ActivityType = 134
	ActivityDriving               ActivityType = 135
	ActivityOffRoadDriving        ActivityType = 136
	ActivityMotorbiking           ActivityType = 137
	ActivityMotorRacing           ActivityType = 138
	ActivityEnduro                ActivityType = 139
	ActivityCanoeing              ActivityType = 140
	ActivityOrienteering          ActivityType = 141
	ActivityHangGliding           ActivityType = 142
	ActivityFlying                ActivityType = 143
	ActivityHotAirBallooning      ActivityType = 144
	ActivityJetSkiing             ActivityType = 145
	ActivityPowerBoating          ActivityType = 146
	ActivityGaelicFootball        ActivityType = 147
	ActivityHurling               ActivityType = 148
	ActivityTrailRunning          ActivityType = 149
	ActivityGravelCycling         ActivityType = 150
	ActivityMultisport            ActivityType = 151
	ActivityEBiking               ActivityType = 152
	ActivityEMountainBiking       ActivityType = 153
	ActivityPhysicalTherapy       ActivityType = 154
)

var activityTypeNames = [...]string{
	ActivityInVehicle:             "In Vehicle",
	ActivityBiking:                "Biking",
	ActivityStill:                 "Still",
	ActivityUnknown:               "Unknown",
	ActivityTilting:               "Tilting",
	ActivityWalking:               "Walking",
	ActivityRunning:               "Running",
	ActivityAerobics:              "Aerobics",
	ActivityBadminton:             "Badminton",
	ActivityBaseball:              "Baseball",
	ActivityBasketball:            "Basketball",
	ActivityBiathlon:              "Biathlon",
	ActivityHandBiking:            "Hand Biking",
	ActivityMountainBiking:        "Mountain Biking",
	ActivityRoadBiking:            "Road Biking",
	ActivitySpinning:              "Spinning",
	ActivityStationaryBiking:      "Stationary Biking",
	ActivityUtilityBiking:         "Utility Biking",
	ActivityBoxing:                "Boxing",
	ActivityCalisthenics:          "Calisthenics",
	ActivityCircuitTraining:       "Circuit Training",
	ActivityCricket:               "Cricket",
	ActivityDancing:               "Dancing",
	ActivityElliptical:            "Elliptical",
	ActivityFencing:               "Fencing",
	ActivityAmericanFootball:      "American Football",
	ActivityAustralianFootball:    "Australian Football",
	ActivityEnglishFootball:       "English Football",
	ActivityFrisbee:               "Frisbee",
	ActivityGardening:             "Gardening",
	ActivityGolf:                  "Golf",
	ActivityGymnastics:            "Gymnastics",
	ActivityHandball:              "Handball",
	ActivityHiking:                "Hiking",
	ActivityHockey:                "Hockey",
	ActivityHorsebackRiding:       "Horseback Riding",
	ActivityHousework:             "Housework",
	ActivityJumpingRope:           "Jumping Rope",
	ActivityKayaking:              "Kayaking",
	ActivityKettlebellTraining:    "Kettlebell Training",
	ActivityKickboxing:            "Kickboxing",
	ActivityKitesurfing:           "Kitesurfing",
	ActivityMartialArts:           "Martial Arts",
	ActivityMeditation:            "Meditation",
	ActivityMixedMartialArts:      "Mixed Martial Arts",
	ActivityP90XExercises:         "P90X Exercises",
	ActivityParagliding:           "Paragliding",
	ActivityPilates:               "Pilates",
	ActivityPolo:                  "Polo",
	ActivityRacquetball:           "Racquetball",
	ActivityRockClimbing:          "Rock Climbing",
	ActivityRowing:                "Rowing",
	ActivityRowingMachine:         "Rowing Machine",
	ActivityRugby:                 "Rugby",
	ActivityJogging:               "Jogging",
	ActivityRunningOnSand:         "Running on Sand",
	ActivityTreadmillRunning:      "Treadmill Running",
	ActivitySailing:               "Sailing",
	ActivityScubaDiving:           "Scuba Diving",
	ActivitySkateboarding:         "Skateboarding",
	ActivitySkating:               "Skating",
	ActivityCrossSkating:          "Cross Skating",
	ActivityIndoorRollerblading:   "Indoor Rollerblading",
	ActivitySkiing:                "Skiing",
	ActivityBackCountrySkiing:     "Back Country Skiing",
	ActivityCrossCountrySkiing:    "Cross Country Skiing",
	ActivityDownhillSkiing:        "Downhill Skiing",
	ActivityKiteSkiing:            "Kite Skiing",
	ActivityRollerSkiing:          "Roller Skiing",
	ActivitySledding:              "Sledding",
	ActivitySnowboarding:          "Snowboarding",
	ActivitySnowmobile:            "Snowmobile",
	ActivitySnowshoeing:           "Snowshoeing",
	ActivitySquash:                "Squash",
	ActivityStairClimbing:         "Stair Climbing",
	ActivityStairClimbingMachine:  "Stair Climbing Machine",
	ActivityStandUpPaddleboarding: "Stand Up Paddleboarding",
	ActivityStrengthTraining:      "Strength Training",
	ActivitySurfing:               "Surfing",
	ActivitySwimming:              "Swimming",
	ActivitySwimmingInPool:        "Swimming in Pool",
	ActivityOpenWaterSwimming:     "Open Water Swimming",
	ActivityTableTennis:           "Table Tennis",
	ActivityTeamSports:            "Team Sports",
	ActivityTennis:                "Tennis",
	ActivityTreadmill:             "Treadmill",
	ActivityVolleyball:            "Volleyball",
	ActivityBeachVolleyball:       "Beach Volleyball",
	ActivityIndoorVolleyball:      "Indoor Volleyball",
	ActivityWakeboarding:          "Wakeboarding",
	ActivityWalkingForFitness:     "Walking for Fitness",
	ActivityNordicWalking:         "Nordic Walking",
	ActivityTreadmillWalking:      "Treadmill Walking",
	ActivityWaterPolo:             "Water Polo",
	ActivityWeightlifting:         "Weightlifting",
	ActivityWheelchair:            "Wheelchair",
	ActivityWindsurfing:           "Windsurfing",
	ActivityYoga:                  "Yoga",
	ActivityZumba:                 "Zumba",
	ActivityDiving:                "Diving",
	ActivityErgometer:             "Ergometer",
	ActivityIceSkating:            "Ice Skating",
	ActivityIndoorSkating:         "Indoor Skating",
	ActivityCurling:               "Curling",
	ActivityOther:                 "Other",
	ActivityCrossFit:              "CrossFit",
	ActivityHIIT:                  "HIIT",
	ActivityIntervalTraining:      "Interval Training",
	ActivityWalkingWithStroller:   "Walking with Stroller",
	ActivityElevator:              "Elevator",
	ActivityEscalator:             "Escalator",
	ActivityArchery:               "Archery",
	ActivitySoftball:              "Softball",
	ActivityGuidedBreathing:       "Guided Breathing",
	ActivityCardioTraining:        "Cardio Training",
	ActivityLacrosse:              "Lacrosse",
	ActivityStretching:            "Stretching",
	ActivityTriathlon:             "Triathlon",
	ActivityInlineSkating:         "Inline Skating",
	ActivitySkyDiving:             "Sky Diving",
	ActivityPaddling:              "Paddling",
	ActivityMountaineering:        "Mountaineering",
	ActivityFishing:               "Fishing",
	ActivityWaterSkiing:           "Water Skiing",
	ActivityIndoorRunning:         "Indoor Running",
	ActivityPadelTennis:           "Padel Tennis",
	ActivityDriving:               "Driving",
	ActivityOffRoadDriving:        "Off-Road Driving",
	ActivityMotorbiking:           "Motorbiking",
	ActivityMotorRacing:           "Motor Racing",
	ActivityEnduro:                "Enduro",
	ActivityCanoeing:              "Canoeing",
	ActivityOrienteering:          "Orienteering",
	ActivityHangGliding:           "Hang Gliding",
	ActivityFlying:                "Flying",
	ActivityHotAirBallooning:      "Hot Air Ballooning",
	ActivityJetSkiing:             "Jet Skiing",
	ActivityPowerBoating:          "Power Boating",
	ActivityGaelicFootball:        "Gaelic Football",
	ActivityHurling:               "Hurling",
	ActivityTrailRunning:          "Trail Running",
	ActivityGravelCycling:         "Gravel Cycling",
	ActivityMultisport:            "Multisport",
	ActivityEBiking:               "E-Biking",
	ActivityEMountainBiking:       "E-Mountain Biking",
	ActivityPhysicalTherapy:       "Physical Therapy",
}

// String returns the name that Terra documents.
func (v ActivityType) String() string { return enumName(activityTypeNames[:], v) }
