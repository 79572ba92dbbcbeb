package redis

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// answer is an error that a server answered with.
type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

// TestAnswersOfScripts has what servers before 7.0 answer when a command of a
// script is refused: the reason comes last.
func TestAnswersOfScripts(t *testing.T) {
	in := func(text string) answer {
		return answer("ERR Error running script (call to f_0123456789abcdef): @user_script:3: @user_script: 3: -" + text)
	}
	for _, tc := range []struct {
		err  error
		kind error
	}{
		{in("READONLY You can't write against a read only replica."), ErrUnavailable},
		{in("NOREPLICAS Not enough good replicas to write."), ErrUnavailable},
		{in("MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk."), ErrUnavailable},
		{in("OOM command not allowed when used memory > 'maxmemory'."), ErrMemory},
		{in("WRONGTYPE Operation against a key holding the wrong kind of value"), ErrForeign},
		{answer("ERR Script attempted to access a non local key in a cluster node script: 0123, on @user_script:3."), ErrUnavailable},
		{answer("READONLY You can't write against a read only replica. script: 0123, on @user_script:3."), ErrUnavailable},
	} {
		err := translate(tc.err)
		require.ErrorIs(t, err, tc.kind, tc.err)
		require.NotContains(t, err.Error(), "script")
	}
	require.False(t, passing(in("ERR unknown command")))
}
