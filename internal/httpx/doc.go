// Package httpx is the HTTP client that all adapters share: one request with
// every answer bounded, retries around sending and decoding, request budgets,
// next-page links that cannot leave the service, and the callbacks, forms and
// token answers of OAuth 2.0.
//
// From the outside in, a call is [Call] (retry, one deadline per attempt), the
// rate limit, observation, authorization, and the transport. Authorization is
// inside observation, so that what is observed never holds a secret, and inside
// the retry, so that each attempt is signed anew.
//
// # Errors
//
// All errors of [Client.Send] and [PostToken] are *providers.Error. Their text
// holds no URL, no header and no body. Failures of the network are
// providers.ErrUnavailable; answers that break a bound are
// providers.ErrMalformed with one of the codes of this package. Ambiguous is
// set when the request may have reached the service.
//
// # Concurrency
//
// A [Client] is safe for concurrent use and starts no goroutine of its own. A
// [LoopGuard] belongs to one goroutine.
//
// # Limits
//
// Redirects are refused. Bodies are limited after decompression, to 16 MiB
// unless configured, and above 1 MiB may be at most 200 times as large as what
// came over the wire. Headers are limited to 64 KiB, token answers to 64 KiB,
// next-page links to 4 KiB. A wait that the service asks for counts as at most
// 15 minutes. The default transport uses no proxy, because a proxy would
// resolve names behind the dial guard.
package httpx
