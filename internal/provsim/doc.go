// Package provsim is a small strict health-data service for tests, and the
// adapter for it. It has what no single real service has: every way of
// rotating refresh tokens, signed webhooks that may carry data, and a ledger of
// all that it issued and was shown.
//
// [Service] is an http.Handler. A test serves it from the parent process, over
// real HTTP, and lets engines in child processes work against it; everything
// that a parent can ask a Service to do, a child can do by [Control]. The
// adapter is made by [New] and is an ordinary adapter over internal/httpx.
//
// # What the service demands
//
//   - GET /oauth/authorize: code flow with PKCE S256 (RFC 7636), a state, a
//     registered redirect address, compared as text. The callback carries iss
//     (RFC 9207). The parameter user says who consents, the first person if it
//     is absent; deny=1 refuses.
//   - POST /oauth/token: form, client credentials in the form or as Basic
//     authorization, no repeated parameter. A code works once within 30 s;
//     showing it again ends the grant it was exchanged for (RFC 6749, 4.1.2).
//   - POST /oauth/revoke: RFC 7009.
//   - GET /v1/daily (first, last: days), /v1/samples (from, to: milliseconds),
//     /v1/events (from, to, or since: a mark), each with page. Lists have rows,
//     next and, for events, mark.
//     A window longer than Config.LargeAfter is answered 202 with a reference,
//     and the rows come by deliveries.
//   - POST /v1/users (after): the people who have consented, with the client's
//     credentials in the form.
//   - GET /payload/{secret}: what a delivery points to, until it ends.
//   - GET and POST /v1/subscriptions, DELETE /v1/subscriptions/{id}.
//   - POST /control/{command}: see [Command]. No fault touches it.
//
// An access token that has ended is answered 401 with token_expired, one that
// is not known or was taken back 401 with invalid_token.
//
// # Deliveries
//
// A delivery is {"id", "version", "events": [...]}; see [Event]. It is signed
// in the header Provsim-Signature: "t=<Unix seconds>,v1=<hex>", where v1 is
// HMAC-SHA256 over "<t>.<body>", once for each secret that is in force.
//
// # Errors
//
// Methods of Service return plain errors, for people who read test output.
// Errors of the adapter are *providers.Error.
//
// # Concurrency
//
// Service and Provider are safe for concurrent use. A Service starts
// goroutines in [Service.Run] only, which waits for them.
//
// # Limits
//
// Time is real and lifetimes are short by [Config]. Everything is kept in
// memory and for ever. Texts of tokens are predictable from the seed: this is
// no service for real data.
package provsim
