package sqlite

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// helpers pack chunks on other processors. They are begun while a commit is
// still planned, with the chunks that a record fills whole, if the record has a
// key that the stream does not have yet and the width of the chunks is known:
// to wake a processor takes as long as to pack a thousand points. The plan takes
// what it comes to itself, by the points; the rest was packed for nothing.
type helpers struct {
	chunks   []helpedChunk
	byValues map[*int64]*helpedChunk // by the first value
	group    sync.WaitGroup
}

// helpedChunk is packed by who takes it: a helper or the plan.
type helpedChunk struct {
	points health.Series
	taken  atomic.Bool
	data   []byte // to be read by others once the helpers are dismissed
}

// begin has helpers pack what is most likely needed, if that is much.
func (p *plan) begin() {
	points := 0
	for i := range p.batch.Pages {
		for j := range p.batch.Pages[i].Records {
			if r := &p.batch.Pages[i].Records[j]; r.Kind == health.KindSamples {
				for k := range r.Series {
					points += r.Series[k].Len()
				}
			}
		}
	}
	if points < parallelPoints {
		return
	}
	scope, known := p.s.cache.scope(p.batch.Connection)
	if !known {
		return
	}
	var list []health.Series
	for i := range p.batch.Pages {
		list = p.s.cache.likely(list, scope.link, &p.batch.Pages[i])
	}
	p.help(list)
}

// help has helpers pack chunks, of which the plan will pack those itself that it
// comes to first. Where other commits are planned, they need the processors.
func (p *plan) help(list []health.Series) {
	n := min(p.s.idleProcessors(), len(list)-1)
	if n < 1 {
		return
	}
	h := &helpers{chunks: make([]helpedChunk, len(list)), byValues: make(map[*int64]*helpedChunk, len(list))}
	for i := range list {
		c := &h.chunks[i]
		c.points = list[i]
		h.byValues[&c.points.Values[0]] = c
	}
	packer := p.s.packer // p changes while it is made
	for range n {
		memory := p.newArena()
		h.group.Go(func() { h.pack(packer, memory) })
	}
	wakeHelpers()
	p.helpers = h
}

// idleProcessors is how many processors no plan is made on; none or less if
// there are as many plans as processors.
func (s *Store) idleProcessors() int {
	return runtime.GOMAXPROCS(0) - int(s.planning.Load())
}

// wakeHelpers has other processors take the goroutines that were just started.
// Go lets the one that was started last wait for this processor, and others take
// it only after a while: that is not to be a helper.
func wakeHelpers() { go func() {}() }

// likely appends the points of the chunks that the records of a page most likely
// make.
func (c *cache) likely(list []health.Series, link int64, page *store.Page) []health.Series {
	for i := range page.Records {
		r := &page.Records[i]
		stream, rid, _ := strings.Cut(r.Key, "/")
		if r.Kind != health.KindSamples {
			continue
		}
		if top, known := c.top(c.stream(streamKey{link, r.Kind, stream})); !known || rid <= top {
			continue
		}
		for j := range r.Series {
			s := &r.Series[j]
			width := c.owner(ownerKey{link, seriesOf(r, s)}).width
			if width == 0 || len(s.Times) != len(s.Values) {
				continue
			}
			// Nothing was validated yet: times may be in any order.
			for at := 0; at < len(s.Times); {
				from := window(s.Times[at], width) * width
				n, _ := slices.BinarySearch(s.Times[at:], from+width)
				if n == 0 {
					break
				}
				at += n
				if piece := s.Slice(from, from+width); piece.Len() > 0 && piece.From == from && piece.To == from+width {
					list = append(list, piece)
				}
			}
		}
	}
	return list
}

// pack packs the chunks that nobody has taken. It begins with the last: the plan
// begins with the first.
func (h *helpers) pack(p *packer, memory *arena) {
	var room []byte
	for i := len(h.chunks) - 1; i >= 0; i-- {
		if c := &h.chunks[i]; c.taken.CompareAndSwap(false, true) {
			c.data = p.packPoints(&c.points, memory, &room)
		}
	}
}

// chunk returns the chunk of these points, nil if there is none.
func (h *helpers) chunk(points *health.Series) *helpedChunk {
	if h == nil || points.Len() == 0 {
		return nil
	}
	c := h.byValues[&points.Values[0]]
	if c == nil || points.Len() != c.points.Len() || &points.Times[0] != &c.points.Times[0] || points.Exp != c.points.Exp ||
		points.Floating != c.points.Floating || points.From != c.points.From || points.To != c.points.To {
		return nil
	}
	return c
}

// dismiss has the helpers, if there are any, begin nothing more, and waits for
// them.
func (p *plan) dismiss() {
	h := p.helpers
	if h == nil {
		return
	}
	p.helpers = nil
	for i := range h.chunks {
		h.chunks[i].taken.Store(true)
	}
	h.group.Wait()
}
