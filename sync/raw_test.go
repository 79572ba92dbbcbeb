package sync

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func TestRawSealerRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key, data := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"), rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		s, err := newRawSealer(key)
		require.NoError(t, err)
		place := []byte("place")
		sealed, err := s.seal(place, data)
		require.NoError(t, err)
		again, err := s.seal(place, data)
		require.NoError(t, err)
		require.Equal(t, sealed, again, "equal data is kept once")
		opened, err := s.open(place, sealed)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, opened))

		_, err = s.open([]byte("elsewhere"), sealed)
		require.ErrorIs(t, err, ErrSealed)
		i := rapid.IntRange(len(rawMagic), len(sealed)-1).Draw(t, "byte")
		sealed[i] ^= 1
		_, err = s.open(place, sealed)
		require.ErrorIs(t, err, ErrSealed)
		_, err = s.open(place, sealed[:i])
		require.ErrorIs(t, err, ErrSealed)
	})
}

// TestRawIsSealedPerUser: raw data reaches the store sealed, is read back
// through the engine, and is gone with the user's key.
func TestRawIsSealedPerUser(t *testing.T) {
	db := store.NewMemory()
	e := engineOn(t, db, newRing(t, randomKey("key")), func(c *Config) { c.SealRaw = true })
	conn, err := db.PutConnection(t.Context(), store.Connection{ID: "conn", User: "ada", Provider: "silent", State: store.StateActive})
	require.NoError(t, err)
	answer := []byte(`{"weight": "` + strings.Repeat("56.3 ", 40) + `"}`)
	commit := func() {
		s := session{Engine: e, conn: conn}
		page := store.Page{
			Stream: "weights", Key: "1",
			Records: []health.Record{weightOf(conn, 1)},
			Raw:     &health.RawPage{Stream: "weights", Bodies: []health.RawBody{{Name: "list", Body: answer}}},
			Quarantined: []store.Quarantined{{
				Key: "weights/2", Reason: "no date", Raw: answer,
			}},
		}
		require.NoError(t, s.sealRaw(t.Context(), &page))
		_, err := db.Commit(t.Context(), store.Batch{
			User: conn.User, Connection: conn.ID, Unfenced: true, Now: now(), Cause: store.CauseLive, Pages: []store.Page{page},
		})
		require.NoError(t, err)
	}
	commit()
	kept, err := db.RawPages(t.Context(), store.RawQuery{Connection: conn.ID})
	require.NoError(t, err)
	require.Len(t, kept.Pages, 1)
	require.NotContains(t, string(kept.Pages[0].Bodies[0].Body), "56.3")
	require.Less(t, len(kept.Pages[0].Bodies[0].Body), len(answer))
	aside, err := db.Quarantine(t.Context(), conn.ID, 0)
	require.NoError(t, err)
	require.NotContains(t, string(aside[0].Raw), "56.3")

	opened, err := e.RawPages(t.Context(), store.RawQuery{Connection: conn.ID})
	require.NoError(t, err)
	require.Equal(t, answer, opened.Pages[0].Bodies[0].Body)
	set, err := e.Quarantine(t.Context(), conn.ID, 0)
	require.NoError(t, err)
	require.Equal(t, answer, set[0].Raw)

	key, err := db.Setting(t.Context(), "ada", settingRawKey)
	require.NoError(t, err)
	require.NoError(t, db.SwapSetting(t.Context(), "ada", settingRawKey, key, nil))
	_, err = e.RawPages(t.Context(), store.RawQuery{Connection: conn.ID})
	require.ErrorIs(t, err, ErrSealed)
}

func weightOf(conn store.Connection, id int64) health.Record {
	r := health.Record{
		Connection: conn.ID, Kind: health.KindBody, Key: "weights/1", Method: health.MethodSensed,
		Span: health.Span{Start: health.Zoned(1767308400000, 3600), Zone: health.ZoneFromRecord},
		Rev:  health.Rev{Order: id, Mapping: 1}, Source: health.Source{Provider: "silent", Path: health.PathDirect},
		Values: []health.Value{{Metric: "body_weight", Number: health.Decimal{Coefficient: 56300, Exponent: -3}}},
	}
	r.Normalize()
	return r
}
