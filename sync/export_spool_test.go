package sync

import (
	"os"
	"testing"
)

// SpoolMode makes a file for a body, ends it, and returns its mode.
func SpoolMode(t testing.TB, dir string) os.FileMode {
	e := &Engine{cfg: Config{SpoolDir: dir}}
	s, err := e.newSpool()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	info, err := s.file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}
