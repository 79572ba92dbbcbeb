package store_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memoryHarness runs the suite on memory stores.
func memoryHarness() storetest.Harness {
	var data *store.Memory
	return storetest.Harness{
		Fresh:  func(testing.TB) { data = store.NewMemory() },
		Open:   func(testing.TB) store.Store { return data.Reopen() },
		Bubble: true,
	}
}

func TestMemory(t *testing.T) { storetest.Run(t, memoryHarness()) }
