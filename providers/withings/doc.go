// Package withings connects the Withings public API: body measurements,
// activity, workouts, sleep, electrocardiograms, devices and goals. [New] is for
// the OAuth 2.0 era, [NewLegacy] for the OAuth 1.0 era that ended in November 2018.
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
//     activity/<date>/<source>. The source of Withings' own devices (brand 1) is
//     "withings", that of its application on a telephone (brand 1, is_tracker
//     false) "withings_app", that of others their brand and model. The row of two
//     devices of Withings on one date that was modified last is the day; the other
//     one is set aside if both are in one answer, and intraday has the samples of
//     both.
//   - intraday: one samples record per day that was asked for and device, key
//     intraday/<day>/<source>, with steps, distance, energy, heart rate and the
//     like as series.
//   - workouts: one activity record per workout, key workouts/<id>.
//   - sleep_summary: one sleep record per night or nap, key sleep_summary/<id>.
//   - sleep: the stages and the dense signals of the nights that begin between
//     noon of the day before and noon of the day, key sleep/<day>/<class>, where the
//     class is activity_tracker or sleep_monitor. Of several devices of one class
//     the first by name has this key, and the others add their name to it; a device
//     of another class has its name instead.
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
// under any zone, the windows tile time without gaps, and each series is complete
// for exactly the window its answer covers. The first day or night after a
// journey begins where the last one ended. Samples outside of sessions are owned
// by their source and not by the record, so points that a corrected zone moves to
// the neighbouring day replace themselves. The nights of sleep are sessions:
// learn the zone, which measures and devices tell, before fetching them, because
// noon elsewhere may be in the middle of a night.
//
// # The OAuth 1.0 era
//
// The legend of that era is that the service signed a base string of its own. It
// did not: the string is that of RFC 5849 with the query folded into the
// parameters (sections 3.4.1.2 and 3.4.1.3), and what looks like a stray ampersand
// is one of the two that join its three parts (section 3.4.1.1). What really
// breaks stock libraries is transport: everything travels in the query, by GET,
// the request token comes without oauth_callback_confirmed, the access token with a
// userid that each data call must name, and the address of the consent page is
// signed. Package oauth1 does all that, and its comment has the service's own
// example of 2015, worked out.
//
// [Legacy] reads the five services that the two eras share, from the hosts and in
// the shapes of that time, and gives the same records: same keys, metrics and
// units. A connection that is moved to [New] by the engine's Migrate, which calls
// [Provider.Migrate], therefore reads nothing twice. What differs:
//
//   - elevation was in metres, elevation_gain, and is in floors now,
//     floors_climbed.
//   - rows named no device, so that keys do not either where rows have no id of
//     their own. One answer of sleep names one class of devices, also where two
//     saw the night: the segments of both are in that one's record, and the other
//     one's record comes with the era of today.
//   - trackers did not tell REM from light sleep.
//   - workouts had met_cumulative and exercise_duration, which are not told today.
//   - kinds of measures that came later, and what other applications told, are
//     missing, and so are the fields that came later.
//   - rows did not tell a day that a telephone counted from one of a device. Such a
//     day has the key of a device then, and withings_app now.
//   - a day's activity of a single date lies flat in the body. One of a date
//     without data is an empty list.
//   - getmeas alone could be asked for what changed. The others are read in
//     windows.
//   - rows are as new as the answer that had them (Rev.Order). A row of today that
//     was not modified since then is the same datum and changes nothing; one that
//     was modified since takes its place.
//   - the zone of the latest day is taken for the person's: there was no profile.
//     A day of more than a week ago counts only as long as no zone is known.
//   - getintradayactivity, which took a permission that few applications had, is
//     not read.
//
// Stored answers name their era, and Remap of either adapter maps both.
//
// Each adapter refuses the other era's credentials as the host's mistake, without
// a request: nobody is asked to consent again because a connection was not moved
// yet. So is a signature that the service refuses (342), after one more try with
// another nonce.
//
// # Cursors
//
// The mark of measures is the updatetime of the first answer. The other streams
// with changes have none, and take the server's Date of the first answer minus
// one hour: rows arrive late and the servers' clocks differ. So do measures where
// updatetime is more than one hour after the Date. Our own clock is never used.
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
// of the page are not affected. In the OAuth 1.0 era a refused token (249, 250,
// 283, 328, 401) is ErrReauth, and a refused signature or application (100, 342,
// 2554, 2556) ErrInvalid with ClientFault.
//
// # Concurrency
//
// A [Provider] and a [Legacy] are safe for concurrent use and have no state per
// person.
//
// # Limits
//
// 120 requests per minute for all users of an application together, and no two
// identical calls within ten seconds: the service answers both with status 601.
// In the OAuth 1.0 era it was 60.
// One page of heart makes up to 21 requests, one of intraday or sleep up to 3,
// all others make 1. A page with more than 10,000 data that are not usable is
// ErrMalformed. Zones come from the zone database of the process; a name it does
// not have counts as not told.
package withings
