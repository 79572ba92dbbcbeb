package main

import (
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
	Users        []withingsUser `json:"users"`
}

type withingsUser struct {
	ID           int64     `json:"id"`
	Timezone     string    `json:"timezone"`
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	ExpiresAt    time.Time `json:"expires_at"`
}

func startWithings(o options, base string) instance {
	cfg := withingstest.Config{Seed: o.seed, Days: o.days, AllowLoopback: o.allowLoopback}
	if o.redirectURL != "" {
		cfg.RedirectURLs = []string{o.redirectURL}
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
	}
	for range o.users {
		u := sim.AddUser(withingstest.UserConfig{})
		token := sim.Login(u.ID)
		about.Users = append(about.Users, withingsUser{u.ID, u.Timezone, token.AccessToken, token.RefreshToken, token.ExpiresAt})
	}
	return instance{handler: sim, about: about, catchUp: func() {
		for _, u := range sim.Users() {
			sim.CatchUp(u.ID)
		}
	}}
}
