package withingstest

import (
	"cmp"
	"slices"
	"strings"
)

// Subscription is one notification subscription.
type Subscription struct {
	UserID   int64
	Appli    int
	Callback string
	Comment  string
}

// subscriptionScopes is which scope each kind of notification needs.
var subscriptionScopes = map[int]string{
	1: ScopeMetrics, 2: ScopeMetrics, 4: ScopeMetrics, 16: ScopeActivity, 44: ScopeActivity, 46: ScopeInfo,
	50: ScopeSleepEvents, 51: ScopeSleepEvents, 52: ScopeSleepEvents, 54: ScopeMetrics, 55: ScopeMetrics, 58: ScopeMetrics,
}

// legacyAppli is the kind of a subscription that named none in the OAuth 1.0 era: the only one there was at first.
const legacyAppli = 1

// neverExpires is what the service says in expires.
const neverExpires = 2147483647

// Subscriptions returns the notification subscriptions, ordered by user, kind and callback.
func (s *Server) Subscriptions() []Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.subs)
	slices.SortFunc(out, func(a, b Subscription) int {
		return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.Appli, b.Appli), strings.Compare(a.Callback, b.Callback))
	})
	return out
}

// appli reads the kind of notification; byDefault 0 makes it required, -1 optional.
func (c *call) appli(name string, byDefault int) (int, *refusal) {
	v, present, refused := c.integer(name)
	switch {
	case refused != nil:
		return 0, refused
	case !present && byDefault != 0:
		return byDefault, nil
	case !present:
		return 0, missing(name)
	}
	scope, known := subscriptionScopes[int(v)]
	if !known {
		return 0, invalid(name)
	}
	if !c.token.has(scope) {
		return 0, refuse(StatusInsufficientScope, "Insufficient_scope: the access token has no scope %s", scope)
	}
	return int(v), nil
}

// callback reads an address for notifications and applies the service's rules to it.
func (s *Server) callback(c *call, name string) (string, *refusal) {
	address := c.params.Get(name)
	if address == "" {
		return "", c.noCallback(name)
	}
	u, ok := s.publicAddress(address)
	if c.legacy && u != nil && u.Scheme == "http" { // which was fine then
		_, ok = s.publicAddress("https" + strings.TrimPrefix(address, "http"))
	}
	if !ok || len(address) > 255 || !s.cfg.AllowLoopback && !slices.Contains([]string{"", "80", "443"}, u.Port()) {
		return "", refuse(StatusBadCallback, "Callback URL is either absent or incorrect")
	}
	return address, nil
}

func (c *call) noCallback(name string) *refusal {
	if c.legacy {
		return refuse(StatusBadCallback, "Callback URL is either absent or incorrect")
	}
	return missing(name)
}

func (s *Server) findSub(c *call, appli int, callback string) int {
	return slices.IndexFunc(s.subs, func(sub Subscription) bool {
		return sub.UserID == c.user.id && (appli < 0 || sub.Appli == appli) && sub.Callback == callback
	})
}

func (s *Server) subscribe(c *call) *refusal {
	callback, refused := s.callback(c, "callbackurl")
	if refused != nil {
		return refused
	}
	byDefault := 0
	if c.legacy {
		byDefault = legacyAppli
	}
	appli, refused := c.appli("appli", byDefault)
	if refused != nil {
		return refused
	}
	sub := Subscription{c.user.id, appli, callback, c.params.Get("comment")}
	c.check, c.commit = callback, func() {
		if i := s.findSub(c, appli, callback); i >= 0 {
			s.subs[i] = sub
		} else {
			s.subs = append(s.subs, sub)
		}
	}
	return nil
}

func (w *writer) subscription(sub Subscription) {
	w.open('{')
	w.key("appli").int(int64(sub.Appli))
	w.key("callbackurl").str(sub.Callback)
	w.key("comment").str(sub.Comment)
	w.key("expires").int(neverExpires)
	w.close('}')
}

func (s *Server) listSubscriptions(c *call) *refusal {
	appli, refused := c.appli("appli", -1)
	if refused != nil {
		return refused
	}
	c.body.open('{')
	c.body.key("profiles").open('[')
	for _, sub := range s.subs {
		if sub.UserID == c.user.id && (appli < 0 || sub.Appli == appli) {
			c.body.subscription(sub)
		}
	}
	c.body.close(']')
	c.body.close('}')
	return nil
}

// existing finds the subscription a call is about.
func (s *Server) existing(c *call, byDefault int) (int, *refusal) {
	callback := c.params.Get("callbackurl")
	if callback == "" {
		return 0, c.noCallback("callbackurl")
	}
	appli, refused := c.appli("appli", byDefault)
	if refused != nil {
		return 0, refused
	}
	i := s.findSub(c, appli, callback)
	if i < 0 {
		return 0, refuse(StatusNoSubscription, "No such subscription was found")
	}
	return i, nil
}

func (s *Server) getSubscription(c *call) *refusal {
	i, refused := s.existing(c, 1)
	if refused != nil {
		return refused
	}
	c.body.subscription(s.subs[i])
	return nil
}

func (s *Server) updateSubscription(c *call) *refusal {
	i, refused := s.existing(c, 0)
	if refused != nil {
		return refused
	}
	given := 0
	for _, name := range []string{"new_callbackurl", "new_appli", "comment"} {
		given += b2i(c.params.Has(name))
	}
	if given != 1 {
		return refuse(StatusInvalidParams, "Invalid Params: exactly one of new_callbackurl, new_appli and comment is wanted")
	}
	sub := s.subs[i]
	switch {
	case c.params.Has("new_callbackurl"):
		if sub.Callback, refused = s.callback(c, "new_callbackurl"); refused != nil {
			return refused
		}
		c.check = sub.Callback
	case c.params.Has("new_appli"):
		if sub.Appli, refused = c.appli("new_appli", 0); refused != nil {
			return refused
		}
	default:
		sub.Comment = c.params.Get("comment")
	}
	old := s.subs[i]
	c.commit = func() {
		if i := slices.Index(s.subs, old); i >= 0 {
			s.subs[i] = sub
		}
	}
	return nil
}

func (s *Server) unsubscribe(c *call) *refusal {
	if _, refused := s.existing(c, -1); refused != nil {
		return refused
	}
	appli, _ := c.appli("appli", -1)
	callback := c.params.Get("callbackurl")
	ended := func(user int64, kind int, address string) bool {
		return user == c.user.id && address == callback && (appli < 0 || kind == appli)
	}
	s.subs = slices.DeleteFunc(s.subs, func(sub Subscription) bool { return ended(sub.UserID, sub.Appli, sub.Callback) })
	s.outbox = slices.DeleteFunc(s.outbox, func(n *Notification) bool { return ended(n.UserID, n.Appli, n.Callback) })
	return nil
}
