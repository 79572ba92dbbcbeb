package store

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// settledFor is how long the id of a delivery that was removed is remembered,
// and the key of one that was put.
const settledFor = 7 * 24 * time.Hour

// pageBytes is how much a page of deliveries or items holds before it ends.
const pageBytes = 64 << 20

// PutFlow implements [Flows].
func (m *Memory) PutFlow(ctx context.Context, f Flow) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if f.ID == "" {
		return invalid("flow")
	}
	if d.isErased(f.User) {
		return ErrErased
	}
	now := time.Now()
	for id, old := range d.flows {
		if !now.Before(old.ExpiresAt) {
			delete(d.flows, id)
		}
	}
	if _, ok := d.flows[f.ID]; ok {
		return ErrConflict
	}
	f.Sealed = bytes.Clone(f.Sealed)
	f.ExpiresAt = stamp(f.ExpiresAt)
	d.flows[f.ID] = f
	return nil
}

// Flow implements [Flows].
func (m *Memory) Flow(ctx context.Context, id string) (Flow, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return Flow{}, err
	}
	defer d.mu.Unlock()
	f, ok := d.flows[id]
	if !ok || !time.Now().Before(f.ExpiresAt) {
		return Flow{}, ErrNotFound
	}
	f.Sealed = bytes.Clone(f.Sealed)
	return f, nil
}

// TakeFlow implements [Flows].
func (m *Memory) TakeFlow(ctx context.Context, id string) (Flow, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return Flow{}, err
	}
	defer d.mu.Unlock()
	f, ok := d.flows[id]
	delete(d.flows, id)
	if !ok || !time.Now().Before(f.ExpiresAt) {
		return Flow{}, ErrNotFound
	}
	return f, nil
}

// PutDelivery implements [Inbox].
func (m *Memory) PutDelivery(ctx context.Context, v Delivery) (bool, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return false, err
	}
	defer d.mu.Unlock()
	if err := v.Validate(); err != nil {
		return false, err
	}
	return d.putDelivery(v), nil
}

func (d *memoryData) putDelivery(v Delivery) bool {
	now := time.Now()
	for id, at := range d.settled {
		if now.Sub(at) > settledFor {
			delete(d.settled, id)
		}
	}
	if _, ok := d.deliveries[v.ID]; ok {
		return false
	}
	for _, name := range []string{v.ID, v.Key} {
		if _, ok := d.settled[name]; ok {
			return false
		}
	}
	if v.Key != "" {
		d.settled[v.Key], v.Key = now, ""
	}
	d.deliveries[v.ID] = copyDelivery(v)
	return true
}

// Deliveries implements [Inbox].
func (m *Memory) Deliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	after, placed := d.deliveries[q.After]
	var list []Delivery
	for _, v := range d.deliveries {
		if q.selects(&v) && (!placed || compareDeliveries(v, after) > 0) {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, compareDeliveries)
	list = firstN(list, pageLimit(q.Limit, 100))
	size := 0
	for i := range list {
		if size += len(list[i].Body); size > pageBytes && i > 0 {
			return slices.Clip(list[:i]), nil
		}
		list[i] = copyDelivery(list[i])
	}
	return list, nil
}

func (q *DeliveryQuery) selects(v *Delivery) bool {
	return (q.ID == "" || v.ID == q.ID) && (q.Endpoint == "" || v.Endpoint == q.Endpoint) &&
		(q.Subject == "" || v.Subject == q.Subject) && (q.Status == "" || v.Status == q.Status) &&
		(q.ReadyAt.IsZero() || !v.NextAt.After(q.ReadyAt))
}

func compareDeliveries(a, b Delivery) int {
	return cmp.Or(a.Received.Compare(b.Received), cmp.Compare(a.ID, b.ID))
}

// UpdateDelivery implements [Inbox].
func (m *Memory) UpdateDelivery(ctx context.Context, v Delivery) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	old, ok := d.deliveries[v.ID]
	if !ok {
		return ErrNotFound
	}
	old.Status, old.Reason, old.Attempts, old.NextAt = v.Status, v.Reason, v.Attempts, stamp(v.NextAt)
	d.deliveries[v.ID] = old
	return nil
}

// Assign implements [Inbox].
func (m *Memory) Assign(ctx context.Context, deliveryID string, a Assignment) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := a.Validate(); err != nil {
		return err
	}
	if _, ok := d.deliveries[deliveryID]; !ok {
		return nil
	}
	for _, item := range a.Items {
		if d.isErased(item.User) || item.Connection != "" && d.connections[item.Connection].User != item.User {
			continue
		}
		if d.inbox[item.User] == nil {
			d.inbox[item.User] = map[string]InboxItem{}
		}
		if _, ok := d.inbox[item.User][item.ID]; !ok {
			d.inbox[item.User][item.ID] = copyInboxItem(item)
		}
	}
	for _, due := range a.Due {
		d.setDue(due)
	}
	for _, v := range a.Rest {
		d.putDelivery(v)
	}
	delete(d.deliveries, deliveryID)
	d.settled[deliveryID] = time.Now()
	return nil
}

// removeWaiting removes the deliveries that wait for the person of c to be
// known, or for a look at them, and returns how many there were.
func (d *memoryData) removeWaiting(c Connection) int {
	n := 0
	for id, v := range d.deliveries {
		if c.UpstreamID != "" && v.Subject == c.UpstreamID && (v.Status == DeliveryParked || v.Status == DeliveryDead) &&
			(v.Endpoint == c.Provider || strings.HasPrefix(v.Endpoint, c.Provider+"/")) {
			delete(d.deliveries, id)
			n++
		}
	}
	return n
}

// InboxItems implements [Inbox].
func (m *Memory) InboxItems(ctx context.Context, q InboxQuery) ([]InboxItem, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	if q.User == "" {
		return nil, invalid("inbox query without user")
	}
	after, placed := d.inbox[q.User][q.After]
	var list []InboxItem
	for _, item := range d.inbox[q.User] {
		if (q.Connection == "" || item.Connection == q.Connection) && (q.ReadyAt.IsZero() || !item.NextAt.After(q.ReadyAt)) &&
			(!placed || compareItems(item, after) > 0) {
			list = append(list, item)
		}
	}
	slices.SortFunc(list, compareItems)
	list = firstN(list, pageLimit(q.Limit, 100))
	size := 0
	for i := range list {
		if size += len(list[i].Payload); size > pageBytes && i > 0 {
			return slices.Clip(list[:i]), nil
		}
		list[i] = copyInboxItem(list[i])
	}
	return list, nil
}

func compareItems(a, b InboxItem) int {
	return cmp.Or(a.Received.Compare(b.Received), cmp.Compare(a.ID, b.ID))
}

// UpdateItem implements [Inbox].
func (m *Memory) UpdateItem(ctx context.Context, v InboxItem) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := v.Validate(); err != nil {
		return err
	}
	if old, ok := d.inbox[v.User][v.ID]; ok {
		old.Attempts, old.NextAt = v.Attempts, stamp(v.NextAt)
		d.inbox[v.User][v.ID] = old
	}
	return nil
}

func copyDelivery(v Delivery) Delivery {
	v.Meta, v.Body = bytes.Clone(v.Meta), bytes.Clone(v.Body)
	v.Received, v.NextAt = stamp(v.Received), stamp(v.NextAt)
	return v
}

func copyInboxItem(v InboxItem) InboxItem {
	v.Payload = bytes.Clone(v.Payload)
	v.Received, v.NextAt = stamp(v.Received), stamp(v.NextAt)
	return v
}
