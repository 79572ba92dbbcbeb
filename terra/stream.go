package terra

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// The operations of the stream: Terra, "Streaming API".
const (
	opHeartbeat = 0
	opAck       = 1
	opHello     = 2
	opIdentify  = 3
	opReady     = 4
	opDispatch  = 5
	opReplay    = 7
)

// streamConsumer is the role of who receives.
const streamConsumer = 1

const (
	opStream = "stream"
	// maxFrame is the longest message of the stream.
	maxFrame = 1 << 20
	// handshake is how long it may take until the service is ready to send.
	handshake = 15 * time.Second
	// frameTime is how long writing a message may take.
	frameTime = 10 * time.Second
	// The pauses before connecting again, doubled after each failure.
	firstPause, lastPause = time.Second, time.Minute
)

// replays are how long after the first message of a connection the service is
// asked for what was sent while there was none: what was sent a few seconds ago
// may not be replayable yet.
func replays() []time.Duration { return []time.Duration{0, 5 * time.Second, 20 * time.Second} }

// StreamConfig says what to do with what is streamed.
type StreamConfig struct {
	// Handle gets each sample, one after the other. An error ends the stream.
	// Required.
	Handle func(context.Context, StreamSample) error
	// After is the number of the last sample that was handled by an earlier
	// stream: what came since is replayed. 0 begins with what comes.
	After int64
}

// StreamSample is one reading of a device that is being worn.
type StreamSample struct {
	// Seq orders the samples of an environment; numbers may be missing.
	Seq int64
	// UserID is the connection.
	UserID string
	// Type is Terra's word, such as HEART_RATE, or with the sport in front
	// RUNNING_HEART_RATE.
	Type string
	// At is when it was measured.
	At Timestamp
	// Values is the value, or one for each axis: latitude and longitude of a
	// LOCATION.
	Values []Number
	// Record is the sample as a health record of kind samples, with one series
	// per value. Types that are not known have a metric that begins with
	// "terra_". It is zero if the time or a value cannot be read.
	Record health.Record
	// Resume is where to go on if no sample after this one is handled: the After
	// of the next stream.
	Resume int64
}

