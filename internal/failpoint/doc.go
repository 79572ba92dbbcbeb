// Package failpoint names the places at which a proof ends, stops or delays
// the process.
//
// Without the build tag failpoints, [Hit] is empty and costs nothing. With it
// the environment variable VITALMUX_FAILPOINT says what happens where:
//
//	VITALMUX_FAILPOINT=after_send=kill;after_persist=sleep:200ms@3
//
// is a list, separated by semicolons, of name=action[@n]. The actions are
// kill (SIGKILL to the process itself), stop (SIGSTOP, until somebody sends
// SIGCONT), panic, and sleep:DURATION as [time.ParseDuration] reads it. n
// counts the hits of the name from 1, and 1 is the default; each entry acts
// once, at exactly its hit. One name may have several entries.
//
// Before it acts, a failpoint writes the line "failpoint NAME ACTION" to
// standard output, so that whoever started the process knows what happened.
// Package failpointtest starts such processes.
//
// # Errors
//
// A process whose VITALMUX_FAILPOINT cannot be read panics when it starts: a
// proof with a misspelt action would prove nothing.
//
// # Concurrency
//
// Hit may be called from any number of goroutines. Of concurrent hits of one
// name exactly one is the nth.
//
// # Limits
//
// The signals exist on Unix. A name that no code hits is not noticed here; the
// harness notices that the announced line does not come.
package failpoint
