package sync

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

const (
	// inMemory is from where on a body is put into a file when it arrives, and
	// how long the parts are in which it is stored.
	inMemory = 1 << 20
	// orphanAfter is how old a part must be to be removed because nothing has
	// it: the delivery is stored after its parts, seconds later at most.
	orphanAfter = time.Hour
)

// spool is a temporary file that holds a body. It ends with close, and on Unix
// also with the process, however that ends.
type spool struct {
	file *os.File
	size int64
	// name is set where an open file could not be removed.
	name string
}

func (e *Engine) newSpool() (*spool, error) {
	f, err := os.CreateTemp(e.cfg.SpoolDir, "vitalmux-*.body") // of mode 0600
	if err != nil {
		return nil, fmt.Errorf("sync: spool: %w", err)
	}
	s := &spool{file: f}
	if os.Remove(f.Name()) != nil {
		s.name = f.Name()
	}
	return s, nil
}

func (s *spool) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.size += int64(n)
	return n, err
}

func (s *spool) close() {
	_ = s.file.Close()
	if s.name != "" {
		_ = os.Remove(s.name)
	}
}

func (s *spool) section() *io.SectionReader { return io.NewSectionReader(s.file, 0, s.size) }

// parts says in which parts the body of a delivery is stored. Each is a
// delivery of its own, and there before the one that they belong to: where that
// is missing, nothing was taken.
type parts struct {
	// Group tells the parts of this try to store the body from those of others.
	Group string `json:"group"`
	Size  int64  `json:"size"`
}

func newParts(size int64) *parts { return &parts{Group: randomID(), Size: size} }

func (p *parts) count() int { return int((p.Size + inMemory - 1) / inMemory) }

// id returns the id of a part of a delivery.
func (p *parts) id(delivery string, n int) string {
	return fmt.Sprintf("%s/%s/%06d", delivery, p.Group, n)
}

// ofPart reads the id of a part.
func ofPart(id string) (delivery, group string, ok bool) {
	rest, _, ok := cutLast(id)
	if !ok {
		return "", "", false
	}
	return cutLast(rest)
}

func cutLast(text string) (before, after string, ok bool) {
	i := strings.LastIndexByte(text, '/')
	if i < 0 {
		return "", "", false
	}
	return text[:i], text[i+1:], true
}

