package terratest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/terra/terratest"
)

func TestFaults(t *testing.T) {
	s := newServer(t, terratest.Config{Days: 3})
	server := httptest.NewServer(s)
	defer server.Close()
	u := s.AddUser(terratest.UserConfig{})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableKeepAlives: true}}
	get := func() (*http.Response, []byte, error) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/v2/daily?to_webhook=false&start_date=2026-11-20&user_id="+u.ID, nil)
		require.NoError(t, err)
		r.Header.Set("dev-id", terratest.DefaultDevID)
		r.Header.Set("x-api-key", terratest.DefaultAPIKey)
		resp, err := client.Do(r)
		if err != nil {
			return nil, nil, err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return resp, text, err
	}
	_, proper, err := get()
	require.NoError(t, err)
	for _, test := range []struct {
		fault  terratest.Fault
		status int
		check  func(*http.Response, []byte)
	}{
		{terratest.Fault{Kind: terratest.FaultHTTP}, 500, nil},
		{terratest.Fault{Kind: terratest.FaultHTTP, Status: 429, Wait: 7 * time.Second}, 429, func(r *http.Response, _ []byte) { require.Equal(t, "7", r.Header.Get("Retry-After")) }},
		{terratest.Fault{Kind: terratest.FaultError200}, 200, func(_ *http.Response, b []byte) { require.Contains(t, string(b), `"status":"error"`) }},
		{terratest.Fault{Kind: terratest.FaultRedirect}, 302, func(r *http.Response, _ []byte) {
			require.Equal(t, "https://elsewhere.example.net/", r.Header.Get("Location"))
		}},
		{terratest.Fault{Kind: terratest.FaultHTML}, 200, func(_ *http.Response, b []byte) { require.Contains(t, string(b), "<html>") }},
		{terratest.Fault{Kind: terratest.FaultEmpty}, 200, func(_ *http.Response, b []byte) { require.Empty(t, b) }},
		{terratest.Fault{Kind: terratest.FaultHuge, Size: 1 << 20}, 200, func(_ *http.Response, b []byte) { require.Len(t, b, 1<<20); require.True(t, json.Valid(b)) }},
		{terratest.Fault{Kind: terratest.FaultGateway}, 504, nil},
		{terratest.Fault{Kind: terratest.FaultPending, Wait: time.Minute}, 200, func(_ *http.Response, b []byte) { require.Contains(t, string(b), `"retry_after_seconds":60`) }},
		{terratest.Fault{Kind: terratest.FaultNoData}, 200, func(_ *http.Response, b []byte) { require.Contains(t, string(b), "not_available") }},
		{terratest.Fault{Kind: terratest.FaultTruncate}, 200, func(_ *http.Response, b []byte) { require.Len(t, b, len(proper)/2) }},
		{terratest.Fault{Kind: terratest.FaultSlow}, 200, func(_ *http.Response, b []byte) { require.Equal(t, len(proper), len(b)) }},
		{terratest.Fault{Kind: terratest.FaultUnknownField}, 200, func(_ *http.Response, b []byte) { require.Contains(t, string(b), "added_without_notice") }},
		{terratest.Fault{Kind: terratest.FaultFloats}, 200, func(_ *http.Response, b []byte) { require.Contains(t, string(b), `"upload_type":0.0`) }},
		{terratest.Fault{Kind: terratest.FaultStrings}, 200, func(_ *http.Response, b []byte) { require.Contains(t, string(b), `"upload_type":"0"`) }},
		{terratest.Fault{Kind: terratest.FaultNulls}, 200, func(_ *http.Response, b []byte) { require.Contains(t, string(b), `"data":null`) }},
		{terratest.Fault{Kind: terratest.FaultRewrite, Rewrite: bytes.ToUpper}, 200, func(_ *http.Response, b []byte) { require.Contains(t, string(b), `"DATA"`) }},
	} {
		test.fault.Path, test.fault.UserID = "/daily", u.ID
		s.Fault(test.fault)
		resp, text, err := get()
		require.NoError(t, err, test.fault.Kind)
		require.Equal(t, test.status, resp.StatusCode, test.fault.Kind)
		if test.check != nil {
			test.check(resp, text)
		}
		_, text, err = get()
		require.NoError(t, err)
		require.Equal(t, proper, text, "one request was hit")
	}
	for _, kind := range []terratest.FaultKind{terratest.FaultReset, terratest.FaultLost, terratest.FaultCut} {
		s.Fault(terratest.Fault{Kind: kind})
		_, _, err := get()
		require.Error(t, err, kind)
	}
	s.Fault(terratest.Fault{Kind: terratest.FaultHTTP, Skip: 1, Count: -1})
	for i, want := range []int{200, 500, 500} {
		resp, _, err := get()
		require.NoError(t, err)
		require.Equal(t, want, resp.StatusCode, i)
	}
	s.ClearFaults()
	s.ResetRequests()
	s.Fault(terratest.Fault{Kind: terratest.FaultHang})
	gone, leave := context.WithCancel(t.Context())
	leave()
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v2/daily?user_id="+u.ID, nil).WithContext(gone))
	})
	log := s.Requests()
	require.Len(t, log, 1)
	require.Equal(t, terratest.FaultHang, log[0].Fault)
	require.Equal(t, -1, log[0].Status)
	require.Equal(t, u.ID, log[0].UserID)
}
