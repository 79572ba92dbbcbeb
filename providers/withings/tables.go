package withings

import "github.com/vitalmux/vitalmux/health"

// sports holds the workout categories by number. A category that is not here is
// a sport we have no word for; its number is kept beside it in any case.
var sports = map[int64]health.Sport{
	1: health.SportWalking, 2: health.SportRunning, 3: health.SportHiking, 4: health.SportSkating, 5: health.SportBMX,
	6: health.SportCycling, 7: health.SportSwimming, 8: health.SportSurfing, 9: health.SportKitesurfing,
	10: health.SportWindsurfing, 11: health.SportBodyboarding, 12: health.SportTennis, 13: health.SportTableTennis,
	14: health.SportSquash, 15: health.SportBadminton, 16: health.SportWeightlifting, 17: health.SportWorkout,
	18: health.SportElliptical, 19: health.SportPilates, 20: health.SportBasketball, 21: health.SportSoccer,
	22: health.SportAmericanFootball, 23: health.SportRugby, 24: health.SportVolleyball, 25: health.SportWaterPolo,
	26: health.SportEquestrian, 27: health.SportGolf, 28: health.SportYoga, 29: health.SportDancing, 30: health.SportBoxing,
	31: health.SportFencing, 32: health.SportWrestling, 33: health.SportMartialArts, 34: health.SportSkiing,
	35: health.SportSnowboarding, 36: health.SportOther, 128: health.SportNoActivity, 186: health.SportOther,
	187: health.SportRowing, 188: health.SportZumba, 191: health.SportBaseball, 192: health.SportHandball,
	193: health.SportHockey, 194: health.SportIceHockey, 195: health.SportClimbing, 196: health.SportIceSkating,
	272: health.SportMultisport, 306: health.SportWalkingIndoor, 307: health.SportRunningIndoor,
	308: health.SportCyclingIndoor, 455: health.SportStandUpPaddling, 456: health.SportPadel, 457: health.SportGaming,
	490: health.SportVolleyballBeach, 491: health.SportStairMachine, 492: health.SportSkateboarding,
	493: health.SportParkour, 494: health.SportKayaking, 495: health.SportCanoeing, 496: health.SportSailing,
	497: health.SportFishing, 498: health.SportRunningTrail, 499: health.SportSnowshoeing, 500: health.SportPaintball,
	501: health.SportArchery, 502: health.SportScubaDiving, 503: health.SportBaseballTraining, 504: health.SportBiathlon,
	505: health.SportBocce, 506: health.SportPetanque, 507: health.SportParagliding, 508: health.SportFrisbee,
	509: health.SportSkydiving, 510: health.SportPickleball, 511: health.SportCornhole, 512: health.SportDodgeball,
	513: health.SportUltimateFrisbee, 514: health.SportTeqball, 515: health.SportWheelchairRunPace,
	516: health.SportWheelchairWalkPace, 517: health.SportTrackAndField, 518: health.SportCyclingTrack,
	519: health.SportPentathlon, 520: health.SportShooting, 521: health.SportTriathlon, 522: health.SportDiving,
	523: health.SportCyclingMountain, 524: health.SportCyclingGravel, 525: health.SportEBike,
	526: health.SportEMountainBike, 527: health.SportCyclingHand, 528: health.SportVelomobile,
	529: health.SportSkiingBackcountry, 530: health.SportSkiingCrossCountry, 531: health.SportSkiingRoller,
	532: health.SportRacquetball, 534: health.SportHipHop, 535: health.SportMuayThai, 536: health.SportTaekwondo,
	537: health.SportJudo, 538: health.SportTrampoline, 539: health.SportStandingFrame, 540: health.SportStrengthSeated,
	541: health.SportCardioSeated, 542: health.SportWalkingAssisted, 543: health.SportWalkingAssisted,
	544: health.SportBreaking, 545: health.SportHousework, 546: health.SportCrossfit, 547: health.SportCyclingSpinning,
	548: health.SportCricket, 549: health.SportFlamenco, 550: health.SportHIIT, 551: health.SportMeditation,
	552: health.SportStretching, 553: health.SportGardening, 554: health.SportCleaning, 555: health.SportPublicSpeaking,
	556: health.SportRoundnet, 557: health.SportLacrosse, 558: health.SportWalkingLoaded, 559: health.SportWalkingDog,
	560: health.SportBreathing, 561: health.SportBalance, 562: health.SportWalkingStroller, 563: health.SportWalkingLoaded,
	564: health.SportBowling, 565: health.SportLaserTag, 566: health.SportNordicWalking, 567: health.SportSumo,
	568: health.SportCooking,
}

// models holds the names of the device models by number.
var models = map[int64]string{
	1: "WBS01", 2: "WS30", 3: "Kid Scale", 4: "Smart Body Analyzer", 5: "Body+", 6: "Body Cardio", 7: "Body",
	9: "Body Pro", 10: "Body Scan", 11: "WBS10", 12: "WBS11", 13: "Body+", 18: "Body Comp",
	21: "Smart Baby Monitor", 22: "Home",
	41: "Blood Pressure Monitor V1", 42: "Blood Pressure Monitor V2", 43: "Blood Pressure Monitor V3",
	44: "BPM Core", 45: "BPM Connect", 46: "BPM Connect Pro", 47: "BPM Pro 2", 48: "BPM Vision",
	51: "Pulse", 52: "Activite", 53: "Activite Pop, Steel", 54: "Go", 55: "Steel HR", 58: "Pulse HR", 59: "Steel HR Sport",
	90: "Move", 91: "Move ECG", 92: "Move ECG", 93: "ScanWatch", 94: "ScanWatch 2", 95: "ScanWatch Light",
	60: "Aura Dock", 61: "Aura Sensor", 62: "Aura Dock", 63: "Aura Sensor V2",
	70: "Thermo", 71: "BeamO", 100: "Gateway", 1061: "iGlucose", 1063: "Lingo",
}

// echo is another application whose data Withings passes on.
type echo struct{ upstream, app string }

// echoes holds the model numbers that stand for other applications.
var echoes = map[int64]echo{
	1051: {"IOS", "iOS step tracker"},
	1052: {"IOS", "iOS step tracker"},
	1053: {"ANDROID", "Android step tracker"},
	1054: {"ANDROID", "Android step tracker"},
	1055: {"GOOGLE_FIT", "Google Fit"},
	1056: {"SAMSUNG_HEALTH", "Samsung Health"},
	1057: {"HEALTHKIT", "HealthKit on an iPhone"},
	1058: {"HEALTHKIT", "HealthKit on an Apple Watch"},
	1059: {"HEALTHKIT", "HealthKit from another source"},
	1060: {"HEALTH_CONNECT", "Health Connect"},
	1062: {"HUAWEI", "Huawei Health"},
}

// The classes of devices that see sleep.
const (
	classTracker      = "activity_tracker"
	classSleepMonitor = "sleep_monitor"
)

// modelClasses holds what some services put in the place of a model: the class
// of the device.
var modelClasses = map[string]string{
	"16": classTracker, "Activity Tracker": classTracker,
	"32": classSleepMonitor, "Sleep Monitor": classSleepMonitor,
}
