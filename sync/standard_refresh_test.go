package sync

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
)

// overtaken is a store on which somebody else does something just before the
// lease of a refresh is taken.
type overtaken struct {
	*store.Memory
	before func()
}

func (o *overtaken) Acquire(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
	if before := o.before; name == leaseRefresh && before != nil {
		o.before = nil
		before()
	}
	return o.Memory.Acquire(ctx, connection, name, ttl)
}

// TestCredentialIsReadAgainUnderTheLease has another process refresh between the
// reading of a credential and the lease: the token that it got is not presented.
func TestCredentialIsReadAgainUnderTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var between *overtaken
		o := newOffice(t, officeConfig{config: func(c *Config) {
			between = &overtaken{Memory: c.Store.(*store.Memory)}
			c.Store = between
		}})
		cfg := o.engine.cfg
		cfg.Store = between.Memory
		other, err := New(cfg)
		require.NoError(t, err)
		c, err := o.store.Credential(t.Context(), o.conn.ID)
		require.NoError(t, err)
		r := refreshing{conn: o.conn, grant: c.Grant, generation: c.Generation}
		between.before = func() {
			_, err := other.sharedRefresh(t.Context(), r)
			require.NoError(t, err)
		}
		got, err := o.engine.sharedRefresh(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, c.Generation+1, got.Generation)
		require.Equal(t, []string{"refresh-1"}, o.presented())
	})
}
