// Package failpointtest runs parts of a test in processes of their own, which
// can be killed, stopped and continued, at a failpoint or at any moment.
//
// A child process is the test binary of the same package, built with the tag
// failpoints and without the race detector. Its entries are named in TestMain:
//
//	func TestMain(m *testing.M) {
//		if status, child := failpointtest.Enter(entries); child {
//			os.Exit(status)
//		}
//		goleak.VerifyTestMain(m)
//	}
//
//	var entries = map[string]func() error{"refresh": refreshInChild}
//
// A test then starts one and talks with it by lines on its standard output:
//
//	p := failpointtest.Start(t, failpointtest.Config{
//		Entry: "refresh", Failpoint: "after_send=kill", Env: []string{"STORE=" + path},
//	})
//	p.WaitFor("failpoint after_send kill")
//	require.Equal(t, syscall.SIGKILL, p.Wait().Signal)
//
// # Errors
//
// What cannot go wrong in a sound test (a build that fails, a line that does
// not come) fails the test at once, with what the child wrote to standard
// error.
//
// # Concurrency
//
// Start and the methods of different processes may be called concurrently, each
// from the goroutine of its test or, as with all that fails a test, from one
// that expects to be ended by it. The methods of one process are for one
// goroutine, except Kill, Stop and Continue.
//
// # Limits
//
// The go command must be there, and the working directory must be the folder
// of the package, as it is when a test starts. The signals exist on Unix.
package failpointtest
