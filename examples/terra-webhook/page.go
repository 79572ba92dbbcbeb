package main

import (
	"bytes"
	"context"
	_ "embed"
	"html/template"
	"net/http"

	healthsync "github.com/vitalmux/vitalmux/sync"
	"github.com/vitalmux/vitalmux/terra"
)

//go:embed page.html
var pageText string

// maxShown is how many deliveries the page shows.
const maxShown = 100

// content is what the page shows. All of it is in the file.
type content struct {
	User string
	// Unserved is set when the browser will be sent to an address that nobody
	// serves.
	Unserved bool
	Links    []link
	Arrivals []arrival
	Stocks   []stock
}

// pages serves the page, and the button on it.
func (s *service) pages() http.Handler {
	page := template.Must(template.New("page").Parse(pageText))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		c, err := s.content(r.Context())
		var text bytes.Buffer
		if err == nil {
			err = page.Execute(&text, c)
		}
		if err != nil {
			http.Error(w, "the file cannot be read", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		_, _ = w.Write(text.Bytes())
	})
	mux.HandleFunc("POST /connect", func(w http.ResponseWriter, r *http.Request) {
		address, err := s.engine.Connect(r.Context(), healthsync.ConnectRequest{
			User: user, Provider: terra.Name, RedirectURL: s.redirectURL,
		})
		if err != nil {
			http.Error(w, "Terra does not begin a connect flow now: "+err.Error(), http.StatusBadGateway)
			return
		}
		http.Redirect(w, r, address, http.StatusSeeOther)
	})
	// Another site must not press the button.
	return http.NewCrossOriginProtection().Handler(mux)
}

func (s *service) content(ctx context.Context) (content, error) {
	c := content{User: user, Unserved: s.redirectURL == simulatedCallback}
	var err error
	if c.Links, err = s.journal.links(ctx); err != nil {
		return c, err
	}
	if c.Arrivals, err = s.journal.arrivals(ctx, maxShown); err != nil {
		return c, err
	}
	c.Stocks, err = s.journal.stocks(ctx)
	return c, err
}
