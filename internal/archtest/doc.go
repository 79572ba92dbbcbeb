// Package archtest holds the rules about the shape of this repository and the
// test that enforces them: who may import whom, what a library package must
// not do to the process it is linked into, what is documented, and which
// modules the core depends on.
//
// The rules are data in rules_test.go. Each one is itself tested: a planted
// breach must be found by that rule and by no other.
//
// # Errors
//
// A breach fails the test with the name of the rule, the place, and what the
// rule is for.
//
// # Concurrency
//
// There is nothing to call.
//
// # Limits
//
// The graph of imports is the one of the platform the test runs on. The rules
// about source look at syntax and not at types; where that is not enough to be
// sure, they stay silent.
package archtest
