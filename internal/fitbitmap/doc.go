// Package fitbitmap holds what the two adapters of one person's Fitbit data
// must agree on: the legacy Fitbit Web API and the Google Health API that took
// its place. Both tell the same nights, workouts and days in their own words;
// here each word and each quantity has one meaning, so that a history that
// changes from one service to the other in the middle stays one history.
//
//   - [Stage], [StageMetric], [StagePart] and [Overlay] for sleep,
//   - [Sport] and [SportByID] for workouts,
//   - [Quantity] for the metric, statistic and part of what both services count,
//   - [ZonePart], [LevelPart], [Level], [Meal], [Rhythm] and [Stroke] for other words,
//   - [Shift], [Times], [Over] and [VO2Max] for units.
//
// Words are compared without regard to case and punctuation: "Out of Range",
// "OUT_OF_RANGE" and "out of range" are one word.
//
// # Errors
//
// Nothing here fails. A word that is not known gives "" or false, and the
// caller keeps the word beside it; a number that does not fit gives false.
//
// # Concurrency
//
// All functions are pure.
//
// # Limits
//
// The tables hold what the services document. Names of activities are
// translated by the legacy service for custom ones, which then have no sport
// but [health.SportOther].
package fitbitmap
