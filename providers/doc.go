// Package providers defines the contract between the sync engine and the
// adapters that speak to health-data services.
//
// An adapter implements [Provider]. Abilities beyond fetching are optional
// interfaces, found by type assertion:
//
//   - [Authorizer] when people connect their account through the adapter.
//   - [Refresher] when access tokens expire and can be renewed.
//   - [Recoverer] when the service gives a new pair where refresh tokens were lost.
//   - [Migrator] when a connection of OAuth 1.0 can be moved to OAuth 2.0.
//   - [Revoker] when a grant can be taken back.
//   - [Subscriber] when the service sends notifications that have to be asked for.
//   - [WebhookParser] when the service sends anything to a webhook, and with it
//     [WebhookProber] when the service checks the endpoint, [WebhookKeyer]
//     when the keys of its signatures are published and replaced,
//     [WebhookVerifier] when deliveries may be large, [PayloadFetcher] when
//     they may only point to the data, and [WebhookSorter] when those are to be
//     found without reading the others.
//   - [Confirmer] when the outcome of a connect flow can be asked for.
//   - [Lister] when the service tells who has connected an account.
//   - [Remapper] when stored answers can be mapped again by newer code.
//   - [Archiver] when answers that were kept in files can be imported.
//
// What every mapping needs has one meaning here: [AddText] and [AddValue] for what
// a record may hold, [KeyPart] for keys, [LoadZone] for names of time zones,
// [Quarantine] and [InvalidReason] for what is set aside.
//
// Facts that change how the engine works are fields of [Capabilities]. The
// suite in package providertest checks every ability it finds.
//
// # Errors
//
// An adapter reports failures as *[Error] with one of the error classes of
// this package as Kind; one file of the adapter, errors.go, does all the
// classifying. Messages never hold tokens, bodies or health values. An HTTP
// answer 200 whose body says "error" is an error.
//
// # Concurrency
//
// A Provider is safe for concurrent use and serves all users of a process. It
// holds no per-user state: credentials go in as values, and there is no hidden
// refresh.
//
// # Limits
//
// One Fetch returns one page and never sleeps long: an adapter that is told to
// wait longer than a few seconds returns [ErrRateLimited] with RetryAt set.
package providers
