// Package faultstore puts faults between an engine and its store: errors that
// the contract of package store allows and a healthy store hardly ever returns.
//
//	s := faultstore.New(inner, faultstore.Config{Seed: seed, Rate: 0.1})
//	s.Fail("SwapCredential", 3, faultstore.Busy) // the next three calls
//
// Faults come from three places, the first that has one for a call counts: the
// script of the method ([Store.Fail]), an outage of all methods
// ([Store.Outage]), and chance ([Config]). Chance depends on the seed, the
// method and the number of the call only, so that the nth call of a method
// meets the same fault in each run, however calls of different methods mix.
//
// A read is never answered with old data: the contract does not allow it.
//
// # Errors
//
// Busy is [store.ErrBusy]. LostCall and LostReply are [ErrTimeout], Unavailable
// is [ErrUnavailable].
//
// # Concurrency
//
// A Store may be used concurrently, like the one that it wraps.
//
// # Limits
//
// Faults meet the methods that read and write connections, credentials,
// commits, leases, connect flows, the schedule, the inbox, jobs and settings.
// The other methods (reading data, the change feed, erasing, closing) go
// straight through.
package faultstore
