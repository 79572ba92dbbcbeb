package jsonscan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// checkClockReading compares with encoding/json on any bytes.
func checkClockReading(t require.TestingT, data []byte) {
	s := New(data)
	second, value, ok := s.ClockReading()
	require.NoError(t, s.Err())
	if !ok {
		require.Equal(t, len(data), s.Left(), "nothing is consumed: %q", data)
		return
	}
	taken := data[:len(data)-s.Left()]
	var want struct {
		Time  string `json:"time"`
		Value int64  `json:"value"`
	}
	d := json.NewDecoder(bytes.NewReader(taken))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&want), "%q", taken)
	clock, err := time.Parse(time.TimeOnly, want.Time)
	require.NoError(t, err)
	require.EqualValues(t, clock.Hour()*3600+clock.Minute()*60+clock.Second(), second)
	require.Equal(t, want.Value, value)
	skipped := New(data)
	skipped.Skip()
	require.NoError(t, skipped.Err())
	require.Equal(t, skipped.Left(), s.Left(), "%q", data)
}

func FuzzClockReading(f *testing.F) {
	for _, seed := range []string{
		`{"time":"00:00:00","value":0}`, `{"time":"23:59:59","value":123456789}`, `{"time":"12:30:01","value":64},{"time"`,
		`{"time":"24:00:00","value":1}`, `{"time":"12:60:00","value":1}`, `{"time":"12:00:60","value":1}`, `{"time":"1a:00:00","value":1}`,
		`{"time":"12:00:00","value":01}`, `{"time":"12:00:00","value":1234567890}`, `{"time":"12:00:00","value":}`, `{"time":"12:00:00","value":1`,
		`{"time":"12:00:00","value":1.5}`, `{"time":"12:00:00","value":-1}`, `{"time":"12:00:00", "value":1}`, `{"value":1,"time":"12:00:00"}`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkClockReading(t, data) })
}

func TestClockReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		second := rapid.IntRange(0, 86399).Draw(t, "second")
		value := rapid.Int64Range(0, 999_999_999).Draw(t, "value")
		text := fmt.Sprintf(`{"time":"%02d:%02d:%02d","value":%d}`, second/3600, second/60%60, second%60, value)
		s := New([]byte(text))
		gotSecond, gotValue, ok := s.ClockReading()
		require.True(t, ok, text)
		require.EqualValues(t, second, gotSecond)
		require.Equal(t, value, gotValue)
		require.NoError(t, s.End())
		// One byte altered is either refused or what encoding/json reads.
		altered := []byte(text)
		altered[rapid.IntRange(0, len(text)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		checkClockReading(t, altered)
		checkClockReading(t, altered[:rapid.IntRange(0, len(text)-1).Draw(t, "cut")])
	})
}

func BenchmarkClockReading(b *testing.B) {
	var data bytes.Buffer
	data.WriteByte('[')
	for i := range 86400 {
		if i > 0 {
			data.WriteByte(',')
		}
		fmt.Fprintf(&data, `{"time":"%02d:%02d:%02d","value":%d}`, i/3600, i/60%60, i%60, 60+i%40)
	}
	data.WriteByte(']')
	b.SetBytes(int64(data.Len()))
	for b.Loop() {
		s := New(data.Bytes())
		s.Array()
		sum := int64(0)
		for s.NextElement() {
			second, value, ok := s.ClockReading()
			if !ok {
				b.Fatal("not read")
			}
			sum += second + value
		}
		if s.End() != nil || sum == 0 {
			b.Fatal(s.Err())
		}
	}
}
