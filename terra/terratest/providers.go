package terratest

import "strings"

// webProviders are the providers that are connected in a browser.
func webProviders() []string {
	return strings.Fields(`AKTIIA BIOSTRAP BODITRAX BRYTONSPORT CARDIOMOOD CATAPULTONE CLUE CONCEPT2 CORE COROS CRONOMETER CYCLINGANALYTICS
DECATHLON DEXCOM DEXCOM_EU DEXCOM_JP DUMMY EATTHISMUCH EIGHT ELITEHRV FATSECRET FINALSURGE FITBIT FLO FREESTYLELIBRE GARMIN GOOGLE
HAMMERHEAD HEALTHGAUGE HEVY HUAWEI IFIT INBODY Intervals.icu KETOMOJOEU KETOMOJOUS KOMOOT LEZYNE LIVEROWING MACROSFIRST MAPMYFITNESS
MAPMYTRACKS MIRA MOXY MYFITNESSPAL MYMACROSPLUS NOLIO NUTRACHECK OMRON OMRONUS OURA PELOTON POLAR PUL REALTIME RENPHO RIDEWITHGPS ROUVY
SOMNOFY STRAVA SUUNTO TECHNOGYM TEMPO TODAYSPLAN TRAINASONE TRAINERROAD TRAININGPEAKS TRAINXHALE TREDICT TRIDOT ULTRAHUMAN UNDERARMOUR
VELOHERO VIRTUAGYM WAHOO WGER WHOOP WITHINGS XERT XOSS ZEPP ZWIFT`)
}

// sdkProviders are the providers that are connected with a mobile SDK.
func sdkProviders() []string {
	return strings.Fields("APPLE FREESTYLELIBRESDK GOOGLEFIT HEALTH_CONNECT SAMSUNG WEAROS")
}

// stampStyle is how a provider's timestamps are written.
type stampStyle int

const (
	stampOffset  stampStyle = iota // 2026-07-01T09:00:00.000000+02:00
	stampNoColon                   // ...+0200
	stampZulu                      // in UTC, without a fraction, with Z
	stampBare                      // local time without an offset
	stampFalse                     // local time that claims +00:00
)

// habit is what is peculiar to the data of one provider.
type habit struct {
	kinds    []Kind
	measures []string // what body data consists of
	scopes   string
	maker    string
	device   string
	stamp    stampStyle

	floats       bool // whole numbers are written as 12.0
	percent      bool // sleep_efficiency is 0-100 and not 0-1
	noHeartRate  bool // no heart-rate samples and no steps
	hrvInSleep   bool // HRV only in sleep, as RMSSD
	noSleepTotal bool // duration_asleep_state_seconds is null
	noSleepID    bool // summary_id of a night is null
	twoPasses    bool // a night is sent twice: tentative first
	textPhase    bool // current_phase is a text
	stress       bool // stress samples and body battery
	tracksCycle  bool // menstruation data whoever the person is
}

// habitOf returns the habit of a provider. Those without one of their own are trackers of an ordinary kind.
func habitOf(provider string) habit {
	h := habit{kinds: []Kind{KindActivity, KindDaily, KindSleep, KindAthlete}, maker: provider, device: provider + " Tracker", scopes: "activity,sleep,profile"}
	switch provider {
	case "DUMMY":
		h.kinds = append(DayKinds(), KindAthlete)
		h.measures = []string{"weight", "pressure", "temperature", "glucose", "ketones", "water", "heart", "oxygen"}
		h.stress, h.percent, h.tracksCycle, h.scopes = true, true, true, ""
	case "APPLE", "HEALTH_CONNECT", "SAMSUNG", "GOOGLEFIT", "GOOGLE":
		h.kinds = append(DayKinds(), KindAthlete)
		h.measures = []string{"weight", "pressure", "temperature", "glucose", "heart", "oxygen"}
		h.noSleepID, h.scopes, h.device = provider == "APPLE", "", provider+" Watch"
	case "GARMIN":
		h.kinds = append(h.kinds, KindBody, KindMenstruation)
		h.measures = []string{"weight", "heart"}
		h.scopes, h.maker, h.device = "ACTIVITY_EXPORT,HEALTH_EXPORT,MCT_EXPORT", "GARMIN", "Fenix 8"
		h.twoPasses, h.stress, h.floats = true, true, true
	case "FITBIT":
		h.kinds = append(h.kinds, KindBody, KindNutrition, KindMenstruation)
		h.measures = []string{"weight", "temperature", "oxygen"}
		h.scopes, h.device, h.percent = "activity heartrate nutrition oxygen_saturation profile sleep temperature weight", "Charge 6", true
		h.scopes = strings.ReplaceAll(h.scopes, " ", ",")
	case "OURA":
		h.scopes, h.device, h.hrvInSleep = "daily,heartrate,personal,session,spo2,tag,workout", "Oura Ring Gen4", true
		h.noSleepTotal = true
	case "WITHINGS":
		h.kinds = append(h.kinds, KindBody)
		h.measures = []string{"weight", "pressure", "temperature", "heart", "water"}
		h.scopes, h.device = "user.info,user.metrics,user.activity", "Body Scan"
	case "WHOOP":
		h.kinds = append(h.kinds, KindBody)
		h.measures = []string{"weight"}
		h.scopes, h.device, h.stamp, h.noHeartRate, h.percent = "read:cycles,read:profile,read:recovery,read:sleep,read:workout,offline", "WHOOP 5.0", stampZulu, true, true
	case "POLAR":
		h.stamp, h.scopes, h.device = stampNoColon, "accesslink.read_all", "Vantage V3"
	case "EIGHT", "SOMNOFY":
		h.kinds = []Kind{KindSleep, KindAthlete}
	case "CRONOMETER", "FATSECRET", "MYFITNESSPAL", "NUTRACHECK", "MACROSFIRST", "MYMACROSPLUS", "EATTHISMUCH", "WGER":
		h.kinds, h.stamp, h.device = []Kind{KindNutrition, KindBody, KindAthlete}, stampBare, ""
		h.measures = []string{"weight"}
	case "CLUE", "FLO", "MIRA":
		h.kinds, h.stamp, h.device, h.tracksCycle, h.textPhase = []Kind{KindMenstruation, KindBody, KindAthlete}, stampFalse, "", true, true
		h.measures = []string{"temperature"}
	case "DEXCOM", "DEXCOM_EU", "DEXCOM_JP", "FREESTYLELIBRE", "FREESTYLELIBRESDK":
		h.kinds, h.device = []Kind{KindBody, KindAthlete}, "Continuous glucose monitor"
		h.measures = []string{"glucose"}
	case "KETOMOJOEU", "KETOMOJOUS":
		h.kinds, h.measures = []Kind{KindBody, KindAthlete}, []string{"ketones", "glucose"}
	case "OMRON", "OMRONUS", "AKTIIA", "CARDIOMOOD", "HEALTHGAUGE":
		h.kinds, h.measures = []Kind{KindBody, KindAthlete}, []string{"pressure", "heart"}
	case "RENPHO", "INBODY", "BODITRAX":
		h.kinds, h.measures = []Kind{KindBody, KindAthlete}, []string{"weight"}
	case "STRAVA", "WAHOO", "ZWIFT", "PELOTON", "CONCEPT2", "HAMMERHEAD", "KOMOOT", "TRAININGPEAKS", "TRAINERROAD", "Intervals.icu", "RIDEWITHGPS", "HEVY":
		h.kinds = []Kind{KindActivity, KindAthlete}
	}
	return h
}
