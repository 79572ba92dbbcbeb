package health

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // the test must not depend on the machine's zone files

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// ianaZones are the names of the zone files Go ships.
//
//go:embed testdata/zones.txt
var ianaZones string

func zone(t require.TestingT, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	require.NoError(t, err, name)
	return loc
}

// oddDay is a civil day that does not last 24 hours.
type oddDay struct {
	zone string
	day  Day
}

// TestDaysPartitionTimeInEveryZone walks every day of 1970 to 2037 in every
// zone.
func TestDaysPartitionTimeInEveryZone(t *testing.T) {
	names := strings.Fields(ianaZones)
	require.Greater(t, len(names), 500)
	var (
		mu    sync.Mutex
		odd   = map[oddDay]time.Duration{}
		count = map[time.Duration]int{}
		next  = make(chan string)
		group sync.WaitGroup
	)
	for range 4 {
		group.Go(func() {
			for name := range next {
				loc, err := time.LoadLocation(name)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				walkDays(t, loc, func(d Day, length time.Duration) {
					mu.Lock()
					odd[oddDay{name, d}] = length
					count[length]++
					mu.Unlock()
				})
			}
		})
	}
	rules := map[string]string{} // names with the same rules need one walk
	for _, name := range names {
		key := transitions(zone(t, name))
		if _, walked := rules[key]; !walked {
			rules[key] = name
			next <- name
		}
	}
	close(next)
	group.Wait()

	for want, length := range map[oddDay]time.Duration{
		{"Pacific/Apia", Day{2011, 12, 30}}:              0,
		{"Pacific/Fakaofo", Day{2011, 12, 30}}:           0,
		{"Pacific/Kwajalein", Day{1993, 8, 21}}:          0,
		{"Pacific/Enderbury", Day{1994, 12, 31}}:         0,
		{"Pacific/Kiritimati", Day{1994, 12, 31}}:        0,
		{"Antarctica/Casey", Day{2009, 10, 18}}:          21 * time.Hour,
		{"Antarctica/Casey", Day{2010, 3, 5}}:            27 * time.Hour,
		{"Antarctica/Troll", Day{2026, 3, 29}}:           22 * time.Hour,
		{"Antarctica/Troll", Day{2026, 10, 25}}:          26 * time.Hour,
		{"Europe/Berlin", Day{2026, 3, 29}}:              23 * time.Hour,
		{"Europe/Berlin", Day{2026, 10, 25}}:             25 * time.Hour,
		{"America/New_York", Day{2026, 3, 8}}:            23 * time.Hour,
		{"America/New_York", Day{2026, 11, 1}}:           25 * time.Hour,
		{"Australia/Lord_Howe", Day{2026, 10, 4}}:        23*time.Hour + 30*time.Minute,
		{"Australia/Lord_Howe", Day{2026, 4, 5}}:         24*time.Hour + 30*time.Minute,
		{"Asia/Pyongyang", Day{2015, 8, 14}}:             24*time.Hour + 30*time.Minute,
		{"America/Caracas", Day{2016, 5, 1}}:             23*time.Hour + 30*time.Minute,
		{"Africa/Monrovia", Day{1972, 1, 7}}:             23*time.Hour + 15*time.Minute + 30*time.Second,
		{"America/Sao_Paulo", Day{2018, 11, 4}}:          23 * time.Hour, // begins at 01:00
		{"America/Sao_Paulo", Day{2019, 2, 16}}:          25 * time.Hour,
		{"America/St_Johns", Day{2006, 10, 29}}:          25 * time.Hour, // midnight came twice
		{"America/Argentina/San_Luis", Day{2008, 1, 20}}: 25 * time.Hour,
	} {
		want.zone = rules[transitions(zone(t, want.zone))]
		got, found := odd[want]
		require.True(t, found, want)
		require.Equal(t, length, got, want)
	}
	for _, length := range []time.Duration{0, 22 * time.Hour, 23 * time.Hour, 24*time.Hour + 30*time.Minute, 25 * time.Hour, 26 * time.Hour} {
		require.Positive(t, count[length], length)
	}
	for d, length := range odd {
		// The longest and the shortest are those of Vostok in 1994.
		require.True(t, length == 0 || length >= 17*time.Hour && length <= 31*time.Hour, "%v lasts %v", d, length)
	}
}

