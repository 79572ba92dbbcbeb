package terratest

import (
	"net/http"
	"slices"
)

// Written is a record that a client wrote to a provider.
type Written struct {
	ID      string
	UserID  string
	Kind    Kind
	Body    []byte
	Deleted bool
}

// Written returns what clients wrote, oldest first.
func (s *Server) Written() []Written {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.written)
}

// writable finds the connection of a write request. POST takes user_id as the only way to select it.
func (s *Server) writable(c *call) (*user, Kind, *reply) {
	kind := Kind(c.path[1:])
	if s.cfg.RetireWrites {
		p := refuse(http.StatusMethodNotAllowed, "method not allowed")
		return nil, "", &p
	}
	u, refused := s.subject(c, kind)
	if refused == nil && kind == KindActivity && u.provider != "WAHOO" && u.provider != "DUMMY" {
		p := badRequest("connection does not support writing activities")
		refused = &p
	}
	return u, kind, refused
}

func (s *Server) postData(c *call) reply {
	u, kind, refused := s.writable(c)
	if refused != nil {
		return *refused
	}
	var body struct {
		Data []object `json:"data"`
	}
	if refused := c.decode(&body, false); refused != nil {
		return *refused
	}
	if len(body.Data) == 0 {
		return badRequest("data is required")
	}
	for _, element := range body.Data {
		meta, _ := element["metadata"].(object)
		if meta["start_time"] == nil || meta["end_time"] == nil {
			return badRequest("metadata.start_time and metadata.end_time are required")
		}
	}
	ids := []string{}
	for _, element := range body.Data {
		id := s.uuid()
		ids = append(ids, id)
		s.written = append(s.written, Written{ID: id, UserID: u.id, Kind: kind, Body: marshal(element)})
	}
	return reply{status: http.StatusCreated, body: object{"user": u.json(), "log_ids": ids, "message": "data written"}}
}

func (s *Server) deleteData(c *call) reply {
	u, kind, refused := s.writable(c)
	if refused != nil {
		return *refused
	}
	var body struct {
		LogIDs []string `json:"log_ids"` // of body
		Data   []string `json:"data"`    // of nutrition
	}
	if refused := c.decode(&body, false); refused != nil {
		return *refused
	}
	ids := body.LogIDs
	if kind == KindNutrition {
		ids = body.Data
	}
	if len(ids) == 0 {
		return badRequest("ids are required")
	}
	return processed(u, ids, func(id string) bool {
		i := slices.IndexFunc(s.written, func(w Written) bool { return w.ID == id && w.UserID == u.id && w.Kind == kind && !w.Deleted })
		if i >= 0 {
			s.written[i].Deleted = true
		}
		return i >= 0
	})
}

// processed answers a deletion of several records: 207 when some were not found.
func processed(u *user, ids []string, remove func(string) bool) reply {
	p := reply{status: http.StatusOK}
	list := []object{}
	for _, id := range ids {
		code := http.StatusOK
		if !remove(id) {
			code, p.status = http.StatusNotFound, http.StatusMultiStatus
		}
		list = append(list, object{"id": id, "response_code": code})
	}
	p.body = object{"user": u.json(), "processed_data": list}
	return p
}
