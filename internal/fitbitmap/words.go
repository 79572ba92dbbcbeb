package fitbitmap

import "github.com/vitalmux/vitalmux/health"

// ZonePart returns the part of a heart rate zone: of the legacy service's names
// and types, and of the zones of Google Health, which has the same four. It is
// "" for any other word, such as a custom zone.
func ZonePart[T []byte | string](word T) health.Part {
	switch fold(word) {
	case "out_of_range", "out_of_zone", "light":
		return health.PartZone0
	case "fat_burn", "moderate":
		return health.PartZone1
	case "cardio", "vigorous":
		return health.PartZone2
	case "peak":
		return health.PartZone3
	}
	return ""
}

// LevelPart returns the part of a metric that an intensity of activity is: the
// legacy service speaks of lightly, fairly and very active minutes. It is ""
// for a word that is not known.
func LevelPart[T []byte | string](word T) health.Part {
	switch fold(word) {
	case "sedentary":
		return health.PartSedentary
	case "light", "lightly", "lightly_active":
		return health.PartLight
	case "moderate", "fairly", "fairly_active", "moderately_active":
		return health.PartModerate
	case "vigorous", "very", "very_active":
		return health.PartVigorous
	}
	return ""
}

// Level returns the activity level, a Level constant of package health; "" for
// a word that is not known.
func Level[T []byte | string](word T) string { return string(LevelPart(word)) }

// Meal returns the type of a meal, a Meal constant of package health: of the
// legacy service's numbers (its documentation of Create Food Log), or of Google
// Health's words. It is "" for one that is not known.
func Meal[T []byte | string](word T) string {
	switch w := fold(word); w {
	case "1", "breakfast":
		return health.MealBreakfast
	case "2":
		return health.MealMorningSnack
	case "3", "lunch":
		return health.MealLunch
	case "4":
		return health.MealAfternoonSnack
	case "5", "dinner":
		return health.MealDinner
	case "6", "after_dinner":
		return health.MealAfterDinner
	case "7", "anytime":
		return health.MealAnytime
	case "snack":
		return health.MealSnack
	case "before_breakfast", "before_lunch", "before_dinner":
		return w
	}
	return ""
}

// Rhythm returns the result of an electrocardiogram, a Rhythm constant of
// package health; "" for a word that is not known. Inconclusive results keep
// their reason in the service's own word.
func Rhythm[T []byte | string](word T) string {
	switch fold(word) {
	case "normal_sinus_rhythm":
		return health.RhythmNegative
	case "atrial_fibrillation":
		return health.RhythmPositive
	case "inconclusive", "inconclusive_high_heart_rate", "inconclusive_low_heart_rate":
		return health.RhythmInconclusive
	case "unreadable":
		return health.RhythmUnreadable
	case "not_analyzed":
		return health.RhythmNotAnalyzed
	}
	return ""
}

// Stroke returns the swimming stroke, a Stroke constant of package health; ""
// for a word that is not known.
func Stroke[T []byte | string](word T) string {
	switch w := fold(word); w {
	case health.StrokeFreestyle, health.StrokeBackstroke, health.StrokeBreaststroke, health.StrokeButterfly:
		return w
	}
	return ""
}
