package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

// simulatedCallback is where the simulated Terra sends people back to: Terra
// takes https addresses only. Nobody serves it; what the browser brings back
// proves nothing anyway.
const simulatedCallback = "https://terra-webhook.example.com/callback/terra"

// openTerra returns how to reach Terra: the real service, or a simulator that it
// starts, whose webhooks go to the address hooks.
func openTerra(o options, hooks string, out io.Writer) (terra.ProviderConfig, *simulation, error) {
	if o.real() {
		account, err := realTerra(o, out)
		return account, nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return terra.ProviderConfig{}, nil, err
	}
	address := "http://" + listener.Addr().String()
	s := &simulation{provider: cmp.Or(o.provider, "DUMMY"), ended: make(chan error, 1)}
	s.terra = terratest.New(terratest.Config{
		// Another seed makes another person: each run connects somebody new.
		Seed: rand.Uint64(), BaseURL: address, Days: simulatedDays,
		// One delivery after the other, so that they keep their order.
		Parallel: 1, RetryPlan: slices.Repeat([]time.Duration{time.Second}, 60),
	})
	s.terra.AddDestination(terratest.Destination{URL: hooks + "/webhooks/" + terra.Name})
	serving, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() { s.ended <- serve(serving, listener, s.terra) }()
	fmt.Fprintf(out, "A simulated Terra runs at %s.\n", address)
	return terra.ProviderConfig{
		Config: terra.Config{
			DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey),
			BaseURL: address + terratest.APIPath, WidgetSessionURL: address + terratest.WidgetPath,
		},
		SigningSecrets: []providers.Secret{providers.NewSecret(terratest.DefaultSigningSecret)},
	}, s, nil
}

// realTerra returns the account at the real service.
func realTerra(o options, out io.Writer) (terra.ProviderConfig, error) {
	var e terra.Environment
	if o.env != "" {
		var err error
		if e, err = terra.LoadEnv(o.env); err != nil {
			return terra.ProviderConfig{}, err
		}
	}
	e.DevID = cmp.Or(o.devID, e.DevID)
	for _, s := range []struct {
		given string
		to    *providers.Secret
	}{{o.apiKey, &e.APIKey}, {o.signingSecret, &e.SigningSecret}} {
		if s.given != "" {
			*s.to = providers.NewSecret(s.given)
		}
	}
	switch {
	case e.SigningSecret.IsZero():
		return terra.ProviderConfig{}, errors.New("webhooks need the signing secret of the destination: " + terra.EnvSigningSecret + " or -signing-secret")
	case o.publicURL == "":
		return terra.ProviderConfig{}, errors.New("-public-url is needed: Terra sends its webhooks there")
	case o.once:
		return terra.ProviderConfig{}, errors.New("-once is for the simulated person")
	}
	fmt.Fprintf(out, "Webhooks of Terra are awaited at %s/webhooks/%s.\n", o.publicURL, terra.Name)
	account := terra.ProviderConfig{Config: e.Config(), SigningSecrets: []providers.Secret{e.SigningSecret}}
	account.WidgetSessionURL = terra.WidgetSessionURL
	return account, nil
}

// simulatedDays is how long the simulated person has data for.
const simulatedDays = 14

// simulation is a simulated Terra and a person who uses it.
type simulation struct {
	terra    *terratest.Server
	provider string
	stop     context.CancelFunc
	ended    chan error
}

func (s *simulation) close() error {
	s.terra.Close()
	s.stop()
	return <-s.ended
}

// walk has the person connect, get data of all kinds and disconnect, and says
// what arrived.
func (s *simulation) walk(ctx context.Context, at *service, page string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	fmt.Fprintf(out, "%s opens the widget, chooses %s and allows access.\n", user, s.provider)
	id, err := browse(ctx, page+"/connect", s.provider)
	if err != nil {
		return err
	}
	var conn store.Connection
	err = await(ctx, "the account is connected", func() (bool, error) {
		arrived, err := at.journal.events(ctx, id)
		if err != nil || !slices.Contains(arrived, "auth") {
			return false, err
		}
		conn, err = at.connection(ctx, id)
		return conn.State == store.StateActive, err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "  auth arrived: the connection is active.")

	// All seven, unless -provider has fewer.
	var kinds []terratest.Kind
	for _, r := range s.terra.Records(id) {
		if !slices.Contains(kinds, r.Key.Kind) {
			kinds = append(kinds, r.Key.Kind)
		}
	}
	s.terra.Push(id, kinds...)
	err = await(ctx, "data of all kinds arrived and is stored", func() (bool, error) {
		arrived, err := at.journal.events(ctx, id)
		if err != nil {
			return false, err
		}
		stored, err := at.journal.streams(ctx, conn.ID)
		return !slices.ContainsFunc(kinds, func(k terratest.Kind) bool {
			return !slices.Contains(arrived, string(k)) || !slices.Contains(stored, string(k))
		}), err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  data arrived: %s.\n", strings.Join(texts(kinds), ", "))

	fmt.Fprintf(out, "%s disconnects.\n", user)
	s.terra.Deauthenticate(id)
	err = await(ctx, "the connection is ended", func() (bool, error) {
		arrived, err := at.journal.events(ctx, id)
		if err != nil || !slices.Contains(arrived, "deauth") {
			return false, err
		}
		conn, err := at.connection(ctx, id)
		return conn.State == store.StateRevoked, err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "  deauth arrived: the connection is revoked, its data stays.")
	return nil
}

func texts(kinds []terratest.Kind) (list []string) {
	for _, k := range kinds {
		list = append(list, string(k))
	}
	return list
}

// connection returns the connection of a Terra user; the zero connection if
// there is none.
func (s *service) connection(ctx context.Context, id string) (store.Connection, error) {
	list, err := s.db.Connections(ctx, store.ConnectionQuery{Provider: terra.Name, UpstreamID: id})
	if err != nil || len(list) == 0 {
		return store.Connection{}, err
	}
	return list[0], nil
}

// await asks until there is a yes or an error.
func await(ctx context.Context, what string, ask func() (bool, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// browse does what the person's browser does: it presses the button of our page,
// chooses the provider where there is a choice, allows access, and does not
// follow the redirect to our callback. It returns the Terra user.
func browse(ctx context.Context, connect, provider string) (string, error) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	browser := &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), simulatedCallback) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	text, shown, err := open(ctx, browser, http.MethodPost, connect, nil)
	if err != nil {
		return "", err
	}
	choice := regexp.MustCompile(`href="([^"]+/` + regexp.QuoteMeta(provider) + `)"`).FindStringSubmatch(text)
	if choice != nil {
		if _, shown, err = open(ctx, browser, http.MethodGet, html.UnescapeString(choice[1]), nil); err != nil {
			return "", err
		}
	}
	consent := shown.Request.URL.String()
	_, shown, err = open(ctx, browser, http.MethodPost, consent, url.Values{"decision": {"allow"}})
	if err != nil {
		return "", err
	}
	back, err := shown.Location()
	if err != nil || back.Query().Get("user_id") == "" {
		return "", errors.New("the browser was not sent back")
	}
	return back.Query().Get("user_id"), nil
}

// open opens a page and returns what it shows.
func open(ctx context.Context, browser *http.Client, method, address string, form url.Values) (string, *http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := browser.Do(r)
	if err != nil {
		return "", nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err == nil && answer.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("a page answers %s", answer.Status)
	}
	return string(text), answer, err
}
