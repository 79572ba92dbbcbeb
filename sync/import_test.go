package sync_test

import (
	"errors"
	"io/fs"
	"iter"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// archiveOf keeps the answers about the last days of the person in files, as a
// host may have done while the service was there.
func (m *removal) archiveOf(t testing.TB, days int) fstest.MapFS {
	adapter := m.config.Providers[0]
	token := m.fitbit.Login(m.person.ID)
	cred := providers.Credential{UpstreamID: m.person.ID, Access: providers.NewSecret(token.AccessToken)}
	files := fstest.MapFS{}
	last := health.DayOf(time.Now().In(m.zone))
	for _, s := range adapter.Capabilities().Streams {
		q := providers.Query{Stream: s.Name, Zone: m.zone}
		for first := last.Add(1 - days); first.Compare(last) <= 0; first = first.Add(30) {
			if s.Grain == providers.GrainDay {
				q.Window = health.Window{First: first, Last: first.Add(29)}
				if last.Compare(q.Window.Last) < 0 {
					q.Window.Last = last
				}
			}
			number := 0
			for page, err := range providers.Pages(t.Context(), adapter, cred, q) {
				require.NoError(t, err)
				for _, body := range page.Raw {
					files[fitbit.ArchivePath(s.Name, body.Name, number)] = &fstest.MapFile{Data: body.Body, ModTime: page.Date}
				}
				number++
			}
		}
	}
	return files
}

// stored returns the live records of a user by kind and key.
func (m *removal) stored(t testing.TB, user string) map[string]health.Record {
	all := map[string]health.Record{}
	for r, err := range store.AllRecords(t.Context(), m.store, store.RecordQuery{User: user}) {
		require.NoError(t, err)
		all[string(r.Kind)+" "+r.Key] = r
	}
	return all
}

func ofArchive(user, account string) healthsync.ImportRequest {
	return healthsync.ImportRequest{User: user, Provider: fitbit.Name, UpstreamID: account}
}

// TestImportIsWhatWasReadLive imports an archive of what somebody else's
// connection read from the service, twice, and with an interruption.
func TestImportIsWhatWasReadLive(t *testing.T) {
	m := newRemoval(t, 70, nil)
	files := m.archiveOf(t, 70)
	live := m.toFitbit(t, "ada", m.person.ID)
	_, err := m.engine.Sync(t.Context(), live.ID)
	require.NoError(t, err)
	_, err = m.engine.Backfill(t.Context(), live.ID, time.Now().AddDate(0, 0, -70))
	require.NoError(t, err)
	want := m.stored(t, "ada")

	// Without a consent, and without the person's id.
	stopped := errors.New("stopped")
	report, err := m.engine.Import(t.Context(), ofArchive("ben", ""), upTo(fitbit.Archive(files), 9, stopped))
	require.ErrorIs(t, err, stopped)
	require.Positive(t, report.Total().Inserted)
	report, err = m.engine.Import(t.Context(), ofArchive("ben", ""), fitbit.Archive(files))
	require.NoError(t, err)
	require.Positive(t, report.Total().SkippedPages, "what is stored is not looked at again")
	require.Zero(t, report.Total().Revised)
	got := m.stored(t, "ben")
	for key := range got {
		require.Contains(t, want, key)
	}
	for key, r := range want {
		mine, ok := got[key]
		require.True(t, ok || r.Span.Day.Compare(firstArchived(m, 70)) < 0, "%s is missing", key)
		if !ok {
			continue
		}
		require.Equal(t, health.PathImport, mine.Source.Path)
		require.Equal(t, r.Span.Start.SortMilli(), mine.Span.Start.SortMilli(), key)
		for _, v := range r.Values { // an archive's weights also have the fat
			require.Contains(t, mine.Values, v, key)
		}
	}
	conns := must(m.engine.Connections(t.Context(), "ben"))
	require.Len(t, conns, 1)
	require.Equal(t, store.StateArchive, conns[0].State)
	require.Equal(t, m.zone.String(), conns[0].Zone, "the profile told it")
	_, err = m.store.Credential(t.Context(), conns[0].ID)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = m.engine.Sync(t.Context(), conns[0].ID)
	require.ErrorIs(t, err, healthsync.ErrConnectionState)

	changes := m.audited("import")
	report, err = m.engine.Import(t.Context(), ofArchive("ben", ""), fitbit.Archive(files))
	require.NoError(t, err)
	require.Zero(t, report.Total().Inserted+report.Total().Revised)
	require.Equal(t, got, m.stored(t, "ben"))
	require.Equal(t, changes+1, m.audited("import"))

	// Into the connection that read it live: nothing is there twice.
	_, err = m.engine.Import(t.Context(), ofArchive("ada", m.person.ID), fitbit.Archive(files))
	require.NoError(t, err)
	require.ElementsMatch(t, keysOf(want), keysOf(m.stored(t, "ada")))
	_, err = m.engine.Import(t.Context(), ofArchive("ben", m.person.ID), fitbit.Archive(files))
	require.ErrorIs(t, err, healthsync.ErrLinked)
}

func firstArchived(m *removal, days int) health.Day {
	return health.DayOf(time.Now().In(m.zone)).Add(1 - days)
}

func keysOf(records map[string]health.Record) []string {
	var all []string
	for key := range records {
		all = append(all, key)
	}
	return all
}

// upTo ends a sequence with an error.
func upTo(pages iter.Seq2[health.RawPage, error], n int, err error) iter.Seq2[health.RawPage, error] {
	return func(yield func(health.RawPage, error) bool) {
		for page, failure := range pages {
			if n--; n < 0 {
				yield(health.RawPage{}, err)
				return
			}
			if !yield(page, failure) {
				return
			}
		}
	}
}

// TestImportSetsAsideWhatIsBad spoils files of an archive in all ways; what is in
// the others is imported.
func TestImportSetsAsideWhatIsBad(t *testing.T) {
	m := newRemoval(t, 20, nil)
	files := m.archiveOf(t, 20)
	_, err := m.engine.Import(t.Context(), ofArchive("ada", ""), fitbit.Archive(files))
	require.NoError(t, err)
	whole := m.stored(t, "ada")

	bad := maps.Clone(files)
	spoil := func(prefix, name string, data string) string {
		for path, file := range files {
			if strings.HasPrefix(path, prefix) {
				if data == "half" {
					data = string(file.Data[:len(file.Data)/2])
				}
				bad[path] = &fstest.MapFile{Data: []byte(data), ModTime: file.ModTime}
				return path
			}
		}
		require.Fail(t, "no file "+name, prefix)
		return ""
	}
	spoil("sleep/", "sleep", "half")
	spoil("activity/activities-steps/", "steps", "<html>Service Unavailable</html>")
	spoil("hrv/", "hrv", "")
	bad["sleep/sleep/not-a-period.json"] = &fstest.MapFile{Data: []byte(`{"sleep":[]}`), ModTime: time.Now()}
	bad["badges/badges.json"] = &fstest.MapFile{Data: []byte(`{"badges":[]}`), ModTime: time.Now()}
	bad["notes.txt"] = &fstest.MapFile{Data: []byte("not an answer")}
	bad["weight/README"] = &fstest.MapFile{Data: []byte("not an answer")}
	report, err := m.engine.Import(t.Context(), ofArchive("ben", ""), fitbit.Archive(bad))
	require.NoError(t, err)
	require.NoError(t, report.Err())
	conn := must(m.engine.Connections(t.Context(), "ben"))[0]
	reasons := map[string]string{}
	for _, q := range must(m.engine.Quarantine(t.Context(), conn.ID, 0)) {
		reasons[q.Stream+" "+strings.SplitN(q.Key, "/2", 2)[0]] = q.Reason
	}
	require.Equal(t, map[string]string{
		"sleep sleep/sleep":                  "not an answer of the provider: bad_json",
		"sleep sleep/sleep/not-a-period":     "not an answer of the provider: bad_body_name",
		"activity activity/activities-steps": "not an answer of the provider: not_json",
		"hrv hrv/hrv":                        "not an answer of the provider: not_json",
		"import import/badges":               "not an answer of the provider",
	}, reasons)
	left := m.stored(t, "ben")
	for key, r := range whole {
		switch mine, ok := left[key]; r.Stream() {
		case "sleep", "hrv":
			require.False(t, ok)
		case "activity":
			require.True(t, ok, key)
			require.Len(t, mine.Values, len(r.Values)-1, "all but the steps")
		default:
			require.Equal(t, r.Values, mine.Values, key)
		}
	}

	// The good files later.
	_, err = m.engine.Import(t.Context(), ofArchive("ben", ""), fitbit.Archive(files))
	require.NoError(t, err)
	require.ElementsMatch(t, keysOf(whole), keysOf(m.stored(t, "ben")))
}

func TestImportRefuses(t *testing.T) {
	m := newRemoval(t, 2, nil)
	none := func(func(health.RawPage, error) bool) {}
	for _, r := range []healthsync.ImportRequest{
		{}, {User: "ada"}, {User: "ada", Provider: "nobody"}, {Provider: fitbit.Name}, {User: "ada", Provider: fitbit.Name, Zone: "Nowhere"},
	} {
		_, err := m.engine.Import(t.Context(), r, none)
		require.ErrorIs(t, err, store.ErrInvalid)
	}
	_, err := m.engine.Import(t.Context(), healthsync.ImportRequest{Connection: "none"}, none)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = m.engine.Import(t.Context(), healthsync.ImportRequest{User: "ada", Provider: "googlehealth"}, none)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = m.engine.Import(t.Context(), ofArchive("ada", ""), fitbit.Archive(failing{}))
	require.ErrorIs(t, err, fs.ErrPermission)

	conn := must(m.engine.Connections(t.Context(), "ada"))[0]
	lease := must(m.store.Acquire(t.Context(), conn.ID, "sync", time.Minute))
	_, err = m.engine.Import(t.Context(), ofArchive("ada", ""), none)
	require.ErrorIs(t, err, store.ErrLeaseHeld)
	require.NoError(t, m.store.Release(t.Context(), lease))
	_, err = m.engine.Erase(t.Context(), "ada")
	require.NoError(t, err)
	_, err = m.engine.Import(t.Context(), ofArchive("ada", ""), none)
	require.ErrorIs(t, err, store.ErrErased)
}

// failing is an archive that cannot be read.
type failing struct{}

func (failing) Open(string) (fs.File, error) { return nil, fs.ErrPermission }
