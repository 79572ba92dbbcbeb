// Package withingstest is a simulator of the Withings public API (the OAuth 2.0 era) for tests and demonstrations.
//
// A [Server] is an [http.Handler] that plays both hosts of the service at once: the account host with its consent
// page and the API host with the token, signature, measure, activity, sleep, heart, user and notification services.
// Mount it anywhere; behind a prefix use [http.StripPrefix]. It needs nothing but the standard library, so a service
// of any kind can be tested against it, not only users of this module.
//
// The simulator is strict: what the real service refuses is refused with the same status code. Codes are single use and
// live 30 seconds, refresh tokens rotate, nonces are single use, signatures are verified, the two ways of choosing a
// time range exclude each other, scopes are enforced, the 120 requests per minute of an application and the
// "identical call within 10 seconds" rule hold.
//
// It is also a small world. [Server.AddUser] gives a user devices and a history that depends only on [Config].Seed
// and the user's id: several measure groups per weigh-in, blood pressure, temperature, activity days, intraday
// points, workouts, nights with their segments, ECG recordings. The world stands still until it is told to move, so
// that a test can compare what it stored with [Server.Truth] at any moment:
//
//   - [Server.AdvanceDay] and [Server.CatchUp] let time pass: new data and a growing row for the current day.
//   - [Server.AddMeasure], [Server.AddLate], [Server.AddSleep], [Server.EditMeasure], [Server.EditActivity],
//     [Server.EditNight], [Server.DeleteMeasure], [Server.DeleteNight] and [Server.DeleteWorkout] make one change.
//   - [Server.Evolve] does a bit of everything and says exactly what it did.
//
// [Server.Fault] makes the service misbehave on demand, [Server.Requests] tells what was asked of it, and
// [Server.Ledger] how often each code and token was presented.
//
// # Errors
//
// As at the real service, refusals of the API host are HTTP 200 with {"status":N,"body":{},"error":"..."}; the Status
// constants name the codes in use. The consent page refuses with HTTP 400 and {"errors":[{"message":"..."}]}. Only a
// method other than GET and POST (405) and injected faults answer with another HTTP status. Methods that are called
// with a user id nobody has panic: that is a mistake in the test, not a condition to handle.
//
// # Concurrency
//
// All methods of Server may be called from any number of goroutines, also while requests are served. Everything is
// guarded by one mutex, held while an answer is computed and not while it is written. Functions passed to the Edit
// methods and [Fault].Rewrite must not call back into the Server. [Config].Now is called with the mutex held.
//
// # Limits
//
// Contract-only services (user activation, shipments, raw data, stethoscope, surveys) and the OAuth 1.0 API of before
// December 2018 are not simulated; they answer status 2554 or 2556. Notification subscriptions are kept and listed but
// nothing is delivered to the callback and it is not probed. Offsets count rows of the filtered answer, newest first,
// as a database would: rows that are deleted while a client pages shift later rows, as in reality. Where the service's
// behaviour is not public the harsher reading was taken: presenting a rotated refresh token once more within its grace
// period yields yet another pair and kills the unused pair of the first time.
package withingstest
