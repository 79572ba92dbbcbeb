package providertest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

func abilityCases() []testCase {
	return []testCase{
		{"authorize", "the authorization address leads back to the redirect address with the state, and holds no secret", checkAuthorize},
		{"exchange", "the one-time code is presented exactly once and gives credentials that work", checkExchange},
		{"exchange-refused", "a callback without consent is an error", checkExchangeRefused},
		{"refresh", "a refresh gives a new pair, in one request, and nobody uses it unasked", checkRefresh},
		{"refresh-once", "the refresh token is presented once also when the call fails, and Ambiguous tells what may have happened", checkRefreshOnce},
		{"refresh-refused", "a refresh token that is refused is ErrReauth, not Ambiguous", checkRefreshRefused},
		{"revoke", "a revoked grant is gone, and revoking again is no error", checkRevoke},
		{"recover", "a grant whose refresh token is refused gets a new pair that works; one that is gone is ErrReauth", checkRecover},
		{"subscribe", "a subscription to each topic can be made, listed and taken back, the last also twice", checkSubscribe},
	}
}

const state = "state-4b1f0a77c2d94e6f"

// connect goes through consent.
func (s *session) connect(a providers.Authorizer) (providers.Callback, error) {
	c, ok := s.sim.(Consenter)
	if !ok {
		return providers.Callback{}, errors.New("the simulator is no Consenter")
	}
	start, err := a.Authorize(s.ctx, providers.AuthRequest{State: state, RedirectURL: c.RedirectURL()})
	if err != nil {
		return providers.Callback{}, fmt.Errorf("authorize: %w", err)
	}
	address, err := url.Parse(start.URL)
	if err != nil || address.Scheme != "https" || address.Host == "" || address.User != nil {
		return providers.Callback{}, errors.New("the address is not an https URL")
	}
	for _, secret := range append(s.sim.MintedSecrets(), start.Secret.Reveal()) {
		if secret != "" && strings.Contains(start.URL, url.QueryEscape(secret)) {
			return providers.Callback{}, errors.New("the address holds a secret")
		}
	}
	back, err := c.Consent(start.URL)
	if err != nil {
		return providers.Callback{}, fmt.Errorf("consent: %w", err)
	}
	to, err := url.Parse(back)
	if err != nil || !strings.HasPrefix(back, c.RedirectURL()) {
		return providers.Callback{}, errors.New("it leads back elsewhere")
	}
	cb := providers.Callback{Query: to.Query(), RedirectURL: c.RedirectURL(), Secret: start.Secret}
	if !slices.Equal(cb.Query["state"], []string{state}) {
		return providers.Callback{}, errors.New("it comes back without the state")
	}
	return cb, nil
}

func checkAuthorize(s *session) error {
	s.open(0)
	a, ok := s.provider.(providers.Authorizer)
	if !ok {
		return nil
	}
	_, err := s.connect(a)
	return err
}

// oneTime returns what of a callback may be presented only once.
func oneTime(cb providers.Callback) string {
	for _, name := range []string{"code", "oauth_verifier"} {
		if v := cb.Query[name]; len(v) == 1 {
			return v[0]
		}
	}
	return ""
}

func checkExchange(s *session) error {
	s.open(0)
	a, ok := s.provider.(providers.Authorizer)
	if !ok || s.provider.Capabilities().ConnectByDelivery {
		return nil
	}
	cb, err := s.connect(a)
	if err != nil {
		return nil // the case authorize tells
	}
	code, mark := oneTime(cb), s.wire.mark()
	grant, err := a.Exchange(s.ctx, cb)
	if err != nil {
		return err
	}
	if n := s.wire.bearing(mark, code); code != "" && n != 1 {
		return fmt.Errorf("the code was presented %d times", n)
	}
	if grant.Credential.Access.IsZero() || grant.UpstreamID == "" {
		return errors.New("no access token or no upstream id")
	}
	s.cred = grant.Credential
	q, err := s.query()
	if err != nil {
		return err
	}
	if _, err = s.fetch(s.provider, q); err != nil {
		return fmt.Errorf("the credentials do not work: %w", err)
	}
	if code == "" {
		return nil
	}
	if _, err = a.Exchange(s.ctx, cb); err == nil {
		return errors.New("the code worked twice")
	}
	// A call that fails does not present the code again.
	if cb, err = s.connect(a); err != nil {
		return err
	}
	code, mark = oneTime(cb), s.wire.mark()
	s.wire.breaks(answers(http.StatusInternalServerError, ""))
	if _, err = a.Exchange(s.ctx, cb); err == nil {
		return errors.New("success without an answer")
	}
	if n := s.wire.bearing(mark, code); n > 1 {
		return fmt.Errorf("the code was presented %d times to a service that fails", n)
	}
	return nil
}

