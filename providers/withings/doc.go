// Package withings connects the Withings public API of the OAuth 2.0 era:
// body measurements, activity, workouts, sleep, electrocardiograms, devices
// and goals.
//
// # The service
//
// Data lives at wbsapi.withings.net, the consent page at
// account.withings.com; both addresses are configurable, because the United
// States medical cloud has hosts of its own. Every service takes a POST with a
// form and an action, and answers HTTP 200 with an envelope of a status number
// and a body: errors are read from the status.
//
// An access token lives three hours. A refresh yields a new pair; the old
// refresh token dies eight hours later or with the first use of the new access
// token. A new pair must therefore be stored before it is used. Authorization
// codes live 30 seconds and redirect addresses are https and public.
//
// # Scopes
//
// user.metrics covers measures and heart, user.activity covers activity,
// intraday, workouts, sleep and sleep_summary, user.info covers devices and
// goals.
//
// # Streams and what is mapped
//
//   - measures: one body record per measure group, key measures/<grpid>. Every
//     measurement type in use maps to a metric with its exact decimal; a type
//     that is not known is kept as a text withings_meastype_<type>. Positions
//     become parts, objectives (category 2) carry the statistic "goal", and the
//     attribution becomes the method, ambiguous where the scale is not sure who
//     stood on it.
//   - activity: one daily record per day and source, key
//     activity/<date>/<source>.
//   - intraday: one samples record per day that was asked for and device, key
//     intraday/<day>/<source>, with steps, distance, energy, heart rate and the
//     like as series.
//   - workouts: one activity record per workout, key workouts/<id>.
//   - sleep_summary: one sleep record per night or nap, key sleep_summary/<id>.
//   - sleep: the stages and the dense signals of the nights that begin between
//     noon of the day before and noon of the day, key sleep/<day>/<source>.
//   - heart: one ecg record per recording, key heart/<signalid>, with the signal
//     as a series; a row without a recording is a body record, key
//     heart/<timestamp>/<source>.
//   - devices and goals: the state of now, keys devices/<deviceid> and
//     goals/current.
//
// Numbers are kept exactly as sent. A heart or respiratory rate of 0 in a
// summary or a signal means that there is none and is left out. Rows that
// Withings echoes from other applications carry the service they come from in
// Source.Upstream, so that a reader can rank them last.
//
// # Days and windows
//
// Activity, workouts and sleep summaries are asked for by civil day, and the
// service says in each row which day it files the row under. Intraday and sleep
// are asked for by instants. Their streams take civil days nevertheless, one at
// a time, and turn each into its 23 to 25 hours in the person's zone (UTC as
// long as the zone is not known): the key is the day that was asked for and not
// anything computed from an instant, so that asking again finds the same record
// under any zone, the windows tile time without gaps, and each series is
// complete for exactly the window its answer covers. Samples outside of sessions
// are owned by their source and not by the record, so points that a corrected
// zone moves to the neighbouring day replace themselves. The nights of sleep are
// sessions: learn the zone, which measures and devices tell, before fetching
// them, because noon elsewhere may be in the middle of a night.
//
// # Cursors
//
// The mark of measures is the updatetime of the first answer. The other streams
// with changes have none, and take the server's Date of the first answer minus
// one hour: rows arrive late and the servers' clocks differ. Our own clock is
// never used.
//
// # Notifications
//
// A notification is a form with a user, a kind (appli) and a period. It carries
// no data and no signature, so that it is a reason to read and nothing else:
// that somebody deleted the account or took the consent back shows in the
// answer to the next call. The service checks an address with a HEAD request,
// waits two seconds for an answer, and repeats a notification for about five
// hours.
//
// # Errors
//
// All failures are *providers.Error; errors.go has the whole table. Code holds
// the service's status number, or a fixed word. Status 601 is ErrRateLimited
// with RetryAt from the wait_seconds of the answer, an unknown status is
// ErrUnavailable. One datum that cannot be mapped is quarantined and the others
// of the page are not affected.
//
// # Concurrency
//
// A Provider is safe for concurrent use and has no state per person.
//
// # Limits
//
// 120 requests per minute for all users of an application together, and no two
// identical calls within ten seconds: the service answers both with status 601.
// One page of heart makes up to 21 requests, one of intraday or sleep up to 2,
// all others make 1. A page with more than 10,000 data that are not usable is
// ErrMalformed. Zones come from the zone database of the process; a name it does
// not have counts as not told.
package withings
