package fitbitmap_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
)

// exerciseTypes are those of the Google Health API, discovery document of
// 2026-10-30.
const exerciseTypes = `
AEROBIC_WORKOUT ARCHERY ASSAULT_BIKE BACKPACKING BADMINTON BALLET BALLROOM_DANCE BARRE_CLASS BASEBALL
BASKETBALL BIKING BILLIARDS BODY_WEIGHT BOOTCAMP BOWLING BOXING BREAKDANCING CALISTHENICS CANOEING
CARDIO_SCULPT CARDIO_WORKOUT CARPENTRY CHEERLEADING CIRCUIT_TRAINING CLEANING CLIMBING CORE_TRAINING CRICKET
CROQUET CROSS_COUNTRY_SKI CROSS_TRAINING CROSSFIT CURLING DANCING DIVING ELECTRIC_BIKE ELECTRIC_SCOOTER
ELLIPTICAL EQUESTRIAN_SPORTS EXERCISE_CLASS FENCING FIELD_HOCKEY FISHING FITNESS_GAMING FOILING
FOOTBALL_AMERICAN FOOTBALL_AUSTRALIAN FREE_WEIGHTS FRISBEE_PLAYING_GENERAL FUNCTIONAL_STRENGTH_TRAINING
GARDENING GOLF GYMNASTICS HANDBALL HAND_CYCLING HIIT HIKING HIP_HOP HOCKEY HOEING HOUSEHOLD_CHORES HUNTING
ICE_SKATING INCLINE_RUN INCLINE_WALK INDOOR_CLIMBING INTERVAL_WORKOUT JAZZ_DANCE JIU_JITSU JUMPING_ROPE KARATE
KAYAKING KICKBOXING KITESURFING LACROSSE MARTIAL_ARTS MEDITATE MODERN_DANCE MOTOCROSS MOTORCYCLE MOUNTAIN_BIKE
MOWING_LAWN MUAY_THAI MULTISPORT MUSICAL_PERFORMANCE NORDIC_WALKING ORIENTEERING OTHER OUTDOOR_BIKE
OUTDOOR_WORKOUT PADDLEBOARDING PADEL PAINTING PARAGLIDING PARKOUR PICKELBALL PILATES POLO POWERLIFTING
POWER_WALKING RACKET_SPORTS RACQUETBALL RESISTANCE_BANDS ROCK_CLIMBING ROLLERBLADING ROLLER_SKATING ROWING
ROWING_MACHINE RUCKING RUGBY RUNNING SAILING SCOOTERING SCUBA_DIVING SHOOTING SHOVELING SKATEBOARDING SKATING
SKIING SKYDIVING SNORKELING SNOWBOARDING SNOWMOBILING SNOWSHOEING SNOW_SPORT SOCCER SOFTBALL SPEED_SKATING
SPINNING SPORT SQUASH STAIRCLIMBER STATIONARY_BIKE STEP_TRAINING STRENGTH_TRAINING STRETCHING STROLLER_WALK
SURFING SWIMMING SWIMMING_OPEN_WATER SWIMMING_POOL SYNCHRONIZED_SWIMMING TABATA_WORKOUT TABLE_TENNIS TAEKWONDO
TAI_CHI TANGO TENNIS TRACK_AND_FIELD TRAIL_RUN TRAMPOLINE TREADMILL TREADMILL_WALK TRX ULTIMATE_FRISBEE
UNICYCLING VOLLEYBALL VOLLEYBALL_BEACH WAKEBOARDING WALKING WALK_WITH_WEIGHTS WATER_AEROBICS WATER_JOGGING
WATER_POLO WATER_SKIING WATER_SPORT WATER_VOLLEYBALL WEEDING WEIGHTLIFTING WEIGHT_MACHINES WEIGHTS WHEELCHAIR
WINDSURFING WORKOUT WRESTLING YOGA YOGA_BIKRAM YOGA_HATHA YOGA_POWER YOGA_VINYASA ZUMBA`