func checkExchangeRefused(s *session) error {
	s.open(0)
	a, ok := s.provider.(providers.Authorizer)
	if !ok {
		return nil
	}
	redirect := ""
	if c, ok := s.sim.(Consenter); ok {
		redirect = c.RedirectURL()
	}
	for _, query := range []url.Values{
		{}, {"state": {state}}, {"error": {"access_denied"}, "state": {state}},
		{"error": {"access_denied"}, "code": {"c1"}, "state": {state}}, {"code": {"c1", "c2"}, "state": {state}}, {"code": {""}},
	} {
		mark := s.wire.mark()
		_, err := a.Exchange(s.ctx, providers.Callback{Query: query, RedirectURL: redirect})
		if err == nil {
			return fmt.Errorf("success with the query %q", query.Encode())
		}
		if s.wire.mark() > mark {
			return fmt.Errorf("a request was made with the query %q", query.Encode())
		}
	}
	return nil
}

func checkRefresh(s *session) error {
	s.open(0)
	r, ok := s.provider.(providers.Refresher)
	if !ok {
		return nil
	}
	q, err := s.query()
	if err != nil {
		return err
	}
	old, mark := s.cred, s.wire.mark()
	next, err := r.Refresh(s.ctx, old)
	if err != nil {
		return err
	}
	if n := s.wire.bearing(mark, old.Refresh.Reveal()); n != 1 {
		return fmt.Errorf("the refresh token was presented %d times", n)
	}
	if err := succeeds(old, next); err != nil {
		return err
	}
	mark = s.wire.mark()
	_, _ = s.provider.Fetch(s.ctx, old, q)
	if s.wire.bearing(mark, next.Access.Reveal()) > 0 {
		return errors.New("the new access token was used by a call that was given the old one")
	}
	s.cred = next
	if _, err = s.fetch(s.provider, q); err != nil {
		return fmt.Errorf("the new credentials do not work: %w", err)
	}
	return nil
}

// succeeds checks a pair that takes the place of another one.
func succeeds(old, next providers.Credential) error {
	switch {
	case next.Access.IsZero() || next.Access == old.Access:
		return errors.New("no new access token")
	case next.Refresh.IsZero():
		return errors.New("the refresh token is lost")
	case !next.ExpiresAt.After(time.Now()):
		return errors.New("the new access token has no lifetime")
	case next.UpstreamID != old.UpstreamID:
		return errors.New("the upstream id changed")
	}
	return nil
}

func checkRefreshOnce(s *session) error {
	s.open(0)
	r, ok := s.provider.(providers.Refresher)
	if !ok {
		return nil
	}
	for _, f := range wireFaults() {
		s.cred = s.sim.Login()
		mark := s.wire.mark()
		s.wire.breaks(f.broken)
		next, err := r.Refresh(s.ctx, s.cred)
		s.wire.breaks(nil)
		wrong := func(what string) error { return fmt.Errorf("%s: %s", f.id, what) }
		if err == nil || !reflect.DeepEqual(next, providers.Credential{}) {
			return wrong("it returned credentials or no error")
		}
		e, ok := errors.AsType[*providers.Error](err)
		if !ok {
			return wrong("the error is not a *providers.Error")
		}
		presented := s.wire.bearing(mark, s.cred.Refresh.Reveal())
		told := f.class == providers.ErrRateLimited || f.id == "redirect"
		switch {
		case presented > 1:
			return wrong(fmt.Sprintf("the refresh token was presented %d times", presented))
		case errors.Is(err, providers.ErrReauth):
			return wrong("it reads as a refused grant")
		case presented == 1 && !told && !e.Ambiguous:
			return wrong("it is not Ambiguous")
		case told && e.Ambiguous:
			return wrong("it is Ambiguous though the service refused")
		}
	}
	return nil
}

