package sync

// EmptyRead is a period that was read and held no record: from, to, and when.
type EmptyRead = emptyRead

// ReadEmpty and WithoutPeriod change what is remembered of such periods.
var (
	ReadEmpty     = readEmpty
	WithoutPeriod = withoutPeriod
)
