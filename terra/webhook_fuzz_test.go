package terra_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

// FuzzWebhook: whatever is signed is read in the same way from memory and from a
// file, and is about somebody or kept.
func FuzzWebhook(f *testing.F) {
	sim := terratest.New(terratest.Config{Seed: 7, Days: 3, HeartRateSamples: 4, Now: simNow})
	sim.Hold()
	sim.AddDestination(terratest.Destination{URL: "https://app.example.com/hook"})
	defer sim.Close()
	for _, kind := range append(terratest.DayKinds(), terratest.KindAthlete, terratest.KindHormone, terratest.KindObservation, terratest.KindPlanned) {
		sim.SendTest("DUMMY", kind)
	}
	user := sim.AddUser(terratest.UserConfig{Announce: true})
	sim.Deauthenticate(sim.Reauthenticate(user.ID).ID)
	for _, d := range sim.Deliveries() {
		if len(d.Event) < 12<<10 { // the engine takes minutes to make longer ones smaller
			f.Add(d.Event, "ref", "x:chunk:1", "1700000000000")
		}
	}
	for _, seed := range []string{"", "null", "[]", "{", `{"type":"daily"}`, `{"data":[1,{}],"type":"daily","user":{"user_id":"u"}}`,
		`{"type":"s3_payload","url":"https://x.amazonaws.com/y","expires_in":1e9}`, `{"type":"daily","data":{},"user":{"user_id":"u"}}`,
		strings.Repeat("[", 200), `{"type":"lab_report.failed","event_id":"e","data":{"session_id":"s"}}`,
		`{"type":"large_request_sending","user":{"user_id":"u"},"expected_payloads":1e30,"reference":"r"}`} {
		f.Add([]byte(seed), "", "", "")
	}
	p := newProvider(f, sim, nil)
	at := simNow()
	f.Fuzz(func(t *testing.T, body []byte, reference, trace, ordering string) {
		h := http.Header{}
		h.Set(terra.SignatureHeader, signedBy(terratest.DefaultSigningSecret, at, body))
		h.Set(terra.ReferenceHeader, reference)
		h.Set(terra.TraceHeader, trace)
		h.Set(terra.OrderingHeader, ordering)
		notes, err := p.ParseWebhook(at, &providers.WebhookRequest{Header: h, Body: body})
		if err != nil && (notes != nil || !errors.Is(err, providers.ErrMalformed)) {
			t.Fatal(err)
		}
		if err == nil {
			require.NotEmpty(t, notes)
		}
		for _, n := range notes {
			require.True(t, n.UpstreamID != "" || n.Event == providers.EventUnknown || n.Payload != nil)
			switch n.Event {
			case providers.EventAuth, providers.EventUnknown: // may have one
			case providers.EventRequest:
				require.NotEmpty(t, n.Reference)
			default:
				require.Equal(t, n.Event == providers.EventData && n.Part != 0, n.Reference != "" || n.Payload != nil && n.Part != 0)
			}
			for _, r := range n.Records {
				require.NoError(t, r.Validate(at.Add(time.Hour)))
				require.LessOrEqual(t, r.Rev.Order, at.Add(5*time.Minute).UnixMilli())
			}
		}
		large, err2 := p.ParseWebhook(at, &providers.WebhookRequest{Header: h, Large: io.NewSectionReader(bytes.NewReader(body), 0, int64(len(body)))})
		if err == nil && err2 == nil {
			require.True(t, reflect.DeepEqual(notes, large))
		}
		_, _ = terra.ParseWebhook([]string{terratest.DefaultSigningSecret}, h, body, at, 0)
	})
}