func TestEverySportOfTheSuccessorIsKnown(t *testing.T) {
	all := strings.Fields(exerciseTypes)
	require.Len(t, all, 181)
	for _, name := range all {
		sport, ok := fitbitmap.Sport(name)
		require.True(t, ok, name)
		require.Contains(t, health.Sports(), sport, name)
	}
}

func TestBothSpellingsOfASport(t *testing.T) {
	for legacy, successor := range map[string]string{
		"Run": "RUNNING", "Walk": "WALKING", "Swim": "SWIMMING", "Outdoor Bike": "OUTDOOR_BIKE", "Aerobic Workout": "AEROBIC_WORKOUT",
		"Pickleball": "PICKELBALL", "Hike": "HIKING", "Yoga": "YOGA_HATHA", "Weights": "FREE_WEIGHTS",
	} {
		a, knownA := fitbitmap.Sport(legacy)
		b, knownB := fitbitmap.Sport(successor)
		require.True(t, knownA && knownB, legacy)
		require.Equal(t, a, b, legacy)
	}
	sport, ok := fitbitmap.Sport("Seilhüpfen")
	require.False(t, ok)
	require.Equal(t, health.SportOther, sport)
	sport, ok = fitbitmap.SportByID(90009)
	require.True(t, ok)
	require.Equal(t, health.SportRunning, sport)
	_, ok = fitbitmap.SportByID(1)
	require.False(t, ok)
}

func TestWords(t *testing.T) {
	for word, want := range map[string]health.Part{
		"Out of Range": health.PartZone0, "OUT_OF_ZONE": health.PartZone0, "LIGHT": health.PartZone0, "Fat Burn": health.PartZone1,
		"MODERATE": health.PartZone1, "CARDIO": health.PartZone2, "VIGOROUS": health.PartZone2, "Peak": health.PartZone3, "Custom": "",
	} {
		require.Equal(t, want, fitbitmap.ZonePart(word), word)
	}
	for word, want := range map[string]health.Part{
		"sedentary": health.PartSedentary, "SEDENTARY": health.PartSedentary, "lightly": health.PartLight, "LIGHTLY_ACTIVE": health.PartLight,
		"fairly": health.PartModerate, "MODERATELY_ACTIVE": health.PartModerate, "very": health.PartVigorous, "VIGOROUS": health.PartVigorous, "lazy": "",
	} {
		require.Equal(t, want, fitbitmap.LevelPart(word), word)
		require.Equal(t, string(want), fitbitmap.Level(word), word)
	}
	for word, want := range map[string]string{
		"1": health.MealBreakfast, "2": health.MealMorningSnack, "3": health.MealLunch, "4": health.MealAfternoonSnack, "5": health.MealDinner,
		"6": health.MealAfterDinner, "7": health.MealAnytime, "BEFORE_LUNCH": health.MealBeforeLunch, "SNACK": health.MealSnack, "8": "",
	} {
		require.Equal(t, want, fitbitmap.Meal(word), word)
	}
	for word, want := range map[string]string{
		"Normal Sinus Rhythm": health.RhythmNegative, "NORMAL_SINUS_RHYTHM": health.RhythmNegative, "Atrial Fibrillation": health.RhythmPositive,
		"Inconclusive: High heart rate": health.RhythmInconclusive, "INCONCLUSIVE_LOW_HEART_RATE": health.RhythmInconclusive,
		"UNREADABLE": health.RhythmUnreadable, "NOT_ANALYZED": health.RhythmNotAnalyzed, "": "", "Flutter": "",
	} {
		require.Equal(t, want, fitbitmap.Rhythm(word), word)
	}
	require.Equal(t, health.StrokeFreestyle, fitbitmap.Stroke("FREESTYLE"))
	require.Empty(t, fitbitmap.Stroke("DOG_PADDLE"))
	for word, want := range map[string]string{
		"wake": health.StageAwake, "AWAKE": health.StageAwake, "light": health.StageLight, "DEEP": health.StageDeep, "rem": health.StageREM,
		"ASLEEP": health.StageAsleep, "restless": health.StageRestless, "unknown": "",
	} {
		require.Equal(t, want, fitbitmap.Stage(word), word)
		if want != "" {
			require.NotEmpty(t, fitbitmap.StageMetric(want))
			require.NotEmpty(t, fitbitmap.StagePart(want))
		}
	}
	require.Empty(t, fitbitmap.StageMetric("none"))
	require.Empty(t, fitbitmap.StagePart("none"))
}

