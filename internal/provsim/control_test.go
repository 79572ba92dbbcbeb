package provsim_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
)

// TestControl steers a service over HTTP, as another process does.
func TestControl(t *testing.T) {
	s, p, server := serve(t, provsim.Config{WebhookURL: "http://127.0.0.1:1/", Rotation: providers.RotationSingleUse})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	control := provsim.Control{BaseURL: server.URL, Client: client}
	do := func(name string, in provsim.Command, out any) {
		t.Helper()
		require.NoError(t, control.Do(t.Context(), name, in, out))
	}
	var users []string
	do("adduser", provsim.Command{User: "ada"}, nil)
	do("users", provsim.Command{}, &users)
	require.Equal(t, []string{"u1", "ada"}, users)
	require.Error(t, control.Do(t.Context(), "adduser", provsim.Command{User: "ada"}, nil))

	start, err := p.Authorize(t.Context(), providers.AuthRequest{State: "st"})
	require.NoError(t, err)
	var redirect string
	do("consent", provsim.Command{User: "ada", URL: start.URL}, &redirect)
	require.Contains(t, redirect, provsim.DefaultRedirectURL+"?code=")

	var tokens provsim.Tokens
	do("login", provsim.Command{User: "ada"}, &tokens)
	cred := providers.Credential{
		UpstreamID: tokens.User, Access: providers.NewSecret(tokens.Access), Refresh: providers.NewSecret(tokens.Refresh), ExpiresAt: tokens.Expires,
	}
	require.NoError(t, use(t, p, cred))
	do("expire", provsim.Command{User: "ada"}, nil)
	require.ErrorContains(t, use(t, p, cred), "token_expired")
	do("fault", provsim.Command{Fault: provsim.Fault{On: "token", Status: 502, Count: 5, Before: time.Millisecond}}, nil)
	_, err = p.Refresh(t.Context(), cred)
	e, ok := errors.AsType[*providers.Error](err)
	require.True(t, ok)
	require.Equal(t, 502, e.Status)
	do("clear", provsim.Command{}, nil)
	cred, err = p.Refresh(t.Context(), cred)
	require.NoError(t, err)

	var row provsim.Row
	do("put", provsim.Command{User: "ada", Stream: provsim.StreamEvents, Row: provsim.Row{ID: "x", At: time.Now().UnixMilli(), Value: 1}}, &row)
	require.Equal(t, 1, row.Version)
	do("delete", provsim.Command{User: "ada", Stream: provsim.StreamEvents, ID: "x"}, nil)
	var truth map[string][]provsim.Row
	do("truth", provsim.Command{User: "ada"}, &truth)
	last := truth[provsim.StreamEvents][len(truth[provsim.StreamEvents])-1]
	require.Equal(t, "x", last.ID)
	require.True(t, last.Deleted)
	require.Equal(t, 2, last.Version)

	var ids []string
	do("signing", provsim.Command{Secrets: []string{"the next signing secret"}}, nil)
	do("notify", provsim.Command{User: "ada", Event: provsim.Event{Type: provsim.TypeAuth, Reference: "r"}}, &ids)
	require.Len(t, ids, 1)
	do("reauth", provsim.Command{User: "ada", ID: "ada2"}, nil)
	do("deauth", provsim.Command{User: "ada2"}, nil)
	require.ErrorIs(t, use(t, p, cred), providers.ErrReauth)
	var pending int
	do("pending", provsim.Command{}, &pending)
	require.Equal(t, 3, pending)
	var deliveries []provsim.Delivery
	do("deliveries", provsim.Command{}, &deliveries)
	require.Len(t, deliveries, 3)
	require.Equal(t, ids[0], deliveries[0].ID)
	require.Equal(t, s.Deliveries()[2].Body, deliveries[2].Body)
	signature := s.Header(deliveries[0].Body, deliveries[0].Stamp).Get(provsim.SignatureHeader)
	require.Equal(t, provsim.Sign(deliveries[0].Body, deliveries[0].Stamp, "the next signing secret"), signature)
}
