package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	"github.com/vitalmux/vitalmux/store/storetest"
)

func TestContract(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	storetest.Run(t, storetest.Harness{
		Bubble:    true,
		Sequences: proof.N(3, 50),
		Fresh: func(tb testing.TB) {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				require.NoError(tb, os.RemoveAll(path+suffix))
			}
		},
		Open: func(tb testing.TB) store.Store {
			s, err := sqlitestore.Open(tb.Context(), path, nil)
			require.NoError(tb, err)
			return s
		},
	})
}
