package terratest

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// spent is a request that counts against the hourly limit.
type spent struct {
	at   time.Time
	days int
}

// period is what a data request asks for: civil days, and instants when it was asked in unix seconds.
type period struct {
	from, to int // civil days, to excluded
	start    time.Time
	end      time.Time // zero when asked by days
	days     int       // charged
}

// parseBound reads a date or unix seconds.
func parseBound(text string) (day int, at time.Time, good bool) {
	if d, err := time.Parse(time.DateOnly, text); err == nil {
		return civil(d), time.Time{}, true
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) != 10 {
		return 0, time.Time{}, false
	}
	at = time.Unix(v, 0).UTC()
	return civil(at), at, true
}

// period reads start_date and end_date. The end is excluded and one day after the start when left out.
func (c *call) period() (p period, refused *reply) {
	fail := func(name string) (period, *reply) {
		r := invalid(name)
		return period{}, &r
	}
	from, start, good := parseBound(c.query.Get("start_date"))
	if !good {
		return fail("start_date")
	}
	to, end := from+1, time.Time{}
	if !start.IsZero() {
		end = start.Add(24 * time.Hour)
	}
	if text := c.query.Get("end_date"); text != "" {
		if to, end, good = parseBound(text); !good {
			return fail("end_date")
		}
	} else if !end.IsZero() {
		to = civil(end)
	}
	switch { // one bound as a date and the other in seconds is allowed
	case start.IsZero() && !end.IsZero():
		start = dayTime(from)
	case !start.IsZero() && end.IsZero():
		end = dayTime(to)
	}
	if !end.IsZero() && end.After(dayTime(to)) {
		to++ // days of which a part is asked for
	}
	p = period{from: from, to: to, start: start, end: end, days: to - from}
	if p.days <= 0 || !end.IsZero() && !end.After(start) {
		return fail("end_date")
	}
	return p, nil
}

// charge applies the limits r1 and r2 and sets the headers that tell about them.
func (s *Server) charge(c *call, u *user, days int) (map[string]string, *reply) {
	if s.cfg.RequestDays > 0 && days > s.cfg.RequestDays {
		p := refuse(http.StatusTooManyRequests, "rate limit exceeded")
		p.header = map[string]string{"X-Terra-RateLimit-Rule": "r1"}
		return nil, &p
	}
	if s.cfg.HourlyDays <= 0 {
		return nil, nil
	}
	recent := slices.DeleteFunc(s.limits[u.id], func(v spent) bool { return c.now.Sub(v.at) >= limitWindow })
	sum := 0
	for _, v := range recent {
		sum += v.days
	}
	reset := limitWindow
	if len(recent) > 0 {
		reset = recent[0].at.Add(limitWindow).Sub(c.now)
	}
	seconds := strconv.Itoa(max(1, int((reset+time.Second-1)/time.Second)))
	if sum+days > s.cfg.HourlyDays {
		s.limits[u.id] = recent
		p := refuse(http.StatusTooManyRequests, "rate limit exceeded")
		p.header = map[string]string{"X-Terra-RateLimit-Rule": "r2", "Retry-After": seconds}
		return nil, &p
	}
	s.limits[u.id] = append(recent, spent{c.now, days})
	return map[string]string{
		"X-Terra-RateLimit-Limit": strconv.Itoa(s.cfg.HourlyDays), "X-Terra-RateLimit-Remaining": strconv.Itoa(s.cfg.HourlyDays - sum - days),
		"X-Terra-RateLimit-Reset-After": seconds,
	}, nil
}

// subject finds the user of a data request and checks that the data can be had.
func (s *Server) subject(c *call, kind Kind) (*user, *reply) {
	var p reply
	id := c.query.Get("user_id")
	u := s.byID[id]
	switch {
	case id == "":
		p = badRequest("user_id is required")
	case u == nil || u.state == StatePending:
		p = notFound("user not found")
	case slices.Contains(s.cfg.DisabledTypes, string(kind)):
		p = badRequest("data type is not enabled, enable on the dashboard")
	case u.state == StateRevoked:
		p = refuse(http.StatusFailedDependency, "request failed because of a provider permission problem")
	case kind != "" && !slices.Contains(u.world.habit.kinds, kind) && c.legacy:
		p = badRequest("connection does not support requested data type")
	case kind != "" && !slices.Contains(u.world.habit.kinds, kind):
		p = notFound("this connection does not support the requested data type")
	default:
		return u, nil
	}
	return nil, &p
}

// wantsWebhook reads to_webhook, and refuses when there is nowhere to send to.
func (s *Server) wantsWebhook(c *call) (bool, *reply) {
	push, refused := c.flag("to_webhook", true)
	if refused != nil || !push {
		return push, refused
	}
	for _, d := range s.destinations {
		if !d.off {
			return true, nil
		}
	}
	const detail = "no destinations available for this connection"
	p := badRequest(detail)
	if s.cfg.NoDestinationsOK {
		p = ok(object{"type": "about:blank", "title": "bad request", "instance": c.path, "detail": detail})
	}
	return false, &p
}