// Stream receives what devices measure, as it is measured, until ctx ends or
// Handle fails; it returns that error. It identifies itself with a token of its
// own, keeps the connection alive, and connects again when it breaks, with a
// pause of a second that doubles up to a minute. What came in between is replayed
// as soon as the next sample comes, which tells where the gap ends; before the
// first sample of all there is nothing to replay from, unless After says it.
// Samples that were handled are not handled again, and a replayed one may be
// handled after a later one. After a sample is handled for which Handle fails, or
// the process ends, it comes again with StreamConfig.After.
//
// A service that refuses the credentials, or says that the client is wrong, ends
// the stream with that error. There may be a limit of one stream per environment:
// a second one is tried again until there is room.
func (c *Client) Stream(ctx context.Context, cfg StreamConfig) error {
	if cfg.Handle == nil || cfg.After < 0 {
		return invalid(opStream, "a function for the samples is required, and no negative number")
	}
	s := &streaming{client: c, cfg: cfg, last: cfg.After, high: cfg.After, dialer: c.socketClient()}
	defer s.dialer.CloseIdleConnections()
	for pause := firstPause; ; {
		ready, err := s.connection(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !providers.Retryable(err):
			return err
		case ready:
			pause = firstPause
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
		pause = min(2*pause, lastPause)
	}
}

// socketClient returns what connects to the stream.
func (c *Client) socketClient() *http.Client {
	transport := c.cfg.Transport
	if transport == nil {
		dialer := &net.Dialer{Timeout: handshake}
		if u, err := url.Parse(c.cfg.SocketURL); err != nil || !loopback(u.Hostname()) {
			dialer.Control = httpx.GuardDial
		}
		transport = &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: handshake}
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// streaming is a stream over all its connections.
type streaming struct {
	client *Client
	cfg    StreamConfig
	dialer *http.Client

	// last: all samples up to it were handled, as far as can be known. high is
	// the latest one that was; they differ while a gap is being filled, and seen
	// are those between them that were.
	last, high int64
	seen       map[int64]bool
}

// frame is one message.
type frame struct {
	Op  *int            `json:"op"`
	D   json.RawMessage `json:"d,omitempty"`
	T   string          `json:"t,omitempty"`
	UID string          `json:"uid,omitempty"`
	Seq int64           `json:"seq,omitempty"`
}

// handleError is a failure of Handle.
type handleError struct{ err error }

func (h *handleError) Error() string { return h.err.Error() }

// connection connects and receives until the connection ends. Ready reports
// whether the service took it.
func (s *streaming) connection(ctx context.Context) (ready bool, err error) {
	token, err := s.client.streamToken(ctx, opStream, "auth/developer", nil)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dialing, done := context.WithTimeout(ctx, handshake)
	conn, _, err := websocket.Dial(dialing, s.client.cfg.SocketURL, &websocket.DialOptions{HTTPClient: s.dialer})
	done()
	if err != nil {
		return false, broken(err)
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxFrame)

	frames := make(chan frame)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var f frame
			_, text, err := conn.Read(ctx)
			if err == nil && json.Unmarshal(text, &f) != nil || err == nil && f.Op == nil {
				err = errFrame
			}
			if err != nil {
				cancel(broken(err))
				return
			}
			select {
			case frames <- f:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		_ = conn.CloseNow()
		<-ended
	}()
	ready, err = s.receive(ctx, conn, token, frames)
	if h, ok := errors.AsType[*handleError](err); ok {
		_ = conn.Close(websocket.StatusNormalClosure, "")
		return ready, h.err
	}
	return ready, err
}

// receive works on the messages of a connection.
func (s *streaming) receive(ctx context.Context, conn *websocket.Conn, token string, frames <-chan frame) (ready bool, err error) {
	send := func(op int, d any) error {
		writing, done := context.WithTimeout(ctx, frameTime)
		defer done()
		message := map[string]any{"op": op}
		if d != nil {
			message["d"] = d
		}
		text, err := json.Marshal(message)
		if err != nil {
			return err
		}
		return broken(conn.Write(writing, websocket.MessageText, text))
	}
	late := time.NewTimer(handshake) // runs until the service is ready
	defer late.Stop()
	beat := time.NewTimer(0) // the heart begins to beat with the greeting
	beat.Stop()
	defer beat.Stop()
	again := time.NewTimer(0)
	again.Stop()
	defer again.Stop()
	var (
		interval time.Duration
		acked    = true
		first    int64 // of the samples of this connection
		asked    int   // how often a replay was asked for
		pause    time.Duration
		waits    = replays()
	)
	replay := func() error {
		if asked == len(waits) {
			s.settled()
			return nil
		}
		if err := send(opReplay, map[string]int64{"after": s.last, "before": first}); err != nil {
			return err
		}
		asked++
		pause = waits[len(waits)-1]
		if asked < len(waits) {
			pause = waits[asked] - waits[asked-1]
		}
		again.Reset(pause)
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return ready, context.Cause(ctx)
		case <-again.C:
			if err := replay(); err != nil {
				return ready, err
			}
		case <-late.C:
			return ready, broken(errSilent)
		case <-beat.C:
			if !acked {
				return ready, broken(errSilent)
			}
			acked = false
			if err := send(opHeartbeat, nil); err != nil {
				return ready, err
			}
			beat.Reset(interval)
		case f := <-frames:
			acked = true // its own answer may stand behind a long replay
			switch *f.Op {
			case opHello:
				var hello struct {
					Interval int64 `json:"heartbeat_interval"`
				}
				if json.Unmarshal(f.D, &hello) != nil || hello.Interval < 1 || hello.Interval > int64(time.Hour/time.Millisecond) {
					return ready, broken(errFrame)
				}
				interval = time.Duration(hello.Interval) * time.Millisecond
				beat.Reset(rand.N(interval) + 1)
				if err := send(opIdentify, map[string]any{"token": token, "type": streamConsumer}); err != nil {
					return ready, err
				}
			case opAck:
			case opReady:
				ready = true
				late.Stop()
			case opDispatch:
				if first == 0 && s.missed(f.Seq) {
					first = f.Seq
					if err := replay(); err != nil {
						return ready, err
					}
				}
				first = max(first, 1)
				if err := s.take(ctx, f); err != nil {
					return ready, err
				}
				if s.seen != nil && f.Seq < first {
					again.Reset(pause) // a replay is still coming in
				}
			}
		}
	}
}

// missed reports whether there may be samples between the ones that were handled
// and the first one of a connection; their gap is then open.
func (s *streaming) missed(first int64) bool {
	if s.seen == nil && s.last > 0 && first > s.high+1 {
		s.seen = map[int64]bool{}
	}
	return s.seen != nil
}

// maxSeen bounds what is remembered while a gap is being filled.
const maxSeen = 1 << 20

// take hands a sample over that was not handed over before.
func (s *streaming) take(ctx context.Context, f frame) error {
	if f.Seq <= s.last && f.Seq > 0 || s.seen[f.Seq] {
		return nil
	}
	sample := s.sample(f)
	if sample.Resume = s.last; s.seen == nil {
		sample.Resume = max(s.last, f.Seq)
	}
	if err := s.cfg.Handle(ctx, sample); err != nil {
		return &handleError{err}
	}
	s.high = max(s.high, f.Seq)
	if s.seen == nil {
		s.last = s.high
		return nil
	}
	if s.seen[f.Seq] = true; len(s.seen) > maxSeen {
		s.settled()
	}
	return nil
}

// settled ends the filling of a gap.
func (s *streaming) settled() { s.last, s.seen = s.high, nil }

// ProducerToken returns a token with which a device of the person, or a program
// in its place, sends samples to the stream: it identifies itself with the token
// and type 0. The token works once. It is not repeated when it fails; a
// connection that there is not is ErrInvalid: Terra, "Streaming API".
func (c *Client) ProducerToken(ctx context.Context, userID string) (providers.Secret, error) {
	const op = "producer token"
	if userID == "" {
		return providers.Secret{}, invalid(op, "a user id is required")
	}
	token, err := c.streamToken(ctx, op, "auth/user", url.Values{"id": {userID}})
	return providers.NewSecret(token), err
}

// streamToken asks for a token of the stream. It works once.
func (c *Client) streamToken(ctx context.Context, op, path string, query url.Values) (string, error) {
	var answer struct {
		trouble
		Token string `json:"token"`
	}
	_, err := c.do(ctx, call{op: op, method: http.MethodPost, path: path, query: query, once: true, via: c.tokens}, func(r *httpx.Response) error {
		return c.readResult(op, r, &answer, &answer.trouble, func() bool { return answer.Token != "" })
	})
	if e, ok := errors.AsType[*providers.Error](err); ok && e.Status == http.StatusForbidden {
		e.Kind, e.Code, e.ClientFault, e.Detail = providers.ErrInvalid, CodeCredentials, true, detailCredentials
	}
	return answer.Token, err
}

var (
	errFrame  = errors.New("not a message of the stream")
	errSilent = errors.New("no answer")
)

// broken classifies the end of a connection. What the service says is a fault of
// the client is not tried again.
func broken(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*providers.Error](err); ok {
		return err
	}
	e := &providers.Error{Provider: Name, Op: opStream, Kind: providers.ErrUnavailable, Code: codeTransport}
	switch code := websocket.CloseStatus(err); code {
	case -1:
		if errors.Is(err, errFrame) {
			e.Code = codeShape
		}
	case 1003, 4000, 4003, 4004:
		e.Kind, e.Code = providers.ErrInvalid, "close_"+strconv.Itoa(int(code))
	default:
		e.Code = "close_" + strconv.Itoa(int(code))
	}
	return e
}

