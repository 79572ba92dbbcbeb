// Package jsonscan is a pull scanner for dense JSON: it walks a document that
// is held in memory without building a tree and without allocating.
//
// A caller that knows the shape asks for it: [Scanner.Object] and
// [Scanner.NextMember] walk an object, [Scanner.Array] and
// [Scanner.NextElement] an array, and [Scanner.Decimal], [Scanner.Int],
// [Scanner.Text], [Scanner.Identifier] and [Scanner.Bool] read a value. A value
// of another type than the one asked for is skipped and reported as absent, so
// that one wrong field does not end the walk. [Scanner.ReadDecimal] and the other
// readers with a [Verdict] tell a value that is not there from one that is wrong,
// and take numbers that are written as strings. Everything that is walked or
// skipped is held to the grammar of RFC 8259: NaN, comments, trailing commas,
// control characters in strings and a second document are refused.
// [Scanner.ClockReading] is a shortcut for the one shape that comes by the
// hundred thousand.
//
// Member names match exactly; whether a repeated name matters is for the
// caller to say, who knows which names it interprets.
//
// # Errors
//
// The first breach of the grammar ends the walk: every later call reports
// nothing, loops end, and [Scanner.Err] returns an *[Error] with the offset.
// Messages never hold any of the document. [Scanner.Resync] is the one way to
// go on behind a value that is not JSON.
//
// # Concurrency
//
// A Scanner is for one goroutine. It does not modify the document.
//
// # Limits
//
// Containers nest at most [MaxDepth] deep.
package jsonscan