func TestQuantitiesAreOfTheCatalogue(t *testing.T) {
	seen := map[health.Value]bool{}
	for q := fitbitmap.Steps; q <= fitbitmap.TimeAfterWakeup; q++ {
		_, known := health.Lookup(q.Metric())
		require.True(t, known, q)
		v := q.Value(health.Int(1), health.PartDeep)
		require.Equal(t, q.Metric(), v.Metric)
		require.False(t, seen[v], "two quantities are %v", v)
		seen[v] = true
	}
}

func decimal(t require.TestingT, text string) health.Decimal {
	d, err := health.ParseDecimal(text)
	require.NoError(t, err)
	return d
}

func TestUnits(t *testing.T) {
	d, ok := fitbitmap.Shift(decimal(t, "6.43738"), 3)
	require.True(t, ok)
	require.True(t, d.Equal(decimal(t, "6437.38")))
	_, ok = fitbitmap.Shift(health.Decimal{Coefficient: 1, Exponent: 127}, 1)
	require.False(t, ok)
	d, ok = fitbitmap.Times(health.Int(42), 60)
	require.True(t, ok)
	require.Equal(t, health.Int(2520), d)
	_, ok = fitbitmap.Times(health.Int(1<<62), 60)
	require.False(t, ok)
	for _, c := range []struct {
		in    string
		n     int64
		want  string
		exact bool
	}{
		{"36", 36, "1", true}, {"100", 36, "2.7778", false}, {"-100", 36, "-2.7778", false}, {"1", 3, "0.3333", false}, {"0.5", 2, "0.25", true},
	} {
		q, exact, ok := fitbitmap.Over(decimal(t, c.in), c.n)
		require.True(t, ok)
		require.True(t, q.Equal(decimal(t, c.want)), "%s / %d is %s", c.in, c.n, q)
		require.Equal(t, c.exact, exact)
	}
	_, _, ok = fitbitmap.Over(health.Int(1), 0)
	require.False(t, ok)
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		in    health.Decimal
		n     int64
		want  health.Decimal
		exact bool
	}{
		{decimal(t, "3.106855961186984"), 1000, decimal(t, "3.106855961186984"), true},
		{decimal(t, "3.106855961186984"), 1_609_344, decimal(t, "3.106855961187"), false},
		{decimal(t, "-3.106855961186984"), 1_609_344, decimal(t, "-3.106855961187"), false},
		{decimal(t, "3.1000000000000000"), 1_609_344, decimal(t, "3.100000000000"), true},
		{health.Int(math.MaxInt64 / 60), 60, health.Int(math.MaxInt64 / 60), true},
		{health.Int(math.MaxInt64/60 + 1), 60, health.Decimal{Coefficient: 15372286728091293, Exponent: 1}, false},
		{health.Int(math.MinInt64), 2, health.Decimal{Coefficient: -922337203685477581, Exponent: 1}, false},
	} {
		fit, exact, ok := fitbitmap.Fit(c.in, c.n)
		require.True(t, ok)
		require.Equal(t, c.want, fit, "%s * %d", c.in, c.n)
		require.Equal(t, c.exact, exact, "%s * %d", c.in, c.n)
		_, fits := fitbitmap.Times(fit, c.n)
		require.True(t, fits)
	}
	_, _, ok := fitbitmap.Fit(health.Decimal{Coefficient: math.MaxInt64, Exponent: math.MaxInt8}, 2)
	require.False(t, ok, "there is no larger exponent")
}