func (s *Server) getData(c *call) reply {
	kind := Kind(c.path[1:])
	u, refused := s.subject(c, kind)
	if refused != nil {
		return *refused
	}
	span, refused := c.period()
	if refused != nil {
		return *refused
	}
	samples, refused := c.flag("with_samples", false)
	if refused != nil {
		return *refused
	}
	if _, refused = c.flag("retry_if_rate_limited", false); refused != nil {
		return *refused
	}
	push, refused := s.wantsWebhook(c)
	if refused != nil {
		return *refused
	}
	header, refused := s.charge(c, u, span.days)
	if refused != nil {
		return *refused
	}
	recs := u.world.list(kind, span.from, span.to)
	if !span.end.IsZero() && (kind == KindActivity || kind == KindSleep) {
		recs = u.world.list(kind, span.from-1, span.to+1) // local days are not those of UTC
		recs = slices.DeleteFunc(recs, func(r rec) bool { return r.start.Before(span.start) || !r.start.Before(span.end) })
	}
	if push {
		p := s.pushRange(c, u, kind, recs, samples, span.days)
		for k, v := range header {
			p.header[k] = v
		}
		return p
	}
	answer := s.dataEvent(u, kind, recs, samples)
	delete(answer, "version")
	text := marshal(answer)
	if s.cfg.MaxSyncBytes > 0 && len(text) > s.cfg.MaxSyncBytes {
		return refuse(http.StatusRequestEntityTooLarge, "response too large, use to_webhook")
	}
	return reply{status: http.StatusOK, header: header, body: encoded(text)}
}

// encoded is JSON that was made before.
type encoded []byte

// MarshalJSON returns the text.
func (e encoded) MarshalJSON() ([]byte, error) { return e, nil }

func (s *Server) getAthlete(c *call) reply {
	u, refused := s.subject(c, KindAthlete)
	if refused != nil {
		return *refused
	}
	push, refused := s.wantsWebhook(c)
	if refused != nil {
		return *refused
	}
	header, refused := s.charge(c, u, 1)
	if refused != nil {
		return *refused
	}
	if push {
		p := s.pushRange(c, u, KindAthlete, nil, false, 1)
		for k, v := range header {
			p.header[k] = v
		}
		return p
	}
	answer := s.dataEvent(u, KindAthlete, nil, false)
	delete(answer, "version")
	return reply{status: http.StatusOK, header: header, body: answer}
}

// pushRange accepts a request whose data goes to the destinations.
func (s *Server) pushRange(c *call, u *user, kind Kind, recs []rec, samples bool, days int) reply {
	reference := s.uuid()
	answer := object{"status": "success", "type": string(kind), "reference": reference, "trace_id": reference, "user": u.json()}
	p := reply{status: http.StatusOK, header: map[string]string{"terra-reference": reference}, body: answer}
	if days <= s.cfg.LargeDays {
		s.emit(emission{kind: string(kind), user: u, body: s.dataEvent(u, kind, recs, samples), reference: reference, trace: reference})
		return p
	}
	const message = "Large request is being processed, data will be sent in chunks"
	if c.legacy {
		p.body = object{"type": "large_request_processing", "status": "processing", "message": message, "user": u.json(), "reference": reference}
	} else {
		answer["message"] = message
	}
	processing := about("large_request_processing", u)
	processing["status"], processing["message"], processing["reference"] = "processing", message, reference
	s.emit(emission{kind: "large_request_processing", user: u, body: processing, reference: reference})

	chunks := s.chunks(u, kind, recs, samples)
	sending := about("large_request_sending", u)
	sending["message"], sending["reference"], sending["expected_payloads"] = "Large request payloads are being sent", reference, len(chunks)
	parts := []emission{{kind: "large_request_sending", user: u, body: sending, reference: reference}}
	for i, data := range chunks {
		ev := about(string(kind), u)
		ev["version"], ev["data"] = DataVersion, data
		parts = append(parts, emission{kind: string(kind), user: u, body: ev, reference: reference, trace: reference, chunk: i + 1})
	}
	if s.cfg.ShuffleChunks {
		r := random(s.cfg.Seed, "chunks", reference)
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	}
	for _, part := range parts {
		s.emit(part)
	}
	return p
}

// chunks cuts records into what one webhook of a large request holds.
func (s *Server) chunks(u *user, kind Kind, recs []rec, samples bool) (chunks [][]encoded) {
	var chunk []encoded
	size := 0
	for _, r := range recs {
		text := marshal(u.world.body(r, samples))
		if len(chunk) == s.cfg.ChunkElements || len(chunk) > 0 && size+len(text) > s.cfg.ChunkBytes {
			chunks, chunk, size = append(chunks, chunk), nil, 0
		}
		chunk, size = append(chunk, text), size+len(text)
	}
	if chunk != nil {
		chunks = append(chunks, chunk)
	}
	return chunks
}
