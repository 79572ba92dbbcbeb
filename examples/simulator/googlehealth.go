package main

import (
	"time"

	"github.com/vitalmux/vitalmux/providers/googlehealth/googlehealthtest"
)

// googleHealthAbout is what a client needs to know to use the simulated Google Health API.
type googleHealthAbout struct {
	BaseURL      string             `json:"base_url"`
	AuthorizeURL string             `json:"authorize_url"`
	TokenURL     string             `json:"token_url"`
	KeysetURL    string             `json:"keyset_url"`
	ClientID     string             `json:"client_id"`
	ClientSecret string             `json:"client_secret"`
	RedirectURL  string             `json:"redirect_url"`
	Project      string             `json:"project"`
	ServiceToken string             `json:"service_token"`
	Users        []googleHealthUser `json:"users"`
}

type googleHealthUser struct {
	ID           string    `json:"id"`
	LegacyID     string    `json:"legacy_id"`
	Timezone     string    `json:"timezone"`
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	ExpiresAt    time.Time `json:"expires_at"`
}

func startGoogleHealth(o options, base string) instance {
	cfg := googlehealthtest.Config{Seed: o.seed, Days: o.days, RedirectURLs: o.redirectURLs.of("googlehealth")}
	sim := googlehealthtest.New(cfg)
	cfg = sim.Config()
	about := googleHealthAbout{
		BaseURL:      base,
		AuthorizeURL: base + googlehealthtest.AuthorizePath,
		TokenURL:     base + googlehealthtest.TokenPath,
		KeysetURL:    base + googlehealthtest.KeysetPath,
		ClientID:     cfg.ClientID,
		ClientSecret: cfg.ClientSecret,
		RedirectURL:  cfg.RedirectURLs[0],
		Project:      cfg.Project,
		ServiceToken: cfg.ServiceToken,
	}
	for range o.users {
		u := sim.AddUser(googlehealthtest.UserConfig{})
		token := sim.Login(u.ID)
		about.Users = append(about.Users, googleHealthUser{
			u.ID, u.LegacyID, u.Timezone, token.AccessToken, token.RefreshToken, token.ExpiresAt,
		})
	}
	return instance{handler: sim, about: about, catchUp: func() {
		for _, u := range sim.Users() {
			sim.CatchUp(u.ID)
		}
	}}
}