func checkRefreshRefused(s *session) error {
	s.open(0)
	r, ok := s.provider.(providers.Refresher)
	if !ok {
		return nil
	}
	s.cred.Refresh = providers.NewSecret("not-a-refresh-token")
	_, err := r.Refresh(s.ctx, s.cred)
	e, err := s.wantError(err, providers.ErrReauth)
	if err == nil && e.Ambiguous {
		err = errors.New("it is Ambiguous")
	}
	return err
}

func checkRevoke(s *session) error {
	s.open(0)
	r, ok := s.provider.(providers.Revoker)
	if !ok {
		return nil
	}
	q, err := s.query()
	if err != nil {
		return err
	}
	for _, turn := range []string{"first", "second"} {
		if err := r.Revoke(s.ctx, s.cred); err != nil {
			return fmt.Errorf("the %s time: %w", turn, err)
		}
	}
	_, err = s.provider.Fetch(s.ctx, s.cred, q)
	_, err = s.wantError(err, providers.ErrReauth)
	return err
}

func checkRecover(s *session) error {
	s.open(0)
	r, ok := s.provider.(providers.Recoverer)
	if !ok {
		return nil
	}
	q, err := s.query()
	if err != nil {
		return err
	}
	lost := s.cred
	lost.Refresh = providers.NewSecret("not-a-refresh-token")
	next, err := r.Recover(s.ctx, lost)
	if err != nil {
		return err
	}
	if err := succeeds(lost, next); err != nil {
		return err
	}
	if next.Refresh == lost.Refresh {
		return errors.New("the refresh token is the one that was refused")
	}
	s.cred = next
	if _, err = s.fetch(s.provider, q); err != nil {
		return fmt.Errorf("the new credentials do not work: %w", err)
	}
	revoker, ok := s.provider.(providers.Revoker)
	if !ok {
		return nil
	}
	if err := revoker.Revoke(s.ctx, next); err != nil {
		return nil // the case revoke tells
	}
	if _, err = s.provider.Fetch(s.ctx, next, q); !errors.Is(err, providers.ErrReauth) {
		return nil // here too
	}
	none, err := r.Recover(s.ctx, next)
	if err != nil && !reflect.DeepEqual(none, providers.Credential{}) {
		return errors.New("credentials came with the error")
	}
	if _, err = s.wantError(err, providers.ErrReauth); err != nil {
		return fmt.Errorf("after the grant was revoked: %w", err)
	}
	return nil
}

func checkSubscribe(s *session) error {
	s.open(0)
	sub, ok := s.provider.(providers.Subscriber)
	if !ok {
		return nil
	}
	source, ok := s.sim.(Subscribing)
	if !ok {
		return errors.New("the simulator is not Subscribing")
	}
	asked := source.Subscription()
	for _, topic := range unique(append(slices.Clone(s.provider.Capabilities().Topics), asked.Topic)) {
		asked.Topic = topic
		if err := s.subscription(sub, asked); err != nil {
			return fmt.Errorf("topic %q: %w", topic, err)
		}
	}
	return nil
}

// subscription makes a subscription and takes it back.
func (s *session) subscription(sub providers.Subscriber, asked providers.Subscription) error {
	made, err := sub.Subscribe(s.ctx, s.cred, asked)
	switch {
	case err != nil:
		return fmt.Errorf("subscribe: %w", err)
	case made.Topic != asked.Topic || made.CallbackURL != asked.CallbackURL:
		return errors.New("subscribe: it is about something else")
	case !made.ExpiresAt.IsZero() && !made.ExpiresAt.After(time.Now()):
		return errors.New("subscribe: it has expired")
	}
	listed := func() (bool, error) {
		all, err := sub.Subscriptions(s.ctx, s.cred)
		return slices.ContainsFunc(all, func(o providers.Subscription) bool {
			return o.ID == made.ID && o.Topic == asked.Topic && o.CallbackURL == asked.CallbackURL
		}), err
	}
	if found, err := listed(); err != nil || !found {
		return fmt.Errorf("it is not listed (error %v)", err)
	}
	for range 2 {
		if err := sub.Unsubscribe(s.ctx, s.cred, made); err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
	}
	if found, err := listed(); err != nil || found {
		return fmt.Errorf("it is still listed (error %v)", err)
	}
	return nil
}
