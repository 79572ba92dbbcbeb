package terratest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/coder/websocket"
)

// Operations of the stream.
const (
	opHeartbeat = iota
	opAck
	opHello
	opIdentify
	opReady
	opDispatch
	opSubmit
	opReplay
)

// Close codes of the stream.
const (
	CloseNotIdentified    = 4000 // no IDENTIFY in time
	CloseInvalidToken     = 4001 // unknown, expired or used
	CloseTooManyConsumers = 4002
	CloseIdentifiedTwice  = 4003
	CloseUnknownOperation = 4004
	CloseNoHeartbeat      = 4005
)

// stream is the state of the streaming host. It is guarded by Server.mu.
type stream struct {
	tokens    map[string]*streamToken
	consumers []*consumer
	history   []Dispatch
	seq       int64
	paused    bool // heartbeats are not acknowledged
	log       []StreamEvent
}

func (st *stream) init() { st.tokens = map[string]*streamToken{} }

type streamToken struct {
	producer bool
	userID   string
	used     bool
}

// Dispatch is one sample that went through the stream.
type Dispatch struct {
	Seq    int64
	UserID string
	Type   string // such as heart_rate
	Data   json.RawMessage
}

// StreamEvent is one thing a client of the stream did.
type StreamEvent struct {
	Time     time.Time
	What     string // identify, heartbeat, replay, submit, closed
	Producer bool
	After    int64 // of a replay
	Before   int64
	Code     int // of closed, as the simulator sent it; 0 when the client left
}

// consumer is a connected client, of either role; queue holds frames to be written.
type consumer struct {
	token  *streamToken // nil until it has identified itself
	queue  chan []byte
	cancel context.CancelCauseFunc
}

// closing is why a connection ends.
type closing struct {
	code   websocket.StatusCode
	reason string
}

func (c closing) Error() string { return c.reason }

// streamToken hands out tokens of the two roles. s.mu is held.
func (s *Server) streamToken(c *call) reply {
	if c.r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "method not allowed")
	}
	if user, pass, basic := c.r.BasicAuth(); basic {
		c.r = c.r.Clone(c.r.Context())
		c.r.Header.Set("dev-id", user)
		c.r.Header.Set("x-api-key", pass)
	}
	if s.admit(c.r) != nil {
		return refuse(http.StatusForbidden, "forbidden")
	}
	t := &streamToken{}
	if c.path == ProducerPath {
		t.producer, t.userID = true, c.query.Get("id")
		if u := s.byID[t.userID]; u == nil || u.state != StateActive {
			return invalid("id")
		}
	}
	text := s.secret(24)
	s.stream.tokens[text] = t
	return ok(object{"token": text})
}

// Stream dispatches a sample of a user to all consumers and keeps it for replays. It returns its sequence number. The
// data must be JSON.
func (s *Server) Stream(userID, dataType string, data []byte) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.publish(userID, dataType, data)
}

func (s *Server) publish(userID, dataType string, data []byte) int64 {
	st := &s.stream
	st.seq++
	d := Dispatch{st.seq, userID, dataType, slices.Clone(data)}
	st.history = append(st.history, d)
	if over := len(st.history) - s.cfg.StreamHistory; over > 0 {
		st.history = slices.Delete(st.history, 0, over)
	}
	for _, c := range st.consumers {
		c.send(d.frame())
	}
	return d.Seq
}

func (d Dispatch) frame() []byte {
	return marshal(object{"op": opDispatch, "uid": d.UserID, "seq": d.Seq, "t": d.Type, "d": d.Data})
}

// send queues a frame; a client that does not read is cut off.
func (c *consumer) send(frame []byte) {
	select {
	case c.queue <- frame:
	default:
		c.cancel(closing{websocket.StatusInternalError, "slow consumer"})
	}
}

// DropStreams ends all stream connections without a closing handshake, as a broken network does.
func (s *Server) DropStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.stream.consumers {
		c.cancel(nil)
	}
}

// PauseHeartbeats stops or resumes the acknowledgement of heartbeats: a client should notice that nobody answers.
func (s *Server) PauseHeartbeats(pause bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream.paused = pause
}

// StreamLog returns what stream clients did, oldest first.
func (s *Server) StreamLog() []StreamEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.stream.log)
}

// StreamClients is how many identified clients are connected.
func (s *Server) StreamClients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stream.consumers)
}