// transitions lists all changes of the offset of a zone from 1969 to 2038.
func transitions(loc *time.Location) string {
	var list strings.Builder
	at := time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC).In(loc)
	for at.Year() < 2039 {
		_, offset := at.Zone()
		_, end := at.ZoneBounds()
		fmt.Fprintln(&list, offset, end.Unix())
		if end.IsZero() {
			break
		}
		at = end
	}
	return list.String()
}

// walkDays checks all days of a zone and reports those that are not 24 hours.
func walkDays(t *testing.T, loc *time.Location, report func(Day, time.Duration)) {
	last := Day{2037, 12, 31}
	_, end, _ := Day{1969, 12, 31}.Bounds(loc)
	const usual = 24 * time.Hour
	before := usual
	for d := (Day{1970, 1, 1}); d.Compare(last) <= 0; d = d.Add(1) {
		start, next, exists := d.Bounds(loc)
		if !start.Equal(end) {
			t.Errorf("%s %s begins at %v, the day before ended at %v", loc, d, start, end)
			return
		}
		length := next.Sub(start)
		if exists != (length > 0) || length < 0 {
			t.Errorf("%s %s: exists %v, but lasts %v", loc, d, exists, length)
			return
		}
		if length != usual {
			report(d, length)
		}
		// Between two usual days the clock is checked once a month.
		if exists && (length != usual || before != usual || d.Dom == 1) &&
			(DayOf(start) != d || DayOf(start.Add(-1)).Compare(d) >= 0) {
			t.Errorf("%s %s does not begin at %v", loc, d, start)
			return
		}
		end, before = next, length
	}
}

func TestBounds(t *testing.T) {
	start, end, exists := Day{2018, 11, 4}.Bounds(zone(t, "America/Sao_Paulo"))
	require.True(t, exists)
	require.Equal(t, "2018-11-04T01:00:00-02:00", start.Format(time.RFC3339), "midnight does not exist")
	require.Equal(t, "2018-11-05T00:00:00-02:00", end.Format(time.RFC3339))

	start, end, exists = Day{2011, 12, 30}.Bounds(zone(t, "Pacific/Apia"))
	require.False(t, exists)
	require.True(t, start.Equal(end))
	require.Equal(t, "2011-12-31T00:00:00+14:00", start.Format(time.RFC3339))

	// In 1969 Kwajalein went the other way across the date line: the day came
	// twice and lasted 47 hours.
	start, end, exists = Day{1969, 9, 30}.Bounds(zone(t, "Pacific/Kwajalein"))
	require.True(t, exists)
	require.Equal(t, 47*time.Hour, end.Sub(start))

	start, end, exists = Day{2026, 1, 2}.Bounds(time.UTC)
	require.True(t, exists)
	require.Equal(t, "2026-01-02T00:00:00Z", start.Format(time.RFC3339))
	require.Equal(t, 24*time.Hour, end.Sub(start))
}

