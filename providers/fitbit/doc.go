// Package fitbit speaks the legacy Fitbit Web API.
//
// # The service has ended
//
// Google turned the legacy interface and its OAuth endpoints off on 2 November
// 2026: every request is answered with 410. The adapter then reports
// providers.ErrRetired and names its successor, the provider googlehealth,
// which has the data of the same people after a new consent. The adapter stays
// useful for archives ([Provider.MapArchive]), replays, self-hosted mirrors and
// tests, and in case of a postponement.
//
// # The service
//
// Data, tokens and subscriptions live at api.fitbit.com, the consent page at
// www.fitbit.com; both addresses are configurable. Authorization uses PKCE, the
// application proves itself in the header. An access token lives eight hours. A
// refresh token has no end of its own and is single use: the pair a refresh
// yields must be stored before it is used, because a pair that is lost takes a
// new consent. Numbers come in metric units, because no Accept-Language is sent.
//
// # Streams and what is mapped
//
// Keys hold the service's log id where there is one, else the civil day, else
// the local time as it was printed.
//
//   - profile, devices, lifetime, activity_goals, body_goals, food_goals,
//     sleep_goal, rhythm_profile: the state of now.
//   - activity: the time series of a day's activity in one record,
//     activity/<date>; active_energy is the series of activity calories, of
//     which 30 days are answered at once; tracker is the same without what was
//     logged by hand, with the part "tracker".
//   - daily: what only the day's summary tells, daily/<date>: goals, distances
//     by intensity, energy by other methods.
//   - active_zone_minutes, heart (resting heart rate and zones), hrv, spo2,
//     breathing, breathing_stages, skin_temperature, cardio_fitness,
//     food_totals: one record per day. A range of oxygen uptake has its ends as
//     minimum and maximum, and its middle as an estimate.
//   - hrv_intraday, spo2_intraday: series of a night, in a record of its day.
//   - heart_intraday, activity_intraday, active_zone_minutes_intraday: series
//     of a day, in a samples record.
//   - workouts: the activity log list, workouts/<logId>. routes are their
//     recordings in the Training Center format, observations routes/<logId> (a
//     second activity would count twice), with position, altitude, distance and
//     heart rate as series and laps as segments.
//   - sleep: sleep/<logId>, classic and with stages, of versions 1.2 and 1.
//     Short awakenings are laid over the stages and kept as a track of their
//     own. A log that is still worked on is ErrUnavailable.
//   - weight, fat, core_temperature: body records. body_bmi, body_weight and
//     body_fat are the series that carry the last value forward: they have the
//     statistic "end" and are estimates.
//   - food, water: one record per entry, and for food one of the day.
//   - ecg, rhythm_alerts: by their local time, for they have no id.
//
// No number is kept twice: the totals of a day are of the time series and not
// of the summary as well, body fat is of the fat log and not of the weight log,
// the energy and the water of a day are of food_totals. MapArchive maps a
// summary whole, because an archive may hold nothing else.
//
// Codes that are not known are kept as they came. A zero in a time series may
// mean that the tracker was not worn: the service does not tell.
//
// # Days and times
//
// Most times are local, without an offset. They float as long as the person's
// zone is not known: the profile tells it, as that of now. Within one sleep the
// service's clock keeps running across a change of clocks, and so is it read.
// Times of a series that the clock does not show on that day are set aside, and
// so are those of the first day after a journey east by which the last day at home
// was not over: the hours are of that day, whose readings stay.
//
// # Notifications
//
// A notification names a person and a day of one collection, and carries no
// data: it is a reason to read. It is signed with HMAC-SHA1 under the client
// secret. The service does not tell the address of a subscriber: see
// Config.CallbackURL.
//
// # Errors
//
// All failures are *providers.Error; errors.go has the whole table. Code holds
// the service's error type, or a fixed word. Both envelopes of 429 are
// ErrRateLimited with RetryAt from the budget's headers, else from Retry-After.
// Status 410 is ErrRetired anywhere but on Revoke, where it means done: it is
// never a revoked consent. One datum that cannot be mapped is quarantined and
// the others of the page are not affected.
//
// # Concurrency
//
// A Provider is safe for concurrent use and has no state per person, but for
// the budgets of the last hour.
//
// # Limits
//
// 150 requests an hour for each person, renewed at the top of the hour; the
// longest range of each endpoint is the stream's MaxWindow. The list behind routes
// has none, and is read by months. One page of activity makes 11 requests, of
// tracker 9, of activity_intraday 6, of routes up to 21, of the goals and of
// active_energy and food_totals 2, all others make 1.
// A page with more than 10,000 data that are not usable is ErrMalformed. Badges,
// friends, alarms and the food database are not read.
package fitbit
