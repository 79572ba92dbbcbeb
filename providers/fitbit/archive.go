package fitbit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vitalmux/vitalmux/health"
)

const (
	archiveSuffix = ".json"
	// maxArchived bounds a file of an archive: the largest answer of the service,
	// a year of heart rate, is far below.
	maxArchived = 64 << 20
)

// ArchivePath returns where [Archive] looks for an answer of a stream in an
// archive: the stream's folder, and in it the name of the answer as it is in
// [providers.Page].Raw, with ".json". Of a list that has several pages for one
// period page counts them from 0.
//
//	sleep/sleep/2025-01-01/2025-04-10.json
//	activity/activities-steps/2025-01-01/2025-12-31.json
//	workouts/activities/list/2025-01-01/2025-12-31~1.json
//	profile/profile.json
func ArchivePath(stream, body string, page int) string {
	number := ""
	if page > 0 {
		number = "~" + strconv.Itoa(page)
	}
	return path.Join(stream, body) + number + archiveSuffix
}

// Archive reads an archive of answers of the service, to be imported with
// [Provider.MapArchive]: a page for each period of a stream, with the answers
// that belong together. Files lie as [ArchivePath] says; those elsewhere, or with
// another suffix, are left out. The profile comes first, because it tells the
// person's zone, and else streams and periods come in order of their names. A
// file's time of modification is when its answer is from: it should be kept when
// an archive is copied, or an old answer is taken for a new one. Answers must be
// in metric units, which is what the service sends without an Accept-Language:
// but for the lengths of workouts they do not tell.
//
// One page is held in memory. An error of fsys ends the sequence; so does a file
// of more than 64 MiB.
func Archive(fsys fs.FS) iter.Seq2[health.RawPage, error] {
	return func(yield func(health.RawPage, error) bool) {
		streams, err := fs.ReadDir(fsys, ".")
		if err != nil {
			yield(health.RawPage{}, err)
			return
		}
		slices.SortStableFunc(streams, func(a, b fs.DirEntry) int {
			return later(a.Name()) - later(b.Name())
		})
		for _, stream := range streams {
			if stream.IsDir() && !archivedStream(fsys, stream.Name(), yield) {
				return
			}
		}
	}
}

func later(stream string) int {
	if stream == streamProfile {
		return 0
	}
	return 1
}

// archivedStream yields the pages of one stream.
func archivedStream(fsys fs.FS, stream string, yield func(health.RawPage, error) bool) bool {
	pages := make(map[string][]string) // names of answers, by period and number
	err := fs.WalkDir(fsys, stream, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(file) != archiveSuffix {
			return err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, stream+"/"), archiveSuffix)
		period := ""
		if at := len(name) - len("/2006-01-02/2006-01-02"); at > 0 && strings.IndexByte(name, '~') < 0 {
			period = name[at:]
		} else if at := strings.IndexByte(name, '~'); at >= 0 {
			period = name // a page of a list is for itself
		}
		pages[period] = append(pages[period], name)
		return nil
	})
	if err != nil {
		return yield(health.RawPage{}, err)
	}
	periods := make([]string, 0, len(pages))
	for period := range pages {
		periods = append(periods, period)
	}
	slices.Sort(periods)
	for _, period := range periods {
		page := health.RawPage{Stream: stream}
		for _, name := range pages[period] {
			if err := addArchived(fsys, &page, name); err != nil {
				yield(health.RawPage{}, err)
				return false
			}
		}
		if !yield(page, nil) {
			return false
		}
	}
	return true
}

// addArchived reads an answer into a page.
func addArchived(fsys fs.FS, page *health.RawPage, name string) error {
	file := path.Join(page.Stream, name) + archiveSuffix
	f, err := fsys.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(f, maxArchived+1))
	if err == nil && len(body) > maxArchived {
		err = errors.New("larger than an answer of the service")
	}
	if err != nil {
		return fmt.Errorf("fitbit: archive: %s: %w", file, err)
	}
	if at := info.ModTime(); at.After(page.Date) {
		page.Date = at.UTC()
	}
	bare, _, _ := strings.Cut(name, "~")
	page.Bodies = append(page.Bodies, health.RawBody{Name: bare, Body: body})
	return nil
}
