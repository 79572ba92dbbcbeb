// Package storetest is the conformance suite of the store contract. A driver
// that passes [Run] can be put under the sync engine:
//
//	func TestStore(t *testing.T) {
//		var path string
//		storetest.Run(t, storetest.Harness{
//			Fresh: func(tb testing.TB) { path = filepath.Join(tb.TempDir(), "test.db") },
//			Open:  func(tb testing.TB) store.Store { return open(tb, path) },
//		})
//	}
//
// Each case has an identifier, the rule it checks in words, and begins with
// empty data. Cases are functions that return errors, so that [Check] can be
// pointed at stores that break a rule on purpose, and the suite itself is
// tested.
//
// # Errors
//
// [Check] returns one [*Failure] per broken case, joined.
//
// # Concurrency
//
// A suite runs its cases one after another; several suites may run at once if
// their harnesses share nothing.
//
// # Limits
//
// Cases about time that passes run in a testing/synctest bubble where the
// harness allows it, and otherwise wait for real time to pass. Crashes of the
// process or the machine are not simulated here: a driver tests them itself.
package storetest
