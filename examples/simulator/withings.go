package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// withingsAbout is what a client needs to know to use the simulated Withings.
type withingsAbout struct {
	BaseURL      string         `json:"base_url"`
	AuthorizeURL string         `json:"authorize_url"`
	TokenURL     string         `json:"token_url"`
	ClientID     string         `json:"client_id"`
	ClientSecret string         `json:"client_secret"`
	RedirectURL  string         `json:"redirect_url"`
	OAuth1       withingsOAuth1 `json:"oauth1"`
	Users        []withingsUser `json:"users"`
}

// withingsOAuth1 is the application of the OAuth 1.0 era, whose services have the same base URL.
type withingsOAuth1 struct {
	RequestTokenURL string `json:"request_token_url"`
	AuthorizeURL    string `json:"authorize_url"`
	AccessTokenURL  string `json:"access_token_url"`
	ConsumerKey     string `json:"consumer_key"`
	ConsumerSecret  string `json:"consumer_secret"`
}

type withingsUser struct {
	ID           int64     `json:"id"`
	Timezone     string    `json:"timezone"`
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	ExpiresAt    time.Time `json:"expires_at"`
	// OAuth1Token and OAuth1Secret are a token of the OAuth 1.0 era; userid is the ID.
	OAuth1Token  string `json:"oauth1_token"`
	OAuth1Secret string `json:"oauth1_token_secret"`
}

// firstWithingsUser is the first user id, and that of whom examples/sqlite and
// examples/redis connect first.
const firstWithingsUser = 1001

func startWithings(o options, base string) instance {
	cfg := withingstest.Config{Seed: o.seed, Days: o.days, AllowLoopback: o.allowLoopback, RedirectURLs: o.redirectURLs.of("withings")}
	var callbacks *http.Transport
	if o.allowLoopback { // there are services on this machine that can be called
		callbacks = &http.Transport{}
		cfg.Callbacks = callbacks
	}
	sim := withingstest.New(cfg)
	cfg = sim.Config()
	about := withingsAbout{
		BaseURL:      base,
		AuthorizeURL: base + withingstest.AuthorizePath,
		TokenURL:     base + withingstest.OAuthPath,
		ClientID:     cfg.ClientID,
		ClientSecret: cfg.ClientSecret,
		RedirectURL:  cfg.RedirectURLs[0],
		OAuth1: withingsOAuth1{
			RequestTokenURL: base + withingstest.LegacyRequestTokenPath,
			AuthorizeURL:    base + withingstest.LegacyAuthorizePath,
			AccessTokenURL:  base + withingstest.LegacyAccessTokenPath,
			ConsumerKey:     cfg.Legacy.ConsumerKey,
			ConsumerSecret:  cfg.Legacy.ConsumerSecret,
		},
	}
	for i := range o.users {
		u := sim.AddUser(withingstest.UserConfig{ID: int64(firstWithingsUser + i)})
		token := sim.Login(u.ID)
		legacy := sim.LegacyLogin(u.ID)
		about.Users = append(about.Users, withingsUser{
			ID: u.ID, Timezone: u.Timezone, AccessToken: token.AccessToken, RefreshToken: token.RefreshToken, ExpiresAt: token.ExpiresAt,
			OAuth1Token: legacy.Token, OAuth1Secret: legacy.Secret,
		})
	}
	in := instance{handler: sim, about: about, catchUp: func() {
		for _, u := range sim.Users() {
			sim.CatchUp(u.ID)
		}
	}}
	if callbacks != nil {
		ctx, cancel := context.WithCancel(context.Background())
		var delivering sync.WaitGroup
		delivering.Go(func() { sim.Run(ctx) })
		in.close = func() {
			cancel()
			delivering.Wait()
			callbacks.CloseIdleConnections()
		}
	}
	return in
}