// putParts stores the body of d in parts.
func (e *Engine) putParts(ctx context.Context, d store.Delivery, p *parts, body *io.SectionReader) error {
	buffer := make([]byte, min(inMemory, p.Size))
	r := io.NewSectionReader(body, 0, p.Size)
	for i := range p.count() {
		n, err := io.ReadFull(r, buffer)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("sync: spool: %w", err)
		}
		_, err = e.cfg.Store.PutDelivery(ctx, store.Delivery{
			ID: p.id(d.ID, i), Endpoint: d.Endpoint, Received: d.Received, Status: store.DeliveryPart,
			NextAt: now().Add(orphanAfter), Body: buffer[:n],
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readParts writes the body of a delivery to w.
func (e *Engine) readParts(ctx context.Context, delivery string, p *parts, w io.Writer) error {
	var size int64
	for i := range p.count() {
		list, err := e.cfg.Store.Deliveries(ctx, store.DeliveryQuery{ID: p.id(delivery, i), Status: store.DeliveryPart})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return fmt.Errorf("sync: part %d of a delivery: %w", i, store.ErrNotFound)
		}
		if _, err := w.Write(list[0].Body); err != nil {
			return fmt.Errorf("sync: spool: %w", err)
		}
		size += int64(len(list[0].Body))
	}
	if size != p.Size {
		return fmt.Errorf("sync: parts of a delivery: %w", io.ErrUnexpectedEOF)
	}
	return nil
}

// dropParts removes the parts of a delivery. Those that stay because the store
// fails are found by sweepParts.
func (e *Engine) dropParts(ctx context.Context, delivery string, p *parts) {
	if p == nil {
		return
	}
	for i := range p.count() {
		if err := e.cfg.Store.Assign(ctx, p.id(delivery, i), store.Assignment{}); err != nil {
			e.cfg.Logger.WarnContext(ctx, "parts of a delivery not removed", "err", err)
			return
		}
	}
}

// partsOf returns in which parts the body of a delivery is stored; nil if it is
// not.
func partsOf(d store.Delivery) *parts {
	var meta deliveryMeta
	if json.Unmarshal(d.Meta, &meta) != nil {
		return nil
	}
	return meta.Parts
}

// opened returns a request with the body of a delivery, and what ends it.
func (e *Engine) opened(ctx context.Context, d store.Delivery, meta deliveryMeta) (*providers.WebhookRequest, func(), error) {
	req := &providers.WebhookRequest{Method: meta.Method, Query: meta.Query, Header: meta.Header, Body: d.Body}
	if meta.Parts == nil {
		return req, func() {}, nil
	}
	s, err := e.newSpool()
	if err != nil {
		return nil, nil, err
	}
	if err := e.readParts(ctx, d.ID, meta.Parts, s); err != nil {
		s.close()
		return nil, nil, err
	}
	req.Large = s.section()
	return req, s.close, nil
}

// whole returns the body of a delivery in memory.
func (e *Engine) whole(ctx context.Context, d store.Delivery) ([]byte, error) {
	p := partsOf(d)
	if p == nil {
		return d.Body, nil
	}
	w := &sliceWriter{all: make([]byte, 0, p.Size)}
	return w.all[:p.Size], e.readParts(ctx, d.ID, p, w)
}

// sliceWriter fills a slice that has the room.
type sliceWriter struct{ all []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	if len(p) > cap(w.all)-len(w.all) {
		return 0, io.ErrShortWrite
	}
	w.all = append(w.all, p...)
	return len(p), nil
}

// sweepParts removes parts whose delivery is not there: the process ended
// between the two, or while it removed them.
func (e *Engine) sweepParts(ctx context.Context, at time.Time) error {
	ready := func() ([]store.Delivery, error) {
		return e.cfg.Store.Deliveries(ctx, store.DeliveryQuery{Status: store.DeliveryPart, ReadyAt: at, Limit: 16})
	}
	return e.review(ctx, ready, func(ctx context.Context, part store.Delivery) error {
		delivery, group, ok := ofPart(part.ID)
		if ok {
			list, err := e.cfg.Store.Deliveries(ctx, store.DeliveryQuery{ID: delivery})
			if err != nil {
				return err
			}
			if len(list) > 0 {
				if p := partsOf(list[0]); p != nil && p.Group == group {
					part.NextAt = at.Add(day)
					err := e.cfg.Store.UpdateDelivery(ctx, part)
					if errors.Is(err, store.ErrNotFound) {
						return nil
					}
					return err
				}
			}
		}
		return e.cfg.Store.Assign(ctx, part.ID, store.Assignment{})
	})
}

// maxSpools is how many bodies are received into files at once. They hold a
// place on the disk each, and little memory.
const maxSpools = 32

// spoolRest puts a body into a file: what was read of it, and the rest.
func (e *Engine) spoolRest(b *body, rest io.Reader) int {
	if !e.received.spool(maxSpools) {
		return http.StatusServiceUnavailable
	}
	s, err := e.newSpool()
	if err != nil {
		e.received.unspool()
		e.cfg.Logger.Error("no file for a delivery", "err", err)
		return http.StatusServiceUnavailable
	}
	b.large = s
	digester := sha256.New()
	writing := &failing{w: io.MultiWriter(s, digester)}
	if _, err = writing.Write(b.bytes); err == nil {
		_, err = io.CopyBuffer(writing, rest, make([]byte, 64<<10))
	}
	switch {
	case writing.err != nil:
		e.cfg.Logger.Error("delivery not put into a file", "err", err)
		return http.StatusServiceUnavailable
	case err != nil:
		return readStatus(err)
	}
	b.bytes = nil
	digester.Sum(b.digest[:0])
	return 0
}

// failing remembers that writing failed, and not reading.
type failing struct {
	w   io.Writer
	err error
}

func (f *failing) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.err = err
	return n, err
}

// putLarge stores a delivery whose body is in a file. The parts come first.
func (e *Engine) putLarge(ctx context.Context, d store.Delivery, body *spool) error {
	p := partsOf(d)
	if err := e.putParts(ctx, d, p, body.section()); err != nil {
		return err
	}
	failpoint.Hit("inbox_parts_put")
	put, err := e.cfg.Store.PutDelivery(ctx, d)
	if err == nil && !put {
		e.dropParts(ctx, d.ID, p) // it is there already
	}
	return err
}
