package withingstest

import (
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of notification that the simulated world makes.
const (
	appliWeight      = 1
	appliTemperature = 2
	appliPressure    = 4
	appliActivity    = 16
	appliSleep       = 44
	appliProfile     = 46
	appliBedIn       = 50
	appliBedOut      = 51
	appliECG         = 54
	appliGlucose     = 58
)

// typeGlucose is a measure type that only other parties report.
const typeGlucose = 119

// appliOf is the kind of notification that tells of a measure type.
func appliOf(measure int) int {
	switch measure {
	case typeTemp, typeBody, typeSkin:
		return appliTemperature
	case typeDia, typeSys, typePulse, typeSpO2:
		return appliPressure
	case typeGlucose:
		return appliGlucose
	}
	return appliWeight
}

// news is one change that a notification may tell of: of a period, a civil day, or a moment at a device.
type news struct {
	appli    int
	from, to int64
	date     string
	device   string
}

func (u *user) heardGroup(g *MeasureGroup) {
	for _, m := range g.Measures {
		u.heard(news{appli: appliOf(m.Type), from: g.Date, to: g.Date})
	}
}

func (u *user) heardDay(date string) { u.heard(news{appli: appliActivity, date: date}) }

func (u *user) heardNight(n *Night) {
	u.heard(news{appli: appliSleep, from: n.Start, to: n.End})
	if n.Model == 32 {
		u.heard(news{appli: appliBedIn, from: n.Start, device: n.DeviceID})
		u.heard(news{appli: appliBedOut, from: n.End, device: n.DeviceID})
	}
}

func (u *user) heardHeart(h *Heart) {
	if h.SignalID != 0 {
		u.heard(news{appli: appliECG, from: h.Timestamp, to: h.Timestamp})
	}
}

// heard notes a change. Changes of measures become one period, others stay as they are and are noted once.
func (u *user) heard(n news) {
	if !u.listens {
		return
	}
	for i, old := range u.news {
		switch {
		case old == n:
			return
		case old.appli == n.appli && n.appli != appliSleep && n.appli != appliECG && n.to != 0:
			u.news[i].from, u.news[i].to = min(old.from, n.from), max(old.to, n.to)
			return
		}
	}
	u.news = append(u.news, n)
}

// announce turns what changed into notifications; s.mu must be held.
func (s *Server) announce(userID int64) {
	u := s.byID[userID]
	if u == nil {
		return
	}
	for _, n := range u.news {
		form := url.Values{}
		switch {
		case n.date != "":
			form.Set("date", n.date)
		case n.device != "":
			form.Set("date", strconv.FormatInt(n.from, 10))
			form.Set("deviceid", n.device)
		default:
			form.Set("startdate", strconv.FormatInt(n.from, 10))
			form.Set("enddate", strconv.FormatInt(n.to, 10))
		}
		s.enqueue(userID, n.appli, form)
	}
	u.news = nil
}

// Notification is one message of the service to the subscriber of a kind of news.
type Notification struct {
	UserID   int64
	Appli    int
	Callback string
	// Form is the body: userid and appli, and startdate and enddate, or date, or action.
	Form url.Values
	Made time.Time
	// Due is when it is sent next; zero once it is not sent any more.
	Due time.Time
	// Tries is how often it was sent so far, each time with up to two requests, and Status is the HTTP status of the
	// last answer, 0 if there was none. Below 400 it is delivered.
	Tries, Status int
}

// Delivered reports whether the subscriber took the notification.
func (n Notification) Delivered() bool { return n.Status >= 200 && n.Status < 400 }

// enqueue makes one notification for each subscription to the user's news of a kind; s.mu must be held.
func (s *Server) enqueue(userID int64, appli int, form url.Values) {
	if s.cfg.Callbacks == nil {
		return
	}
	for _, sub := range s.subs {
		if sub.UserID != userID || sub.Appli != appli {
			continue
		}
		body := maps.Clone(form)
		body.Set("userid", strconv.FormatInt(userID, 10))
		body.Set("appli", strconv.Itoa(appli))
		now := s.cfg.Now()
		s.outbox = append(s.outbox, &Notification{UserID: userID, Appli: appli, Callback: sub.Callback, Form: body, Made: now, Due: now})
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// Announce has the service notify the subscribers to a user's news of a kind, with what form holds besides userid and
// appli: news that the world does not make by itself, such as action=delete of kind 46, or news that cannot be true.
// Without [Config].Callbacks it does nothing.
func (s *Server) Announce(userID int64, appli int, form url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustUser(userID)
	copied := url.Values{}
	for name, values := range form {
		copied[name] = slices.Clone(values)
	}
	s.enqueue(userID, appli, copied)
}

// Outbox returns the notifications that are still to be sent, in order of their making.
func (s *Server) Outbox() []Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Notification
	for _, n := range s.outbox {
		out = append(out, n.clone())
	}
	return out
}

func (n *Notification) clone() Notification {
	c := *n
	c.Form = maps.Clone(n.Form)
	return c
}

// retryAfter is when a notification is sent again after so many tries in vain; false after the last.
func retryAfter(tries int) (time.Duration, bool) {
	switch {
	case tries == 1:
		return 10 * time.Second, true
	case tries < 10:
		return time.Minute, true
	case tries < 20:
		return time.Hour, true
	case tries < 30:
		return 4 * time.Hour, true
	}
	return 0, false
}

// Deliver sends the notifications that are due by now, one after the other in order of that time, and returns them as
// they are afterwards. What the subscriber does not answer with a status below 400 within two seconds is sent once more
// right away, and then again after 10 seconds, every minute up to the 10th try, every hour up to the 20th and every
// four hours up to the 30th. Notifications that are under way in another call are left to it.
func (s *Server) Deliver(ctx context.Context) []Notification {
	now := s.cfg.Now()
	var out []Notification
	for ctx.Err() == nil {
		n := s.take(now)
		if n == nil {
			break
		}
		status := 0
		for range 2 {
			if status = s.callOut(ctx, http.MethodPost, n.Callback, n.Form.Encode()); status >= 200 && status < 400 {
				break
			}
		}
		out = append(out, s.settle(n, status, ctx.Err() != nil))
	}
	return out
}

// take takes the notification out of the outbox that is due first.
func (s *Server) take(now time.Time) *Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := -1
	for i, n := range s.outbox {
		if !n.Due.After(now) && (first < 0 || n.Due.Before(s.outbox[first].Due)) {
			first = i
		}
	}
	if first < 0 {
		return nil
	}
	n := s.outbox[first]
	s.outbox = slices.Delete(s.outbox, first, first+1)
	return n
}

// settle notes what became of a notification. One that was interrupted goes back as it was.
func (s *Server) settle(n *Notification, status int, interrupted bool) Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	back := func() {
		s.outbox = append(s.outbox, n)
		slices.SortStableFunc(s.outbox, func(a, b *Notification) int { return a.Made.Compare(b.Made) })
	}
	if interrupted && status == 0 {
		back()
		return n.clone()
	}
	n.Tries++
	n.Status = status
	sub := Subscription{UserID: n.UserID, Appli: n.Appli, Callback: n.Callback}
	wait, again := retryAfter(n.Tries)
	switch {
	case n.Delivered():
		delete(s.failed, sub)
		n.Due = time.Time{}
		return n.clone()
	case again:
		n.Due = s.cfg.Now().Add(wait)
		back()
	default:
		n.Due = time.Time{}
	}
	s.failed[sub]++
	if s.cfg.DropAfter > 0 && s.failed[sub] >= s.cfg.DropAfter {
		delete(s.failed, sub)
		n.Due = time.Time{}
		s.subs = slices.DeleteFunc(s.subs, func(other Subscription) bool {
			other.Comment = ""
			return other == sub
		})
		s.outbox = slices.DeleteFunc(s.outbox, func(other *Notification) bool {
			return other.UserID == n.UserID && other.Appli == n.Appli && other.Callback == n.Callback
		})
	}
	return n.clone()
}

