// Package fitbittest is a simulator of the legacy Fitbit Web API for tests and demonstrations, as it was until it was
// turned off in November 2026.
//
// A [Server] is an [http.Handler] that plays both hosts of the service at once: www.fitbit.com with its consent page and
// api.fitbit.com with tokens, data and subscriptions. Mount it anywhere; behind a prefix use [http.StripPrefix] and set
// [Config].BaseURL, because lists tell the whole address of their next page. It needs nothing but the standard library.
//
// The simulator is strict: what the real service refuses is refused with the same status and error. Codes live ten
// minutes and are single use, PKCE is checked, refresh tokens are single use, scopes are enforced for each resource, the
// ranges of each resource are limited, the 150 requests of an hour are counted for each person and end at the top of
// the hour. It also accepts what clients in the wild do: credentials in the header without padding or once more in the
// body, token parameters in the query, dates without leading zeros, version 1 of the sleep logs, expired tokens that are
// presented before they are refreshed.
//
// It is a small world as well. [Server.AddPerson] gives a person a history that depends only on [Config].Seed and the
// person's id. [Server.Days], [Server.Sleeps], [Server.Workouts] and their like tell the truth at any moment, also after
// the service has ended, so that the simulator of another service can go on with the same person. [Server.CatchUp]
// lets time pass, the Edit, Add and Delete methods change one thing, [Server.LateSync] changes past days as a tracker
// that was out of reach does.
//
// [Config].RetireAt turns the service off: from then on every address, those of OAuth included, answers 410.
// [Server.Fault] makes it misbehave on demand, [Server.Requests] tells what was asked of it, and [Server.Ledger] how
// often each code and token was presented. [Server.Deliver] sends notifications to a subscriber, signed, in batches.
//
// # Errors
//
// Refusals are {"errors":[{"errorType":...}],"success":false} with the statuses of the service, and 429 also in the form
// of what was in front of it from 2025 on ([Config].FrontRefusal). Methods that are called with an id nobody has panic:
// that is a mistake in the test, not a condition to handle.
//
// # Concurrency
//
// All methods of Server may be called from any number of goroutines, also while requests are served. Everything is
// guarded by one mutex, held while an answer is computed and not while it is written. Functions passed to the Edit
// methods must not call back into the Server. [Config].Now is called with the mutex held.
//
// # Limits
//
// Writing logs, badges, friends, alarms and the food database are not simulated: they answer 404. The body of the 410 of
// the real service is not known. The real service repeats a refresh for two minutes by some reports: off by default,
// see [Config].RefreshGrace.
package fitbittest
