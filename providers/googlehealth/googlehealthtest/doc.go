// Package googlehealthtest is a simulator of the Google Health API v4 for tests and demonstrations.
//
// A [Server] is an [http.Handler] that plays all hosts of the service at once: the consent page, the token service, the
// data service, the management of subscribers and the address of the public keyset. Mount it anywhere; behind a prefix
// use [http.StripPrefix]. It needs nothing but the standard library.
//
// The simulator is strict: filters go through a parser of their own and are refused with the reasons of the service,
// windows of rollups must be aligned and within 90 or 14 days, page tokens are opaque and bound to all parameters, a
// first page may be empty and still name a next one, members that are zero are left out, 64-bit integers are strings.
// Codes are single use, refresh tokens stay, and end after seven days in testing mode.
//
// It is also a small world. [Server.AddUser] gives a user a history that depends only on [Config].Seed and the user's
// id, or on a [Source]: another simulator whose people are served here in the shapes of this service, which is how one
// person moves from the Fitbit Web API to this one. The world stands still until it is told to move:
//
//   - [Server.AdvanceDay] and [Server.CatchUp] let time pass: new data and a growing current day.
//   - [Server.EditDay], [Server.EditSleep], [Server.EditWorkout], [Server.AddWorkout], [Server.DeleteSleep],
//     [Server.DeleteWorkout] and [Server.DeleteReading] make one change, also in the past.
//
// [Server.Fault] makes the service misbehave on demand, [Server.Requests] tells what was asked of it, and
// [Server.Ledger] how often each code and token was presented. Changes queue notifications for subscribers, which
// [Server.Deliver] sends, signed, with repetitions.
//
// # Errors
//
// Refusals are the errors of Google's APIs: a code, a status, and an ErrorInfo with a reason. The token service refuses
// as RFC 6749 says. Methods that are called with a user id nobody has panic: that is a mistake in the test.
//
// # Concurrency
//
// All methods of Server may be called from any number of goroutines. Everything is guarded by one mutex, held while an
// answer is computed and not while it is written. Functions passed to the Edit methods must not call back into the
// Server. The Server starts no goroutines.
//
// # Limits
//
// What nobody documents is not simulated: the order of points of one time, quotas per project, the export of TCX. Points
// are not written by clients. Only users, types and operations of the adapter's discovery revision (20261030) exist.
package googlehealthtest
