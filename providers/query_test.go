package providers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

func TestPeriod(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	first, err := health.ParseDay("2026-10-25") // of 25 hours
	require.NoError(t, err)
	at := func(dom, hour int) time.Time { return time.Date(2026, 10, dom, hour, 0, 0, 0, time.UTC) }
	for name, c := range map[string]struct {
		zone             *time.Location
		days             int
		begins, from, to time.Time
	}{
		"no zone":             {nil, 1, time.Time{}, at(25, 0), at(26, 0)},
		"the zone":            {berlin, 1, time.Time{}, at(24, 22), at(25, 23)},
		"several days":        {berlin, 3, time.Time{}, at(24, 22), at(27, 23)},
		"from the east":       {berlin, 1, at(24, 15), at(24, 15), at(25, 23)},
		"from the west":       {berlin, 2, at(25, 7), at(25, 7), at(26, 23)},
		"over when it begins": {berlin, 1, at(26, 0), at(26, 0), at(25, 23)},
	} {
		t.Run(name, func(t *testing.T) {
			q := providers.Query{Zone: c.zone, Begins: c.begins, Window: health.Window{First: first, Last: first.Add(c.days - 1)}}
			from, to := q.Period()
			require.True(t, c.from.Equal(from), "from %s", from)
			require.True(t, c.to.Equal(to), "to %s", to)
		})
	}
}
