package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTable(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, 10, 3))
	text := out.String()
	require.Contains(t, text, "Connected Google Health user ")
	lines := strings.Split(strings.TrimSpace(text[strings.Index(text, "  day"):]), "\n")
	require.GreaterOrEqual(t, len(lines), 10, "a line for each day that was worn")
	for _, l := range lines[1:] {
		require.Len(t, strings.Fields(l), 6, l)
	}
	require.Error(t, run(t.Context(), &out, 0, 3))
}
