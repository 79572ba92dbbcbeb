package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServesAndStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-seed", "5", "-users", "2", "-days", "10", "-allow-loopback", "-redirect-url", "withings=http://127.0.0.1/cb", "-grow", "1ms"}, stdout, io.Discard)
		stdout.CloseWithError(io.EOF)
		done <- err
	}()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err)
	var about struct {
		Address  string
		Withings withingsAbout
		Terra    terraAbout
	}
	require.NoError(t, json.Unmarshal(line, &about))
	require.Equal(t, about.Address+"/withings", about.Withings.BaseURL)
	require.Len(t, about.Withings.Users, 2)

	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, u := range about.Withings.Users {
		resp, err := client.PostForm(about.Withings.BaseURL+"/measure", url.Values{"action": {"getmeas"}, "access_token": {u.AccessToken}})
		require.NoError(t, err)
		var answer struct {
			Status int
			Body   struct {
				Timezone    string
				Measuregrps []any
			}
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
		resp.Body.Close()
		require.Zero(t, answer.Status)
		require.Equal(t, u.Timezone, answer.Body.Timezone)
		require.NotEmpty(t, answer.Body.Measuregrps)
	}
	resp, err := client.Get(about.Withings.AuthorizeURL + "?accept=0&" + url.Values{
		"response_type": {"code"}, "client_id": {about.Withings.ClientID}, "state": {"s"}, "scope": {"user.info"},
		"redirect_uri": {"http://127.0.0.1/cb"},
	}.Encode())
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusFound, resp.StatusCode)

	require.Len(t, about.Terra.Users, 2)
	hook := make(chan string, 64)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hook <- r.Header.Get("Terra-Signature") }))
	defer receiver.Close()
	for _, step := range [][2]string{
		{"/destinations", `{"url":"` + receiver.URL + `"}`}, {"/push", `{"user_id":"` + about.Terra.Users[0].ID + `","kinds":["daily"]}`},
	} {
		resp, err := client.Post(about.Terra.AdminURL+step[0], "application/json", strings.NewReader(step[1]))
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode, step[0])
	}
	require.Regexp(t, `^t=\d+,v1=[0-9a-f]{64}$`, <-hook)

	cancel()
	require.NoError(t, <-done)
	_, err = client.Get(about.Address)
	require.Error(t, err)
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-users", "0"}, {"-days", "-1"}, {"-grow", "-1s"}, {"-seed", "x"}, {"-unknown"}, {"surplus"}, {"-addr", "256.0.0.1:1"},
	} {
		require.Error(t, run(t.Context(), args, io.Discard, io.Discard), args)
	}
}