// Run delivers notifications when they are due, until ctx ends. It measures time by the clock of the machine: with a
// [Config].Now that jumps, call [Server.Deliver] instead.
func (s *Server) Run(ctx context.Context) {
	for ctx.Err() == nil {
		s.Deliver(ctx)
		timer := time.NewTimer(s.untilDue())
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// untilDue is how long the outbox has nothing to do.
func (s *Server) untilDue() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.outbox) == 0 {
		return time.Hour
	}
	next := slices.MinFunc(s.outbox, func(a, b *Notification) int { return a.Due.Compare(b.Due) })
	return max(0, next.Due.Sub(s.cfg.Now()))
}

// callbackPatience is how long the service waits for an answer to its own requests.
const callbackPatience = 2 * time.Second

// callOut makes one request of the service and returns the status of its answer, 0 if there is none.
func (s *Server) callOut(ctx context.Context, method, address, form string) int {
	ctx, cancel := context.WithTimeout(ctx, callbackPatience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form))
	if err != nil {
		return 0
	}
	if form != "" {
		r.Header.Set("Content-Type", formType)
	}
	resp, err := s.cfg.Callbacks.RoundTrip(r) // which follows no redirect
	if err != nil {
		return 0
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxForm))
	if err := cmp.Or(err, resp.Body.Close()); err != nil {
		return 0
	}
	return resp.StatusCode
}

// checkCallback makes the requests that an address must answer with 200 before notifications are subscribed to it, and
// then the change. s.mu is not held while the other side is asked.
func (s *Server) checkCallback(ctx context.Context, c *call) *refusal {
	if c.check != "" && s.cfg.Callbacks != nil {
		for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodPost} {
			if s.callOut(ctx, method, c.check, "") != http.StatusOK {
				return refuse(StatusBadCallback, "Callback URL is either absent or incorrect")
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.commit()
	return nil
}
