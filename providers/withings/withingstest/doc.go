// Package withingstest is a simulator of the Withings public API for tests and demonstrations, with OAuth 2.0 as it is and
// with OAuth 1.0 as it was until November 2018.
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
// # The OAuth 1.0 era
//
// The same handler, users and data also answer as the service did to applications with a consumer key: the Legacy
// constants name the paths of the three legs, and a request to one of the services belongs to that era if it carries an
// OAuth signature. [Server.LegacyLogin] makes a token, [Server.Authorize] consents to an address of either era, and the
// pair "token:secret" becomes an OAuth 2.0 grant when it is presented as a refresh token. What the service's rules were
// is not known in every point, or changed in its last year: each such point is a switch of [LegacyConfig].
//
// The data is that of the devices of the time: measure types up to 91 and without device, dates of creation or
// modification; activity without rows of other applications, with [MetresPerFloor] metres of elevation for each floor;
// nights without those of other applications, in which a tracker counts REM as light sleep.
//
// # Notifications
//
// With [Config].Callbacks set the service checks an address by HEAD, GET and an empty POST before it takes a
// subscription, and changes of a user's data make notifications for those who subscribed to them. [Server.Deliver]
// sends those that are due, [Server.Run] does so as time passes, and [Server.Announce] makes one of any content. Kinds
// 1, 2, 4, 16, 44, 50, 51, 54 and 58 come from changes, and 46 with action=unlink from [Server.Unlink].
//
// # Misbehaviour and accounts
//
// [Server.Fault] makes the service misbehave on demand, [Server.Requests] tells what was asked of it, and
// [Server.Ledger] how often each code and token was presented.
//
// # Errors
//
// As at the real service, refusals of the API host are HTTP 200 with {"status":N,"body":{},"error":"..."}; the Status
// constants name the codes in use. The consent page refuses with HTTP 400 and {"errors":[{"message":"..."}]}. The
// token service without envelope, [TokenPath], refuses as the consent page does. Only a method other than GET and POST
// (405) and injected faults answer with another HTTP status. Methods that are called
// with a user id nobody has panic: that is a mistake in the test, not a condition to handle.
//
// # Concurrency
//
// All methods of Server may be called from any number of goroutines, also while requests are served. Everything is
// guarded by one mutex, held while an answer is computed and not while it is written, nor while a callback address is
// asked. Functions passed to the Edit methods and [Fault].Rewrite must not call back into the Server. [Config].Now is
// called with the mutex held. Nothing runs by itself: [Server.Run] is the caller's goroutine.
//
// # Limits
//
// Contract-only services (user activation, shipments, raw data, stethoscope, surveys) are not simulated; they answer
// status 2554 or 2556. Of the OAuth 1.0 era, requests without a signature (userid and publickey) are not simulated
// either, nor are notifications of kinds 52, 53 and 55 made in any era. Offsets count rows of the filtered answer,
// newest first, as a database would: rows that are deleted while a client pages shift later rows, as in reality. Where
// the service's behaviour is not public the harsher reading was taken: presenting a rotated refresh token once more
// within its grace period yields yet another pair and kills the unused pair of the first time, the same holds for an
// OAuth 1.0 pair that is exchanged, and its token ends when the access token it was exchanged for is first used.
package withingstest
