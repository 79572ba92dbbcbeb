package provsim

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// large answers a request for a long window: the rows come by deliveries.
func (s *Service) large(p *person, stream string, rows []*Row, mark int64) reply {
	ref := s.name("ref")
	var parts []Event
	for chunk := range slices.Chunk(rows, s.cfg.ChunkRows) {
		data := make([]Row, len(chunk))
		for i, r := range chunk {
			data[i] = *r
		}
		parts = append(parts, Event{Type: TypeData, Reference: ref, Part: len(parts) + 1, Data: map[string][]Row{stream: data}})
	}
	if len(parts) == 0 {
		parts = append(parts, Event{Type: TypeData, Reference: ref, Part: 1, Data: map[string][]Row{stream: {}}})
	}
	events := []Event{{Type: TypeRequest, Reference: ref}, {Type: TypeRequest, Reference: ref, Expected: len(parts)}}
	lost := min(s.lose, len(parts))
	s.lose = 0
	events = append(events, parts[lost:]...)
	if s.cfg.Disorder {
		random := rand.New(rand.NewPCG(s.cfg.Seed, uint64(s.nextID)))
		for range len(events)/2 + 1 {
			again := events[random.IntN(len(events))]
			again.Data = maps.Clone(again.Data)
			events = append(events, again)
		}
		random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
	for _, e := range events {
		e.User = p.id
		s.queue(p.id, e)
	}
	s.requests = append(s.requests, ref)
	out := map[string]any{"rows": []*Row{}, "reference": ref}
	if stream == StreamEvents {
		out["mark"] = strconv.FormatInt(mark, 10)
	}
	return answer(http.StatusAccepted, out)
}

// LoseParts has the next request that is answered by deliveries lose its first
// n parts.
func (s *Service) LoseParts(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose = n
}

// Requests returns the names of the requests that were answered by deliveries.
func (s *Service) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// isLarge reports whether a window is answered by deliveries.
func (s *Service) isLarge(length time.Duration) bool {
	return s.cfg.LargeAfter > 0 && length > s.cfg.LargeAfter
}