func wall(t require.TestingT, text string) Moment {
	m, _, err := ParseMoment(text)
	require.NoError(t, err, text)
	return m
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		zone, wall, want string
		flags            Flags
	}{
		{"America/New_York", "2026-07-01T12:00:00.250", "2026-07-01T12:00:00.250-04:00", 0},
		{"America/New_York", "2026-11-01T01:30:00", "2026-11-01T01:30:00.000-04:00", FlagAmbiguous},
		{"America/New_York", "2026-11-01T00:59:59.999", "2026-11-01T00:59:59.999-04:00", 0},
		{"America/New_York", "2026-11-01T01:00:00", "2026-11-01T01:00:00.000-04:00", FlagAmbiguous},
		{"America/New_York", "2026-11-01T01:59:59.999", "2026-11-01T01:59:59.999-04:00", FlagAmbiguous},
		{"America/New_York", "2026-11-01T02:00:00", "2026-11-01T02:00:00.000-05:00", 0},
		{"America/New_York", "2026-03-08T01:59:59.999", "2026-03-08T01:59:59.999-05:00", 0},
		{"America/New_York", "2026-03-08T02:00:00", "2026-03-08T03:00:00.000-04:00", FlagNonexistent},
		{"America/New_York", "2026-03-08T02:30:00", "2026-03-08T03:30:00.000-04:00", FlagNonexistent},
		{"America/New_York", "2026-03-08T03:00:00", "2026-03-08T03:00:00.000-04:00", 0},
		{"Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-04T02:45:00.000+11:00", FlagNonexistent},
		{"Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-05T01:45:00.000+11:00", FlagAmbiguous},
		{"Pacific/Apia", "2011-12-30T12:00:00", "2011-12-31T12:00:00.000+14:00", FlagNonexistent},
		{"Pacific/Kwajalein", "1993-08-21T06:00:00", "1993-08-22T06:00:00.000+12:00", FlagNonexistent},
		{"Africa/Monrovia", "1972-01-06T12:00:00", "1972-01-06T12:00:00.000-00:44:30", 0},
		{"Asia/Kathmandu", "2026-01-02T03:04:05", "2026-01-02T03:04:05.000+05:45", 0},
		{"UTC", "2026-01-02T03:04:05", "2026-01-02T03:04:05.000+00:00", 0},
		{"Asia/Tokyo", "2026-01-02T00:00:00Z", "2026-01-02T09:00:00.000+09:00", 0},
		{"Asia/Tokyo", "2026-01-02T00:00:00+01:00", "2026-01-02T00:00:00.000+01:00", 0},
	} {
		got, flags := Resolve(wall(t, c.wall), zone(t, c.zone))
		require.Equal(t, c.want, got.String(), "%s %s", c.zone, c.wall)
		require.Equal(t, c.flags, flags, "%s %s", c.zone, c.wall)
	}
	m, flags := Resolve(Moment{}, time.UTC)
	require.True(t, m.IsZero())
	require.Zero(t, flags)
}

// Resolve against the definition: the instants whose wall clock shows the
// reading.
func TestResolveMatchesItsDefinition(t *testing.T) {
	names := strings.Fields(ianaZones)
	rapid.Check(t, func(t *rapid.T) {
		loc := zone(t, rapid.SampledFrom(names).Draw(t, "zone"))
		// Most draws are near a transition.
		near := rapid.Int64Range(0, testNow.Unix()).Draw(t, "near")
		_, change := time.Unix(near, 0).In(loc).ZoneBounds()
		if change.IsZero() {
			change = time.Unix(near, 0).In(loc)
		}
		reading := Floating(change.UnixMilli() + rapid.Int64Range(-15*3600_000, 15*3600_000).Draw(t, "away"))

		var shows []Moment
		for offset := -15 * 3600; offset <= 15*3600; offset++ {
			at := time.UnixMilli(reading.milli - int64(offset)*1000).In(loc)
			if _, there := at.Zone(); there == offset {
				shows = append(shows, At(at))
			}
		}
		got, flags := Resolve(reading, loc)
		switch len(shows) {
		case 0:
			require.Equal(t, FlagNonexistent, flags)
			change, _ := time.UnixMilli(got.milli).In(loc).ZoneBounds()
			_, before := change.Add(-time.Second).Zone()
			require.Equal(t, inZone(reading.milli-int64(before)*1000, loc), got)
			shown, _ := got.WallMilli()
			require.Greater(t, shown, reading.milli)
		case 1:
			require.Zero(t, flags)
			require.Equal(t, shows[0], got)
		default:
			require.Equal(t, FlagAmbiguous, flags)
			for _, m := range shows {
				require.LessOrEqual(t, got.milli, m.milli)
			}
		}
	})
}

