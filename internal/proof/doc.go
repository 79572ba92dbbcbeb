// Package proof is what tests of promises have in common: which promises there
// are, how much is tried, from which seed, and a record of the outcome.
//
//	func TestOnePresentation(t *testing.T) {
//		users := proof.N(50, 500)
//		proof.Row(t, "R1", proof.Counts{"users": users, "rounds": 20})
//		random := rand.New(rand.NewPCG(proof.Seed(t), 0))
//		...
//	}
//
// The environment decides:
//
//   - VITALMUX_SOAK=1: full counts instead of those that fit into CI.
//   - VITALMUX_SEED: the seed of random choices.
//   - VITALMUX_PROOF: a file to which results are appended, one JSON object per
//     line. Command report makes docs/reliability.md of such files.
//
// # Errors
//
// A row that is not in the table, a seed that is no number and a file that
// cannot be written fail the test.
//
// # Concurrency
//
// All functions may be called concurrently. Several processes may append to one
// file.
//
// # Limits
//
// A result says that a test ended well, not that the test proves the row.
package proof
