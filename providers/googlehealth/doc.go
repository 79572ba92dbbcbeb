// Package googlehealth connects the Google Health API v4: the data of Fitbit
// trackers, Pixel watches, scales, phones and other applications in a person's
// Google Health account. It is the successor of the Fitbit Web API.
//
// # The service
//
// Data lives at health.googleapis.com, tokens at oauth2.googleapis.com, the
// consent page at accounts.google.com; all addresses are configurable. The wire
// types are written by hand after revision 20261030 of the discovery document.
// 64-bit integers are strings of JSON, members that are zero are left out, and a
// first page may be empty and still name a next one.
//
// # Consent
//
// Authorize asks for offline access and for consent each time: only then is
// there a refresh token. An access token lives an hour. The refresh token stays
// as it is, unless the Google Cloud project is in testing: then it ends after
// seven days, which Grant.EndsAt tells and the logger warns of. Token answers do
// not tell who the person is, so Exchange asks once more: Grant.UpstreamID is the
// healthUserId, and Grant.Aliases has the id at the Fitbit Web API (provider
// "fitbit") of people who came from there.
//
// Every scope is for reading, and one per group of data types: see the Scope
// constants. People can grant some and not others. [ScopeNutrition] is documented
// but missing in the discovery document: a project that may not ask for it leaves
// it out of Config.Scopes, because one scope that is refused ends the whole
// consent.
//
// # Streams and what is mapped
//
// A stream is named after its data type, with underscores. By default points are
// those that the service reconciles among all sources, without a device;
// Config.BySource reads those of each source instead.
//
//   - sleep, exercise, nutrition_log, hydration_log, electrocardiogram,
//     irregular_rhythm_notification: one record per session, key
//     sleep/<id of the data point>.
//   - weight, body_fat, height, blood_glucose, core_body_temperature, vo2_max,
//     run_vo2_max, respiratory_rate_sleep_summary: one record per reading, key
//     weight/<id>, or weight/<time>[/<source>] for a point without an id, where
//     the time is the one the service prints, to the millisecond. What
//     respiratory_rate_sleep_summary tells is of the day of its night, a daily
//     record; the whole night is the part "asleep".
//   - daily_resting_heart_rate, daily_heart_rate_variability,
//     daily_heart_rate_zones, daily_oxygen_saturation, daily_respiratory_rate,
//     daily_sleep_temperature_derivations, daily_vo2_max: one daily record per
//     civil day, key daily_vo2_max/<day>[/<source>].
//   - steps_daily, distance_daily, floors_daily, altitude_daily,
//     total_calories_daily, active_energy_burned_daily, active_minutes_daily,
//     active_zone_minutes_daily, sedentary_period_daily, heart_rate_daily,
//     time_in_heart_rate_zone_daily, calories_in_heart_rate_zone_daily,
//     swim_lengths_data_daily, hydration_log_daily, nutrition_log_daily: what the
//     service makes of a civil day, key steps_daily/<day>.
//   - heart_rate, heart_rate_variability, oxygen_saturation, steps,
//     active_zone_minutes: dense points as series, one samples record per day that
//     was asked for and source, key steps/<day>[/<source>]. How a point was
//     recorded is no part of the source.
//   - settings, profile, identity, devices, irn_profile: the state of now.
//
// Optional streams, which Config.Streams has to name: distance, floors, altitude,
// active_energy_burned, active_minutes, activity_level, basal_energy_burned,
// sedentary_period, swim_lengths_data and time_in_heart_rate_zone as dense points;
// steps_hourly and the other sums by the hour of UTC (distance, floors, altitude,
// total_calories, active_energy_burned, active_minutes, active_zone_minutes,
// sedentary_period, heart_rate, time_in_heart_rate_zone,
// calories_in_heart_rate_zone, swim_lengths_data, hydration_log, nutrition_log);
// weight_daily and weight_hourly and the other means (body_fat, blood_glucose,
// core_body_temperature, run_vo2_max); the personal ranges
// daily_resting_heart_rate_range and daily_heart_rate_variability_range;
// menstrual_period, ovulation_test, moods, symptoms.
//
// Points of intervals stand at the start of their interval. A point of steps,
// distance, floors or altitude without a value is a zero: the tracker was worn. A
// day or an hour that is not there is one on which it was not. The service adds up
// the active zone minutes of each zone; their total is computed, and flagged so.
// Short awakenings and the time out of bed are laid over the stages of a night, and
// short awakenings are kept as a track of their own as well. Numbers are exact;
// of dense ones what is beyond twelve decimals is rounded.
//
// # Time
//
// Instants come with the offset of then and there, which is kept. Where the
// offset is missing the civil time tells it; an instant with neither is resolved
// in the person's zone, which the stream settings tells; a civil time alone stays
// floating. Data are asked for by the civil day on which they were taken,
// whatever the zone, and sleep by the day on which it ends. Dense points and sums
// by the hour are asked for by instants: their streams take a civil day and turn
// it into its 23 to 25 hours in the person's zone (UTC as long as it is not
// known), so that the days partition time and each series is complete for its
// window. The first day after a journey begins where the last one ended. Days of
// hours begin at a whole hour of UTC.
//
// # Changes
//
// The service cannot be asked for what changed, and tells deletions by absence.
// The last 14 days are read again, 7 days of dense points.
//
// # Notifications
//
// An endpoint is registered once per Google Cloud project, with a service
// account, and is checked with and without the header that
// Config.WebhookAuthorization is. Notifications are signed with ECDSA (P-256,
// SHA-256, in the form of Tink); the public keys are fetched from
// Config.KeysetURL, kept for a day, and fetched again for a key that is not
// known, at most once a minute. A key that is not published any more serves for
// seven days, one that is disabled does not. Notifications carry no data: they are a reason to
// read the intervals that they name. DELETE is also sent when the person takes
// the consent back, so that it is not believed either: the next read tells.
//
// # Errors
//
// All failures are *providers.Error; errors.go has the table. Code is the reason
// that the service tells (google.rpc.ErrorInfo), its status, or a fixed word. A
// missing scope is ErrForbidden. A Google account without health data
// ([CodeNotLinked]) and a Fitbit account that was never moved to Google
// ([CodeLegacyAccount]) are ErrReauth: another account has to be chosen. One
// datum that cannot be mapped is quarantined and the others of the page are not
// affected.
//
// # Concurrency
//
// A Provider is safe for concurrent use and has no state per person. It starts no
// goroutines.
//
// # Limits
//
// 300 requests per minute for each person. Sums are asked for in windows of 90
// days, those of heart rate, active minutes and calories of 14, sums by the hour
// of two days less. Sleep and exercise come in pages of 25. One page of dense
// points is a whole day and makes up to 100 requests for heart rate, 20 for
// others, most often one to four. One page of weights makes two, up to four: the
// body mass index is computed with the height of then. All other pages make one.
// An answer that takes the service too long (504) is asked for again in smaller
// pages. Electrocardiograms have no upper bound: reading an old window reads
// everything since. A page with more than 10,000 data that are not usable is
// ErrMalformed.
//
// Not read are the Training Center files of exercises (exportExerciseTcx), which
// alone have positions, and the catalogues food and food-measurement-unit, which
// are about no time: a nutrition log tells the food's name and what it held.
// The highest heart rate of an exercise is not told and not computed, which would
// take a request for each: it is that of the stream heart_rate within the span of
// the exercise.
package googlehealth
