package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/storetest"
)

func TestCopyToMemoryAndBack(t *testing.T) {
	storetest.RunCopy(t, func() store.Store { return open(t, filepath.Join(t.TempDir(), "store.db"), nil) },
		func() store.Store { return store.NewMemory() })
}

func TestCopyFromMemoryAndBack(t *testing.T) {
	storetest.RunCopy(t, func() store.Store { return store.NewMemory() },
		func() store.Store { return open(t, filepath.Join(t.TempDir(), "store.db"), nil) })
}
