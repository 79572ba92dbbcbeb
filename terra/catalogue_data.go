package terra

// integrations returns the table. Its order is that of the groups.
func integrations() []Integration {
	return []Integration{
		// Consumer devices and platforms.
		{
			ID: "FITBIT", Name: "Fitbit", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysManaged, Pushed: true,
			Caveats: []Notice{
				{SourceDocs, "Strict limits: ask for at most about 2 weeks at a time."},
				{SourceDocs, "Connecting the same account through a second application revokes the first connection."},
			},
		},
		{
			ID: "GARMIN", Name: "Garmin", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysRequired, PlannedWorkouts: true,
			Caveats: []Notice{
				{SourceDocs, "History reaches up to 5 years back."},
				{SourceDocs, "One night may arrive as several sleep records, in two passes."},
			},
		},
		{
			ID: "OURA", Name: "Oura", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysManaged,
			Caveats: []Notice{
				{SourceDocs, "Heart rate variability is in the heart rate of sleep only, as RMSSD."},
			},
		},
		{
			ID: "WHOOP", Name: "WHOOP", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysRequired, NoKeysIssued: true, PartnershipNeeded: true,
			Caveats: []Notice{
				{SourceDocs, "No heart rate samples and no steps."},
			},
		},
		{
			ID: "WITHINGS", Name: "Withings", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysManaged,
			Caveats: []Notice{
				{SourceDocs, "Strict limits: ask for at most about 2 weeks at a time."},
			},
		},
		{
			ID: "POLAR", Name: "Polar", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysManaged,
			Caveats: []Notice{
				{SourceDocs, "History reaches about 30 days back, and not before the consent."},
			},
		},
		{
			ID: "SUUNTO", Name: "Suunto", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysManaged, ClosedProgramme: true, PlannedWorkouts: true,
			Caveats: []Notice{
				{SourcePage, "No longer accepts new partners."},
			},
		},
		{
			ID: "COROS", Name: "COROS", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, PlannedWorkouts: true,
			Caveats: []Notice{
				{SourceDocs, "History reaches 3 months back; another page says 24 hours before the consent."},
			},
		},
		{
			ID: "WAHOO", Name: "Wahoo", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, PlannedWorkouts: true, WriteActivity: true,
			Caveats: []Notice{
				{SourceDocs, "Workouts can be written with POST /activity while that lasts."},
			},
		},
		{
			ID: "STRAVA", Name: "Strava", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysRequired, NoKeysIssued: true, PartnershipNeeded: true,
			Addresses: Addresses{CallbackDomain: "api.tryterra.co"},
			Steps: []Notice{
				{SourcePage, "Create an API application at Strava."},
				{SourcePage, "Set the authorization callback domain to api.tryterra.co."},
				{SourcePage, "Put client id and client secret on the connection in the dashboard."},
			},
			Caveats: []Notice{
				{SourceDocs, "Older pages mark it as needing an arrangement of your own."},
			},
		},
		{ID: "ULTRAHUMAN", Name: "Ultrahuman", Group: GroupMainstream, Access: AccessWeb},
		{
			ID: "ZEPP", Name: "Zepp", Group: GroupMainstream, Access: AccessWeb,
			PlannedWorkouts: true,
		},
		{
			ID: "HUAWEI", Name: "Huawei Health", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysRequired, NoKeysIssued: true, PartnershipNeeded: true, PlannedWorkouts: true,
			Addresses: Addresses{
				RedirectURL: "https://api.tryterra.co/v2/auth/huawei/oauth2",
				AccessURL:   "https://api.tryterra.co/",
				CallbackURL: "https://api.tryterra.co/v2/hooks/huawei/healthkit/notifications",
			},
			Steps: []Notice{
				{SourcePage, "Get a Huawei ID with identity verification: a business needs a DUNS number or a licence, an individual personal documents."},
				{SourcePage, "Apply for the HUAWEI ID service, and then for access to Health Kit."},
				{SourcePage, "Enter the redirect URL, the app access URL and the callback URL."},
				{SourcePage, "Register for notifications."},
			},
			Caveats: []Notice{
				{SourceDocs, "Older pages mark it as needing an arrangement of your own."},
			},
		},
		{
			ID: "EIGHT", Name: "Eight Sleep", Group: GroupMainstream, Access: AccessWeb,
			FormerIDs: []string{"EIGHTSLEEP"},
			Caveats: []Notice{
				{SourceDocs, "A table of the documentation spells it EIGHTSLEEP."},
			},
		},
		{ID: "PELOTON", Name: "Peloton", Group: GroupMainstream, Access: AccessWeb},
		{ID: "ZWIFT", Name: "Zwift", Group: GroupMainstream, Access: AccessWeb},
		{
			ID: "TRAININGPEAKS", Name: "TrainingPeaks", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, ClosedProgramme: true, PlannedWorkouts: true,
			Caveats: []Notice{
				{SourcePage, "No longer accepts new partners."},
			},
		},
		{
			ID: "HAMMERHEAD", Name: "Hammerhead Karoo", Group: GroupMainstream, Access: AccessWeb,
			KeyRule: KeysNone, MayChange: true, Polled: true,
		},
		{
			ID: "CONCEPT2", Name: "Concept2", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysManaged, Polled: true,
		},
		{
			ID: "TECHNOGYM", Name: "Technogym", Group: GroupMainstream, Access: AccessWeb,
			MayChange: true,
		},
		{
			ID: "BIOSTRAP", Name: "Biostrap", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysManaged, Polled: true,
		},
		{
			ID: "INBODY", Name: "InBody", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysRequired, PartnershipNeeded: true, Polled: true,
			Caveats: []Notice{
				{SourceDocs, "Older pages mark it as needing an arrangement of your own."},
			},
		},
		{
			ID: "RENPHO", Name: "RENPHO", Group: GroupMainstream, Access: AccessWeb,
			Retired: true,
			Caveats: []Notice{
				{SourceDocs, "Deprecated."},
			},
		},
		{
			ID: "GOOGLE", Name: "Google Fit (web)", Group: GroupMainstream, Access: AccessWeb,
			OwnKeysPossible: true, ClosedProgramme: true, Retired: true,
			Scopes: []Scope{
				{Name: "calendar.settings.readonly", Essential: true, Doc: "the time zone, to find the civil day"},
				{Name: "userinfo.profile", Essential: true, Doc: "Google's id of the person"},
				{Name: "fitness.activity.read"},
				{Name: "fitness.heart_rate.read"},
				{Name: "fitness.location.read"},
				{Name: "fitness.nutrition.read"},
				{Name: "fitness.blood_pressure.read"},
				{Name: "fitness.blood_glucose.read"},
				{Name: "fitness.body.read"},
				{Name: "fitness.oxygen_saturation.read"},
				{Name: "fitness.body_temperature.read"},
				{Name: "fitness.reproductive_health.read"},
				{Name: "fitness.sleep.read"},
				{Name: "user.birthday.read"},
				{Name: "user.gender.read"},
				{Name: "userinfo.email"},
			},
			Steps: []Notice{
				{SourcePage, "Own keys are optional: they give your name, logo and rate limits."},
				{SourcePage, "Enable the API library of each scope: a scope does not appear without."},
				{SourcePage, "Choose the scopes, and tell Terra if they are fewer than the default ones."},
				{SourcePage, "Have the application verified by Google, with a video of how each scope is used."},
			},
			Caveats: []Notice{
				{SourcePage, "Recommended over the routes that go through Health Connect."},
				{SourcePage, "No longer accepts new partners."},
				{SourceDocs, "The web integration of Google Fit is being ended."},
			},
		},
		// Glucose and ketones.
		{
			ID: "DEXCOM", Name: "Dexcom", Group: GroupMetabolic, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysRequired, NoKeysIssued: true, PartnershipNeeded: true, Polled: true,
		},
		{
			ID: "DEXCOM_EU", Name: "Dexcom (EU)", Group: GroupMetabolic, Access: AccessWeb,
			FormerIDs: []string{"DEXCOMEU"}, OwnKeysPossible: true, KeyRule: KeysRequired, NoKeysIssued: true, PartnershipNeeded: true,
		},
		{
			ID: "DEXCOM_JP", Name: "Dexcom (Japan)", Group: GroupMetabolic, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysRequired, NoKeysIssued: true, PartnershipNeeded: true,
		},
		{
			ID: "FREESTYLELIBRE", Name: "FreeStyle Libre", Group: GroupMetabolic, Access: AccessWeb,
			KeyRule: KeysManaged, MayChange: true,
			Steps: []Notice{
				{SourcePage, "In Germany, Austria and France a doctor's licence is required: a registered practice and its LibreView practice id."},
			},
			Caveats: []Notice{
				{SourceDocs, "Own keys are possible here, while the page does not list it among those with own keys."},
			},
		},
		{
			ID: "KETOMOJOEU", Name: "Keto-Mojo (EU)", Group: GroupMetabolic, Access: AccessWeb,
			OwnKeysPossible: true,
		},
		{
			ID: "KETOMOJOUS", Name: "Keto-Mojo (US)", Group: GroupMetabolic, Access: AccessWeb,
			OwnKeysPossible: true,
		},
		// Blood pressure and clinical devices.
		{
			ID: "OMRON", Name: "Omron (EU)", Group: GroupClinical, Access: AccessWeb,
			FormerIDs: []string{"OMRONEU"}, OwnKeysPossible: true,
		},
		{
			ID: "OMRONUS", Name: "Omron (US)", Group: GroupClinical, Access: AccessWeb,
			OwnKeysPossible: true,
		},
		{
			ID: "AKTIIA", Name: "Aktiia", Group: GroupClinical, Access: AccessWeb,
			MayChange: true,
		},
		{
			ID: "CARDIOMOOD", Name: "CardioMood", Group: GroupClinical, Access: AccessWeb,
			KeyRule: KeysNone,
		},
		{ID: "HEALTHGAUGE", Name: "Health Gauge", Group: GroupClinical, Access: AccessWeb},
		// Nutrition.
		{
			ID: "CRONOMETER", Name: "Cronometer", Group: GroupNutrition, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysCaseByCase, Pushed: true,
			Steps: []Notice{
				{SourceDocs, "Own keys are arranged through Terra's support."},
			},
			Caveats: []Notice{
				{SourceDocs, "Own keys case by case, while the page lists them as possible."},
			},
		},
		{
			ID: "FATSECRET", Name: "FatSecret", Group: GroupNutrition, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysManaged, MayChange: true, Polled: true,
		},
		{ID: "MYFITNESSPAL", Name: "MyFitnessPal", Group: GroupNutrition, Access: AccessWeb},
		{
			ID: "NUTRACHECK", Name: "Nutracheck", Group: GroupNutrition, Access: AccessWeb,
			OwnKeysPossible: true,
		},
		{
			ID: "MACROSFIRST", Name: "MacrosFirst", Group: GroupNutrition, Access: AccessWeb,
			OwnKeysPossible: true,
		},
		{ID: "MYMACROSPLUS", Name: "My Macros+", Group: GroupNutrition, Access: AccessWeb},
		{
			ID: "EATTHISMUCH", Name: "Eat This Much", Group: GroupNutrition, Access: AccessWeb,
			KeyRule: KeysNone, MayChange: true,
		},
		{ID: "WGER", Name: "wger", Group: GroupNutrition, Access: AccessWeb},
		// Women's health.
		{
			ID: "CLUE", Name: "Clue", Group: GroupWomen, Access: AccessWeb,
			MayChange: true,
		},
		{ID: "FLO", Name: "Flo", Group: GroupWomen, Access: AccessWeb},
		{ID: "MIRA", Name: "Mira", Group: GroupWomen, Access: AccessWeb},
		// Training and sport.
		{ID: "BODITRAX", Name: "Boditrax", Group: GroupTraining, Access: AccessWeb},
		{
			ID: "BRYTONSPORT", Name: "Bryton Sport", Group: GroupTraining, Access: AccessWeb,
			MayChange: true,
		},
		{ID: "CATAPULTONE", Name: "Catapult One", Group: GroupTraining, Access: AccessWeb},
		{
			ID: "CORE", Name: "CORE", Group: GroupTraining, Access: AccessWeb,
			KeyRule: KeysNone, Polled: true,
		},
		{ID: "CYCLINGANALYTICS", Name: "Cycling Analytics", Group: GroupTraining, Access: AccessWeb},
		{
			ID: "DECATHLON", Name: "Decathlon", Group: GroupTraining, Access: AccessWeb,
			OwnKeysPossible: true,
		},
		{ID: "ELITEHRV", Name: "Elite HRV", Group: GroupTraining, Access: AccessWeb},
		{
			ID: "FINALSURGE", Name: "Final Surge", Group: GroupTraining, Access: AccessWeb,
			KeyRule: KeysNone, MayChange: true,
		},
		{
			ID: "HEVY", Name: "Hevy", Group: GroupTraining, Access: AccessWeb,
			PlannedWorkouts: true,
		},
		{ID: "IFIT", Name: "iFit", Group: GroupTraining, Access: AccessWeb},
		{
			ID: "Intervals.icu", Name: "Intervals.icu", Group: GroupTraining, Access: AccessWeb,
			KeyRule: KeysNone,
		},
		{
			ID: "KOMOOT", Name: "Komoot", Group: GroupTraining, Access: AccessWeb,
			Polled: true,
		},
		{
			ID: "LEZYNE", Name: "Lezyne", Group: GroupTraining, Access: AccessWeb,
			MayChange: true,
		},
		{
			ID: "LIVEROWING", Name: "LiveRowing", Group: GroupTraining, Access: AccessWeb,
			MayChange: true,
		},
		{
			ID: "MAPMYFITNESS", Name: "MapMyFitness", Group: GroupTraining, Access: AccessWeb,
			OwnKeysPossible: true,
		},
		{ID: "MAPMYTRACKS", Name: "Map My Tracks", Group: GroupTraining, Access: AccessWeb},
		{ID: "MOXY", Name: "Moxy", Group: GroupTraining, Access: AccessWeb},
		{
			ID: "NOLIO", Name: "Nolio", Group: GroupTraining, Access: AccessWeb,
			OwnKeysPossible: true,
		},
		{
			ID: "PUL", Name: "PUL", Group: GroupTraining, Access: AccessWeb,
			OwnKeysPossible: true,
			Caveats: []Notice{
				{SourceDocs, "Older pages mark it as needing an arrangement of your own."},
			},
		},
		{ID: "REALTIME", Name: "Realtime", Group: GroupTraining, Access: AccessWeb},
		{
			ID: "RIDEWITHGPS", Name: "Ride with GPS", Group: GroupTraining, Access: AccessWeb,
			OwnKeysPossible: true, MayChange: true,
		},
		{
			ID: "ROUVY", Name: "Rouvy", Group: GroupTraining, Access: AccessWeb,
			MayChange: true,
		},
		{
			ID: "SOMNOFY", Name: "Somnofy", Group: GroupTraining, Access: AccessWeb,
			MayChange: true,
			Caveats: []Notice{
				{SourceDocs, "Older pages mark it as needing an arrangement of your own."},
			},
		},
		{
			ID: "TEMPO", Name: "Tempo Fit", Group: GroupTraining, Access: AccessWeb,
			MayChange: true,
		},
		{ID: "TODAYSPLAN", Name: "Today's Plan", Group: GroupTraining, Access: AccessWeb},
		{
			ID: "TRAINASONE", Name: "TrainAsOne", Group: GroupTraining, Access: AccessWeb,
			MayChange: true,
		},
		{
			ID: "TRAINERROAD", Name: "TrainerRoad", Group: GroupTraining, Access: AccessWeb,
			MayChange: true,
		},
		{
			ID: "TRAINXHALE", Name: "Train Xhale", Group: GroupTraining, Access: AccessWeb,
			MayChange: true,
		},
		{
			ID: "TREDICT", Name: "Tredict", Group: GroupTraining, Access: AccessWeb,
			OwnKeysPossible: true,
		},
		{
			ID: "TRIDOT", Name: "TriDot", Group: GroupTraining, Access: AccessWeb,
			MayChange: true,
		},
		{ID: "UNDERARMOUR", Name: "Under Armour", Group: GroupTraining, Access: AccessWeb},
		{
			ID: "VELOHERO", Name: "Velo Hero", Group: GroupTraining, Access: AccessWeb,
			MayChange: true,
		},
		{
			ID: "VIRTUAGYM", Name: "Virtuagym", Group: GroupTraining, Access: AccessWeb,
			OwnKeysPossible: true, KeyRule: KeysRequired, NoKeysIssued: true, PartnershipNeeded: true,
			Steps: []Notice{
				{SourcePage, "Request an API key from Virtuagym."},
				{SourcePage, "Put the portal name in the client id and the API key in the client secret."},
			},
		},
		{ID: "XERT", Name: "Xert", Group: GroupTraining, Access: AccessWeb},
		{ID: "XOSS", Name: "XOSS", Group: GroupTraining, Access: AccessWeb},
		// On the phone.
		{
			ID: "APPLE", Name: "Apple Health", Group: GroupMobile, Access: AccessSDK,
			KeyRule: KeysNone, Pushed: true, PlannedWorkouts: true,
		},
		{
			ID: "SAMSUNG", Name: "Samsung Health", Group: GroupMobile, Access: AccessSDK,
			HealthConnect: true,
			Steps: []Notice{
				{SourcePage, "For the direct route, the privileged SDK without Health Connect, ask Terra's support. It is preferred."},
				{SourcePage, "By Health Connect: before going live fill in Google's permission form, which names each type of data that is read."},
			},
			Caveats: []Notice{
				{SourcePage, "Health Connect is a store on the phone. Some applications cannot write into it, such as Samsung Health its steps."},
				{SourcePage, "Some data in Health Connect cannot be read for no visible reason."},
			},
		},
		{
			ID: "HEALTH_CONNECT", Name: "Health Connect", Group: GroupMobile, Access: AccessSDK,
			HealthConnect: true,
			Steps: []Notice{
				{SourcePage, "Before going live fill in Google's permission form, which names each type of data that is read."},
			},
			Caveats: []Notice{
				{SourcePage, "Health Connect is a store on the phone. Some applications cannot write into it, such as Samsung Health its steps."},
				{SourcePage, "Some data in Health Connect cannot be read for no visible reason."},
				{SourceDocs, "History reaches 30 days back."},
			},
		},
		{
			ID: "GOOGLEFIT", Name: "Google Fit (SDK)", Group: GroupMobile, Access: AccessSDK,
			KeyRule: KeysNone, HealthConnect: true,
			Steps: []Notice{
				{SourcePage, "Before going live fill in Google's permission form, which names each type of data that is read."},
			},
			Caveats: []Notice{
				{SourcePage, "Health Connect is a store on the phone. Some applications cannot write into it, such as Samsung Health its steps."},
				{SourcePage, "Some data in Health Connect cannot be read for no visible reason."},
				{SourcePage, "Terra recommends the web integration GOOGLE instead of the route over Health Connect."},
				{SourceDocs, "Based on Health Connect now."},
				{SourceDocs, "History reaches 30 days back."},
			},
		},
		{ID: "FREESTYLELIBRESDK", Name: "FreeStyle Libre (sensor scan)", Group: GroupMobile, Access: AccessSDK},
		{
			ID: "WEAROS", Name: "Wear OS", Group: GroupMobile, Access: AccessUnknown,
			Caveats: []Notice{
				{SourceDocs, "In lists of the mobile SDK; how it is reached is not confirmed."},
			},
		},
		// Test data.
		{ID: "DUMMY", Name: "Dummy", Group: GroupTest, Access: AccessTest},
		// Teams.
		{ID: "VALD", Name: "VALD", Group: GroupTeams, Access: AccessTeams},
		{ID: "CATAPULT", Name: "Catapult", Group: GroupTeams, Access: AccessTeams},
	}
}
