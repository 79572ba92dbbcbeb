// Package terratest is a simulator of the Terra API (data model 2022-03-16) for tests and demonstrations.
//
// A [Server] is an [http.Handler] that plays all hosts of the service at once: the API host under [APIPath] and under
// [LegacyAPIPath], the widget and the consent pages a browser walks through, the object store that s3_payload events point
// to, and the streaming host with its token endpoints and its WebSocket. It also posts signed webhooks to the destinations
// it was given. Mount it anywhere; behind a prefix use [http.StripPrefix]. The stream is served with
// github.com/coder/websocket; everything else needs the standard library only.
//
// The simulator is strict: what the documentation says is refused is refused with the documented body. Credentials, dates,
// redirect addresses and bodies are checked; widget sessions live 15 minutes and end when they are used, mobile and
// stream tokens are single use, the limits r1 and r2 hold, webhooks are retried with backoff until they are acknowledged,
// and a destination that fails for a day is disabled. It accepts what clients are known to do: dates or unix seconds,
// booleans as True, resource in the query or in the body, GET /integrations without credentials.
//
// It is also a small world. [Server.AddUser], [Server.Consent] and [Server.ConnectMobile] give a person a connection with a
// history that depends only on [Config].Seed, the provider and the account. Providers have habits: how timestamps are
// written, which kinds of data there are, what is missing. The world stands still until it is told to move, so that a
// test can compare what it stored with [Server.Records] at any moment:
//
//   - [Server.AdvanceDay] and [Server.CatchUp] let data grow and send what is new.
//   - [Server.AddLate], [Server.Edit], [Server.ClearEnrichment], [Server.DeleteActivity] make one change and send it.
//   - [Server.Evolve] does a bit of everything and says exactly what it did.
//   - [Server.Push], [Server.PushRecord], [Server.SendTest] and [Server.EmitRaw] send without a change.
//
// The same record in the same state has the same body in an answer and in a webhook, apart from samples.
//
// [Server.Hold] collects webhooks, [Server.Deliver] posts them in any order and as often as wanted, [Server.Settle] waits
// until nothing is due, [Server.Advance] moves the clock. [Server.Fault] makes the service misbehave on demand,
// [Server.Requests] tells what was asked of it, and [Server.Ledger] what was issued and what was acknowledged.
// [Server.Admin] does the same over HTTP.
//
// # Errors
//
// Refusals of the API host are problem details (RFC 9457) or the older {"status":"error","message":"..."}; see
// [ErrorStyle]. Methods that are called with a user, key, destination or delivery that does not exist panic: that is a
// mistake in the test, not a condition to handle.
//
// # Concurrency
//
// All methods of Server may be called from any number of goroutines, also while requests are served. Everything is
// guarded by one mutex, held while an answer is computed and not while it is written. Functions in [Fault] and [Raw]
// must not call back into the Server. A Server with a destination has goroutines; [Server.Close] ends them.
//
// # Limits
//
// Routes, the Garmin backfill status and the admin surface of the service are not simulated. One report is made of each
// uploaded file, when [Server.FinishLabReport] or [Server.FailLabReport] says so, and models have no insight worth the
// name. Where its behaviour is not public one reading was taken: ranges select by the local day of a record's start,
// a large request without data announces 0 payloads, chunk numbers start at 1, the time in a signature is not renewed on
// a retry ([Config].RestampRetries), a destination is not slowed down after timeouts. Written data is kept for
// [Server.Written] and not part of what getters answer. Deliveries and their bodies are kept until the Server is gone.
package terratest
