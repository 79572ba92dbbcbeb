package main

import (
	"net/http"

	"github.com/vitalmux/vitalmux/terra/terratest"
)

// terraAbout is what a client needs to know to use the simulated Terra.
type terraAbout struct {
	BaseURL       string      `json:"base_url"`
	LegacyBaseURL string      `json:"legacy_base_url"`
	WidgetURL     string      `json:"widget_url"` // the successor of generateWidgetSession
	StreamURL     string      `json:"stream_url"` // of the token endpoints; the WebSocket is /connect below it
	AdminURL      string      `json:"admin_url"`
	DevID         string      `json:"dev_id"`
	APIKey        string      `json:"api_key"`
	SigningSecret string      `json:"signing_secret"`
	Users         []terraUser `json:"users"`
}

type terraUser struct {
	ID          string `json:"id"`
	Provider    string `json:"provider"`
	ReferenceID string `json:"reference_id"`
	Timezone    string `json:"timezone"`
}

func startTerra(o options, base string) instance {
	sim := terratest.New(terratest.Config{Seed: o.seed, Days: o.days, AllowLoopback: o.allowLoopback, BaseURL: base})
	cfg := sim.Config()
	about := terraAbout{
		BaseURL:       base + terratest.APIPath,
		LegacyBaseURL: base + terratest.LegacyAPIPath,
		WidgetURL:     base + terratest.WidgetPath,
		StreamURL:     base,
		AdminURL:      base + "/admin",
		DevID:         cfg.DevID,
		APIKey:        cfg.APIKey,
		SigningSecret: cfg.SigningSecret,
	}
	upstream := []string{"GARMIN", "FITBIT", "OURA", "WITHINGS", "DUMMY"}
	for i := range o.users {
		u := sim.AddUser(terratest.UserConfig{Provider: upstream[i%len(upstream)], ReferenceID: "demo"})
		about.Users = append(about.Users, terraUser{u.ID, u.Provider, u.ReferenceID, u.Timezone})
	}
	mux := http.NewServeMux()
	mux.Handle("/", sim)
	mux.Handle("/admin/", http.StripPrefix("/admin", sim.Admin()))
	return instance{handler: mux, about: about, catchUp: sim.CatchUpAll, close: sim.Close}
}
