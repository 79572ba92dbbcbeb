// Command metricsdoc writes docs/metrics.md: the metric catalogue of package
// health, the codes left empty, and which field of which provider becomes
// which metric.
//
// The mapping is data in this folder. Adapters are written after it; it is not
// used at run time.
//
// # Errors
//
// The command exits with status 1 when it cannot write its output.
//
// # Concurrency
//
// It is a single goroutine.
//
// # Limits
//
// The mapping names fields by their wire names and states conversions in
// words; it does not execute them.
package main