// serveStream is one connection.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	s.group.Add(1)
	s.mu.Unlock()
	defer s.group.Done()

	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	// History larger than the queue goes out through it too, so it holds all of it.
	c := &consumer{queue: make(chan []byte, s.cfg.StreamHistory+1024)}
	ctx, cancel := context.WithCancelCause(s.ctx)
	c.cancel = cancel
	defer cancel(nil)

	frames := make(chan received)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			kind, text, err := conn.Read(ctx)
			select {
			case frames <- received{kind, text, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	c.send(marshal(object{"op": opHello, "d": object{"heartbeat_interval": s.cfg.Heartbeat.Milliseconds()}}))
	// A deadline of the context of a read would end the connection without a close frame, so a timer watches.
	timer := time.NewTimer(s.cfg.IdentifyWithin)
	defer timer.Stop()
	for err == nil {
		select {
		case frame := <-c.queue:
			err = conn.Write(ctx, websocket.MessageText, frame)
		case in := <-frames:
			if err = in.err; err == nil {
				err = s.receive(in, c, timer)
			}
		case <-timer.C:
			err = closing{CloseNoHeartbeat, "no heartbeat"}
			if c.token == nil {
				err = closing{CloseNotIdentified, "no identify"}
			}
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	s.mu.Lock()
	s.stream.consumers = slices.DeleteFunc(s.stream.consumers, func(other *consumer) bool { return other == c })
	var end closing
	spoken := errors.As(err, &end)
	s.note(StreamEvent{What: "closed", Code: int(end.code)})
	s.mu.Unlock()
	for spoken && len(c.queue) > 0 {
		spoken = conn.Write(ctx, websocket.MessageText, <-c.queue) == nil
	}
	if spoken {
		_ = conn.Close(end.code, end.reason)
	}
	cancel(nil)
	_ = conn.CloseNow()
	<-ended
}

// received is what came from a client.
type received struct {
	kind websocket.MessageType
	text []byte
	err  error
}

// receive handles a frame of a client and returns why the connection has to end, if it has to.
func (s *Server) receive(in received, c *consumer, timer *time.Timer) error {
	var frame struct {
		Op *int            `json:"op"`
		T  string          `json:"t"`
		D  json.RawMessage `json:"d"`
	}
	if in.kind != websocket.MessageText || json.Unmarshal(in.text, &frame) != nil || frame.Op == nil {
		return closing{websocket.StatusUnsupportedData, "not a frame"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// A heartbeat may be half an interval late.
	patience := s.cfg.Heartbeat * 3 / 2
	switch {
	case *frame.Op == opIdentify && c.token != nil:
		return closing{CloseIdentifiedTwice, "already identified"}
	case *frame.Op == opIdentify:
		timer.Reset(patience)
		return s.identify(frame.D, c)
	case c.token == nil:
		return closing{CloseNotIdentified, "identify first"}
	case *frame.Op == opHeartbeat:
		timer.Reset(patience)
		s.note(StreamEvent{What: "heartbeat", Producer: c.token.producer})
		if !s.stream.paused {
			c.send(marshal(object{"op": opAck}))
		}
	case *frame.Op == opReplay:
		return s.replay(frame.D, c)
	case *frame.Op == opSubmit && c.token.producer && frame.T != "" && len(frame.D) > 0:
		s.note(StreamEvent{What: "submit", Producer: true})
		s.publish(c.token.userID, frame.T, frame.D)
	case *frame.Op == opSubmit:
		return closing{websocket.StatusUnsupportedData, "not a producer's sample"}
	default:
		return closing{CloseUnknownOperation, "unknown operation"}
	}
	return nil
}

func (s *Server) note(e StreamEvent) {
	e.Time = s.now()
	s.stream.log = append(s.stream.log, e)
}

func (s *Server) identify(d json.RawMessage, c *consumer) error {
	var body struct {
		Token string `json:"token"`
		Type  *int   `json:"type"`
	}
	bad := closing{CloseInvalidToken, "invalid token"}
	if json.Unmarshal(d, &body) != nil || body.Type == nil {
		return bad
	}
	t := s.stream.tokens[body.Token]
	if t == nil || t.used || t.producer != (*body.Type == 0) || *body.Type < 0 || *body.Type > 1 {
		return bad
	}
	t.used = true
	s.note(StreamEvent{What: "identify", Producer: t.producer})
	if !t.producer {
		if len(s.stream.consumers) >= s.cfg.MaxConsumers {
			return closing{CloseTooManyConsumers, "too many consumers"}
		}
		s.stream.consumers = append(s.stream.consumers, c)
	}
	c.token = t
	c.send(marshal(object{"op": opReady}))
	return nil
}

// replay sends history between two sequence numbers, both excluded and both required.
func (s *Server) replay(d json.RawMessage, c *consumer) error {
	var body struct {
		After  *int64 `json:"after"`
		Before *int64 `json:"before"`
	}
	if c.token.producer || json.Unmarshal(d, &body) != nil || body.After == nil || body.Before == nil {
		return closing{websocket.StatusUnsupportedData, "not a consumer's replay"}
	}
	after, before := *body.After, *body.Before
	s.note(StreamEvent{What: "replay", After: after, Before: before})
	for _, h := range s.stream.history {
		if h.Seq > after && h.Seq < before {
			c.send(h.frame())
		}
	}
	return nil
}
