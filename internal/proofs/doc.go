// Package proofs holds the tests of promises that need real processes: engines
// on one store, a SQLite file or a redis-server that syncs each write, that are
// killed, stopped, told to end, given wrong clocks and cut off from their
// service.
//
// The test is the parent. It serves package provsim's service over HTTP,
// connects its people, and starts children: the same test binary, built with
// the tag failpoints and without the race detector, in which the real engine
// runs on the real driver with the real adapter. What a child did is judged by
// the service's ledger and by the store, never by the child's own word.
//
// # Errors
//
// A proof that fails prints its seed; VITALMUX_SEED repeats the random choices.
// The moments at which processes run are the machine's.
//
// # Concurrency
//
// Each world has a service and a store of its own. The proofs run in parallel,
// except those that measure times of answers.
//
// # Limits
//
// Pauses of the refresh protocol are too long to wait for. Where a proof needs
// one to be over, it starts a process whose clock is ahead by the pause, which
// is what a process that starts later is. SIGKILL takes a process away, not the
// machine: power loss is not tried here. Redis runs throughout, except in
// TestPeopleAfterFailovers, which kills its masters; what else its own end does
// is tried in package store/redis. With -short the proofs over Redis are left out.
package proofs
