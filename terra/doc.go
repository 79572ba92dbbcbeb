// Package terra connects to Terra, which is one API in front of the data of many
// providers: the client of the API, the adapter for the engine with its webhook,
// the stream of live samples, the catalogue of the providers behind it, and the
// credentials of its environments.
//
// # The service
//
// A user of Terra is one connection: one person at one provider. One of your
// people, named by a reference id of yours, may have several. [Client] makes the
// calls, by default at access.tryterra.co/api/v2; the older address,
// [LegacyBaseURL], answers the same. Every call carries the developer id and the
// API key of an environment in headers, except those that list providers, which
// take no credentials.
//
// People connect on the widget ([Client.WidgetSession]), or on the page of one
// provider ([Client.AuthURL]), or in a mobile application
// ([Client.MobileToken]). What the browser brings back proves nothing: a
// connection is there when the webhook tells of it, or [Client.UserInfo] does.
//
// Data is asked for by kind and span of time: [Client.Activity], [Client.Body],
// [Client.Daily], [Client.Sleep], [Client.Athlete], [Client.Menstruation] and
// [Client.Nutrition]. It comes in the answer or, with ToWebhook, at the webhook;
// [Outcome] says which. The end of the span is exclusive. An answer has to be
// ready within about 30 seconds at the service: ask for long spans through the
// webhook.
//
// Products of their own, which an account may not have, are planned workouts
// ([Client.CreateWorkout], [Client.PlanWorkout]), lab reports
// ([Client.UploadLabReport], [Client.LabReports]) and models
// ([Client.AnalysisModels], [Client.RunAnalysis]).
//
// # The adapter
//
// [NewProvider] makes Terra a source for the engine. One connection is one user of
// Terra; the source of its records has the provider behind it as Upstream. Up to
// 56 days are read page by page, 14 at a time; a longer span, and an answer that is
// too large, is asked for through the webhook and is complete when all its parts
// have come. A flow begins with a widget session, or on the page of the one
// provider that is offered, with the flow's state as reference id; it ends with the
// signed auth event, or when userInfo confirms it. A consent that was taken back is
// told by a delivery, found out by any call, and by comparing the users of the
// environment. No call has a token of a person: the credential is the user id.
//
// # The webhook
//
// The engine's handler takes Terra's deliveries at /webhooks/terra, through
// [Provider]; [Provider.Handler] and [ParseWebhook] are for people with their own
// queue, [VerifySignature] for all others. A signature may be 26 hours old. Of the
// headers nothing but the signature is signed: the ordering timestamp, which orders
// the versions of a datum, counts as at most 5 minutes after the signed time. All
// events are acknowledged. Known ones that ask for nothing, such as healthcheck,
// are done with then; those that are not known, and lab reports, which are of no
// connection, are kept as dead letters for the host. A datum that cannot be mapped
// is a reason to read its stream. What an s3_payload event points to is fetched from hosts that are listed.
//
// # The stream
//
// [Client.Stream] hands over samples as devices measure them, and what was missed
// while the connection was broken. Who sends samples identifies itself with a
// token of [Client.ProducerToken].
//
// # Models
//
// The models follow Terra's data model 2022-03-16, name by name, and read older
// forms of it too. Members that are not known are ignored, numbers of enums that
// are not known are kept, and a member of a wrong type is left out and reported
// as a [Fault]. Numbers are exact ([Number]), and tell null from 0. Times keep
// the text they came as ([Timestamp]), because a day is cut from the text before
// any conversion. Dense samples stay bytes until they are read ([Samples]).
//
// # Environments
//
// [LoadEnv] reads the credentials of testing, staging or production.
// [NewCatalogue] has the providers with what is to be known of each before
// offering it.
//
// # Libraries
//
// Files of variables are read by github.com/joho/godotenv, the stream by
// github.com/coder/websocket.
//
// # Errors
//
// All failures are *providers.Error: Kind is the class, which errors.Is finds,
// and Code one of the Code constants, or a code of the HTTP layer. Both styles
// of error are read, the problem of RFC 9457 and the older message and status,
// also inside answers 200. Refused credentials are ErrInvalid with ClientFault:
// no call has a token of a person, so that none can be revoked by it. A span of
// more than 1825 days (rule r1) is ErrInvalid and not retried; more than 6000
// requested days of one user in an hour (rule r2) is ErrRateLimited with RetryAt.
// The withdrawn widget call is ErrRetired and names its successor. RequestID is
// the header terra-reference. A product that the account does not have is
// ErrForbidden.
//
// Calls that make something, or are billed, are not repeated: a person would have two
// connections. An error of theirs has Ambiguous set if the service may have
// acted.
//
// # Concurrency
//
// A [Client] and a [Provider] are safe for concurrent use and have no state per
// person but the limits that answers tell. [Client.Stream] ends its goroutines
// before it returns. Models and the [Catalogue] may be read concurrently.
//
// # Limits
//
// Answers are limited to 64 MiB, faults to 100 per document, and what the lists of
// one document take in memory to 64 MiB; samples stay bytes and do not count.
// Deliveries are limited to 64 MiB. One from 1 MiB on is received in a fixed amount
// of memory; when it is worked on, its data is in memory once, besides the records
// that it maps to. JSON nests at most 64 deep. A number whose digits do not fit 64 bits is a fault.
package terra
