package withings

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
)

// FuzzDecodeLegacy feeds the decoders of the OAuth 1.0 era: whatever comes, they
// do not panic, their records are valid and as new as the answer, and the same
// maps to the same.
func FuzzDecodeLegacy(f *testing.F) {
	for i, fixture := range legacyFixtures {
		f.Add(uint8(i), read(f, fixture.file+".json"))
	}
	for i, seed := range []string{
		`{"status":0,"body":[]}`, `{"body":{"date":"2018-03-20","steps":"7"},"status":0}`, `{"status":0,"body":{"date":[],"steps":1e400}}`,
		`{"status":0,"body":{"more":1,"series":[{"id":1,"startdate":1521498600,"enddate":1521525900}]}}`, `{"status":342}`, ``,
	} {
		f.Add(uint8(i), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		fixture := legacyFixtures[int(which)%len(legacyFixtures)]
		page := health.RawPage{
			Stream: fixture.stream, Date: legacyDate, Zone: "Europe/Paris", Bodies: []health.RawBody{{Name: fixture.name, Body: body}},
		}
		m := mapTwice(t, page, legacyStreams[fixture.stream].mapPage)
		if m == nil {
			return
		}
		for i := range m.records {
			require.NoError(t, m.records[i].Validate(legacyDate))
			require.Equal(t, fixture.stream, m.records[i].Stream())
			require.Equal(t, legacyDate.UnixMilli(), m.records[i].Rev.Order)
		}
	})
}