// sample reads a message with a sample.
func (s *streaming) sample(f frame) StreamSample {
	sample := StreamSample{Seq: f.Seq, UserID: f.UID, Type: f.T}
	var d struct {
		TS  Timestamp `json:"ts"`
		Val Number    `json:"val"`
		D   []Number  `json:"d"`
	}
	if json.Unmarshal(f.D, &d) != nil {
		return sample
	}
	sample.At = d.TS
	if sample.Values = d.D; d.Val.IsSet() {
		sample.Values = []Number{d.Val}
	}
	at, flags, err := d.TS.Moment()
	if err != nil || len(sample.Values) == 0 {
		return sample
	}
	milli := at.SortMilli()
	r := health.Record{
		Kind: health.KindSamples, Key: strings.Join([]string{"stream", streamWord(f.T), clockText(d.TS), strconv.FormatInt(f.Seq, 10)}, "/"),
		Span: health.Span{Start: at, Flags: flags, Zone: zoneOf(at)}, Method: health.MethodSensed,
		Source: health.Source{Provider: Name, Path: health.PathTerra}, Rev: health.Rev{Order: milli, Mapping: mappingVersion, Push: true},
	}
	for i, n := range sample.Values {
		number, ok := n.Decimal()
		if !ok {
			return sample
		}
		metric, part := streamMetric(f.T, i, len(sample.Values))
		r.Series = append(r.Series, health.Series{
			Metric: metric, Part: part, Exp: number.Exponent, Floating: at.IsFloating(), From: milli, To: milli + 1,
			Times: []int64{milli}, Values: []int64{number.Coefficient},
		})
	}
	r.Normalize()
	if r.Validate(time.Now()) == nil {
		sample.Record = r
	}
	return sample
}

// streamMetric returns what the value with an index is. Only what the
// documentation leaves no doubt about has a metric of the catalogue.
func streamMetric(kind string, i, of int) (health.Metric, health.Part) {
	switch {
	case strings.HasSuffix(kind, "HEART_RATE") && of == 1:
		return health.MetricHeartRate, ""
	case strings.HasSuffix(kind, "LOCATION") && of == 2:
		return [2]health.Metric{health.MetricLatitude, health.MetricLongitude}[i], ""
	}
	metric := health.Metric("terra_" + streamWord(kind))
	if of == 1 {
		return metric, ""
	}
	return metric, health.Part("axis_" + strconv.Itoa(i))
}

// streamWord is a type as part of keys and names.
func streamWord(kind string) string {
	const longest = health.MaxName - len("terra_")
	word := slug(kind)
	if word == "" {
		return "unknown"
	}
	return strings.TrimRight(word[:min(len(word), longest)], "_")
}
