package sync_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// corrected maps stored answers with newer code, which doubles values.
type corrected struct{ *provsim.Provider }

func (c corrected) Remap(raw health.RawPage) ([]health.Record, error) {
	all, err := c.Provider.Remap(raw)
	for i := range all {
		all[i].Rev.Mapping = 2
		for k, v := range all[i].Values {
			all[i].Values[k].Number.Coefficient = 2 * v.Number.Coefficient
		}
	}
	return all, err
}

// TestPushedDataIsMappedAgain: what a delivery brought is kept as it came, is
// mapped again by newer code, exported, and goes with the person.
func TestPushedDataIsMappedAgain(t *testing.T) {
	for name, seal := range map[string]bool{"plain": false, "sealed": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMailroom(t, func(c *mailConfig) { c.engine.SealRaw, c.service.Days = seal, 1 })
				conn := m.link(t, "u1")
				m.work(t, time.Minute)
				m.send(t, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
				m.work(t, time.Minute)
				m.nothingLeft(t)

				pushed := func(pages []health.RawPage) (found []byte) {
					for _, page := range pages {
						for _, body := range page.Bodies {
							if bytes.Contains(body.Body, []byte(`"w1"`)) {
								found = body.Body
							}
						}
					}
					return found
				}
				q := store.RawQuery{Connection: conn.ID}
				stored, err := m.store.RawPages(t.Context(), q)
				require.NoError(t, err)
				require.Equal(t, seal, pushed(stored.Pages) == nil)
				opened, err := m.engine.RawPages(t.Context(), q)
				require.NoError(t, err)
				require.NotNil(t, pushed(opened.Pages))
				var out bytes.Buffer
				manifest, err := m.engine.ExportRaw(t.Context(), "u1", &out)
				require.NoError(t, err)
				require.Equal(t, len(stored.Pages), manifest.RawPages)

				cfg := m.cfg
				cfg.Providers = []providers.Provider{corrected{m.adapter}}
				newer, err := healthsync.New(cfg)
				require.NoError(t, err)
				_, err = newer.Remap(t.Context(), conn.ID)
				require.NoError(t, err)
				require.EqualValues(t, 140_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])

				_, err = newer.Erase(t.Context(), "u1")
				require.NoError(t, err)
				stored, err = m.store.RawPages(t.Context(), q)
				require.NoError(t, err)
				require.Empty(t, stored.Pages)
			})
		})
	}
}