func TestSpanInZone(t *testing.T) {
	newYork := zone(t, "America/New_York")
	for _, c := range []struct {
		name, start, end   string
		wantStart, wantEnd string
		flags              Flags
	}{
		{"plain", "2026-07-01T22:00:00", "2026-07-02T06:00:00", "2026-07-01T22:00:00.000-04:00", "2026-07-02T06:00:00.000-04:00", 0},
		{"no end", "2026-07-01T22:00:00", "", "2026-07-01T22:00:00.000-04:00", "", 0},
		{"over the end of summer time", "2026-10-31T23:00:00", "2026-11-01T07:00:00", "2026-10-31T23:00:00.000-04:00", "2026-11-01T07:00:00.000-05:00", 0},
		{"end in the second of two hours", "2026-11-01T01:50:00", "2026-11-01T01:10:00", "2026-11-01T01:50:00.000-04:00", "2026-11-01T01:10:00.000-05:00", FlagAmbiguous},
		{"start that does not happen", "2026-03-08T02:50:00", "2026-03-08T03:10:00", "2026-03-08T03:50:00.000-04:00", "2026-03-08T04:10:00.000-04:00", FlagNonexistent | FlagImplausible},
		{"instants", "2026-07-02T02:00:00Z", "2026-07-02T10:00:00Z", "2026-07-01T22:00:00.000-04:00", "2026-07-02T06:00:00.000-04:00", 0},
	} {
		s := Span{Start: wall(t, c.start), Day: Day{2026, 7, 1}, Zone: ZoneFloating}
		if c.end != "" {
			s.End = wall(t, c.end)
		}
		got := s.InZone(newYork, ZoneFromProfile)
		require.Equal(t, c.wantStart, got.Start.String(), c.name)
		require.Equal(t, c.wantEnd, got.End.String(), c.name)
		require.Equal(t, c.flags, got.Flags, c.name)
		require.Equal(t, s.Day, got.Day, c.name)
		require.Equal(t, ZoneFromProfile, got.Zone, c.name)
		require.Equal(t, "America/New_York", got.Location, c.name)
		require.Equal(t, got, got.InZone(time.UTC, ZoneFromRecord), "what has its offset keeps it")
	}
}

func TestSpanOfADay(t *testing.T) {
	zone := func(name string) *time.Location {
		loc, err := time.LoadLocation(name)
		require.NoError(t, err)
		return loc
	}
	for _, c := range []struct {
		name string
		day  Day
		zone *time.Location
		want [2]string // in UTC
		long time.Duration
	}{
		{"a day", Day{Year: 2026, Month: 10, Dom: 20}, zone("Europe/Berlin"), [2]string{"2026-10-19T22:00:00Z", "2026-10-20T22:00:00Z"}, 24 * time.Hour},
		{"clocks go forward", Day{Year: 2026, Month: 3, Dom: 29}, zone("Europe/Berlin"), [2]string{"2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, 23 * time.Hour},
		{"clocks go back", Day{Year: 2026, Month: 10, Dom: 25}, zone("Europe/Berlin"), [2]string{"2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, 25 * time.Hour},
	} {
		s := c.day.Span(c.zone, ZoneFromProfile)
		start, ok1 := s.Start.Time()
		end, ok2 := s.End.Time()
		require.True(t, ok1 && ok2, c.name)
		require.Equal(t, c.want, [2]string{start.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339)}, c.name)
		require.Equal(t, c.long, end.Sub(start), c.name)
		require.Equal(t, [...]any{c.day, ZoneFromProfile, c.zone.String(), Flags(0)}, [...]any{s.Day, s.Zone, s.Location, s.Flags}, c.name)
	}
	unknown := Day{Year: 1970, Month: 1, Dom: 2}.Span(nil, ZoneFromProfile)
	require.Equal(t, Span{
		Day: Day{Year: 1970, Month: 1, Dom: 2}, Start: Floating(86_400_000), End: Floating(2 * 86_400_000), Zone: ZoneFloating,
	}, unknown)
	skipped := Day{Year: 2011, Month: 12, Dom: 30}.Span(zone("Pacific/Apia"), ZoneFromProfile) // the date line moved
	require.True(t, skipped.Flags.Has(FlagNonexistent))
}
