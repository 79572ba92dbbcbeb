package main

import (
	"time"

	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
)

// fitbitAbout is what a client needs to know to use the simulated legacy Fitbit Web API.
type fitbitAbout struct {
	BaseURL          string         `json:"base_url"`
	AuthorizeURL     string         `json:"authorize_url"`
	TokenURL         string         `json:"token_url"`
	ClientID         string         `json:"client_id"`
	ClientSecret     string         `json:"client_secret"`
	RedirectURL      string         `json:"redirect_url"`
	VerificationCode string         `json:"verification_code"`
	Users            []fitbitPerson `json:"users"`
}

type fitbitPerson struct {
	ID           string    `json:"id"`
	Timezone     string    `json:"timezone"`
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	ExpiresAt    time.Time `json:"expires_at"`
}

func startFitbit(o options, base string) instance {
	cfg := fitbittest.Config{Seed: o.seed, Days: o.days, BaseURL: base, RedirectURLs: o.redirectURLs.of("fitbit")}
	sim := fitbittest.New(cfg)
	cfg = sim.Config()
	about := fitbitAbout{
		BaseURL:          base,
		AuthorizeURL:     base + fitbittest.AuthorizePath,
		TokenURL:         base + fitbittest.TokenPath,
		ClientID:         cfg.ClientID,
		ClientSecret:     cfg.ClientSecret,
		RedirectURL:      cfg.RedirectURLs[0],
		VerificationCode: cfg.VerificationCode,
	}
	for range o.users {
		p := sim.AddPerson(fitbittest.PersonConfig{})
		token := sim.Login(p.ID)
		about.Users = append(about.Users, fitbitPerson{p.ID, p.Timezone, token.AccessToken, token.RefreshToken, token.ExpiresAt})
	}
	return instance{handler: sim, about: about, catchUp: func() {
		for _, p := range sim.People() {
			sim.CatchUp(p.ID)
		}
	}}
}
