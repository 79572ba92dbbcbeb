package fitbit_test

import (
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers/fitbit"
)

func TestArchivePath(t *testing.T) {
	require.Equal(t, "profile/profile.json", fitbit.ArchivePath("profile", "profile", 0))
	require.Equal(t, "sleep/sleep/2025-01-01/2025-04-10.json", fitbit.ArchivePath("sleep", "sleep/2025-01-01/2025-04-10", 0))
	require.Equal(t, "workouts/activities/list/2025-01-01/2025-12-31~1.json",
		fitbit.ArchivePath("workouts", "activities/list/2025-01-01/2025-12-31", 1))
}

// Answers of one period are a page, pages of a list are for themselves, the
// profile is first, and what is no answer is left out.
func TestArchiveIsReadByPages(t *testing.T) {
	at := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	file := func(text string, hours int) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(text), ModTime: at.Add(time.Duration(hours) * time.Hour)}
	}
	files := fstest.MapFS{
		fitbit.ArchivePath("activity", "activities-steps/2025-01-01/2025-12-31", 0):    file("a", 0),
		fitbit.ArchivePath("activity", "activities-distance/2025-01-01/2025-12-31", 0): file("b", 2),
		fitbit.ArchivePath("activity", "activities-steps/2024-01-01/2024-12-31", 0):    file("c", 0),
		fitbit.ArchivePath("profile", "profile", 0):                                    file("d", 0),
		fitbit.ArchivePath("body_goals", "fat", 0):                                     file("e", 0),
		fitbit.ArchivePath("body_goals", "weight", 0):                                  file("f", 0),
		fitbit.ArchivePath("workouts", "activities/list/2025-01-01/2025-12-31", 0):     file("g", 0),
		fitbit.ArchivePath("workouts", "activities/list/2025-01-01/2025-12-31", 1):     file("h", 0),
		"activity/README.txt": file("not an answer", 0),
		"at-the-top.json":     file("not of a stream", 0),
	}
	body := func(name, text string) health.RawBody { return health.RawBody{Name: name, Body: []byte(text)} }
	page := func(stream string, hours int, bodies ...health.RawBody) health.RawPage {
		return health.RawPage{Stream: stream, Date: at.Add(time.Duration(hours) * time.Hour), Bodies: bodies}
	}
	var got []health.RawPage
	for p, err := range fitbit.Archive(files) {
		require.NoError(t, err)
		got = append(got, p)
	}
	require.Equal(t, []health.RawPage{
		page("profile", 0, body("profile", "d")),
		page("activity", 0, body("activities-steps/2024-01-01/2024-12-31", "c")),
		page("activity", 2, body("activities-distance/2025-01-01/2025-12-31", "b"), body("activities-steps/2025-01-01/2025-12-31", "a")),
		page("body_goals", 0, body("fat", "e"), body("weight", "f")),
		page("workouts", 0, body("activities/list/2025-01-01/2025-12-31", "g")),
		page("workouts", 0, body("activities/list/2025-01-01/2025-12-31", "h")),
	}, got)

	for range fitbit.Archive(files) {
		break // is always safe
	}
	for p, err := range fitbit.Archive(unreadable{}) {
		require.Zero(t, p)
		require.ErrorIs(t, err, fs.ErrPermission)
	}
}

// unreadable is a file system that nobody may read.
type unreadable struct{}

func (unreadable) Open(string) (fs.File, error) { return nil, fs.ErrPermission }