func TestVO2Max(t *testing.T) {
	one, ok := fitbitmap.VO2Max([]byte("45"))
	require.True(t, ok)
	require.Equal(t, []health.Value{{Metric: health.MetricVO2Max, Number: health.Int(45), Flags: health.FlagEstimated}}, one)
	for text, middle := range map[string]string{"44-48": "46", "44-47": "45.5", "44.2 - 48": "46.1"} {
		values, ok := fitbitmap.VO2Max([]byte(text))
		require.True(t, ok, text)
		require.Len(t, values, 3)
		require.True(t, values[0].Number.Equal(decimal(t, middle)), text)
		require.Equal(t, health.FlagEstimated|health.FlagInexact, values[0].Flags)
		require.Equal(t, health.StatMin, values[1].Stat)
		require.Equal(t, health.StatMax, values[2].Stat)
	}
	for _, text := range []string{"", "-", "48-44", "a-b", "44-", "-44", "44-46-48", "NaN", "44-9223372036854775807"} {
		_, ok := fitbitmap.VO2Max([]byte(text))
		require.False(t, ok, text)
	}
}

func segment(label string, from, to int64) health.Segment {
	return health.Segment{Track: health.TrackStage, Label: label, Start: health.Floating(from), End: health.Floating(to)}
}

func TestOverlay(t *testing.T) {
	stages := []health.Segment{segment("light", 0, 600), segment("deep", 600, 1200), segment("rem", 1500, 1800)}
	awake := func(from, to int64) health.Segment {
		s := segment("awake", from, to)
		s.Track = health.TrackShortAwake
		return s
	}
	before := slices.Clone(stages)
	got := fitbitmap.Overlay(stages, []health.Segment{awake(0, 30), awake(300, 330), awake(570, 660), awake(1190, 1510), awake(1900, 1930)})
	require.Equal(t, []health.Segment{
		segment("awake", 0, 30), segment("light", 30, 300), segment("awake", 300, 330), segment("light", 330, 570), segment("awake", 570, 660),
		segment("deep", 660, 1190), segment("awake", 1190, 1200), segment("awake", 1500, 1510), segment("rem", 1510, 1800),
	}, got)
	require.Equal(t, before, stages)
	require.Equal(t, stages, fitbitmap.Overlay(stages, nil))
}

// Laying awakenings over stages neither adds nor removes time, and at each
// moment the awakening counts where there is one.
func TestOverlayKeepsTheNight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := func(label string, name string) []health.Segment {
			var out []health.Segment
			at := int64(0)
			for range rapid.IntRange(0, 8).Draw(t, name) {
				at += rapid.Int64Range(0, 5).Draw(t, "gap")
				end := at + rapid.Int64Range(1, 20).Draw(t, "length")
				out = append(out, segment(label, at, end))
				at = end
			}
			return out
		}
		stages, awakenings := list("light", "stages"), list("awake", "awakenings")
		covers := func(list []health.Segment, at int64) string {
			label := ""
			for _, s := range list {
				if s.Start.SortMilli() <= at && at < s.End.SortMilli() {
					require.Empty(t, label, "two segments at %d", at)
					label = s.Label
				}
			}
			return label
		}
		got := fitbitmap.Overlay(stages, awakenings)
		for at := int64(0); at < 250; at++ {
			want := covers(stages, at)
			if want != "" && covers(awakenings, at) != "" {
				want = "awake"
			}
			require.Equal(t, want, covers(got, at), "at %d", at)
		}
		for i, s := range got {
			require.Less(t, s.Start.SortMilli(), s.End.SortMilli())
			if i > 0 {
				require.LessOrEqual(t, got[i-1].End.SortMilli(), s.Start.SortMilli())
			}
		}
	})
}
