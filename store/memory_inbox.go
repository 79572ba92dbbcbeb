package store

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"
)

// settledFor is how long the id of a delivery that was removed is remembered.
const settledFor = 7 * 24 * time.Hour

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
	if v.ID == "" || len(v.ID) > maxText {
		return false, invalid("delivery")
	}
	now := time.Now()
	for id, at := range d.settled {
		if now.Sub(at) > settledFor {
			delete(d.settled, id)
		}
	}
	if _, ok := d.deliveries[v.ID]; ok {
		return false, nil
	}
	if _, ok := d.settled[v.ID]; ok {
		return false, nil
	}
	d.deliveries[v.ID] = copyDelivery(v)
	return true, nil
}

// Deliveries implements [Inbox].
func (m *Memory) Deliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	var list []Delivery
	for _, v := range d.deliveries {
		if (q.Endpoint == "" || v.Endpoint == q.Endpoint) && (q.Status == "" || v.Status == q.Status) &&
			(q.ReadyAt.IsZero() || !v.NextAt.After(q.ReadyAt)) {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b Delivery) int {
		return cmp.Or(a.Received.Compare(b.Received), cmp.Compare(a.ID, b.ID))
	})
	list = firstN(list, pageLimit(q.Limit, 100))
	for i := range list {
		list[i] = copyDelivery(list[i])
	}
	return list, nil
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
func (m *Memory) Assign(ctx context.Context, deliveryID string, items []InboxItem) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	for i := range items {
		if items[i].ID == "" || items[i].User == "" {
			return invalid("inbox item without id or user")
		}
	}
	if _, ok := d.deliveries[deliveryID]; !ok {
		return nil
	}
	for _, item := range items {
		if d.isErased(item.User) {
			continue
		}
		if d.inbox[item.User] == nil {
			d.inbox[item.User] = map[string]InboxItem{}
		}
		if _, ok := d.inbox[item.User][item.ID]; !ok {
			d.inbox[item.User][item.ID] = copyInboxItem(item)
		}
	}
	delete(d.deliveries, deliveryID)
	d.settled[deliveryID] = time.Now()
	return nil
}

// InboxItems implements [Inbox].
func (m *Memory) InboxItems(ctx context.Context, user string, limit int) ([]InboxItem, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	var list []InboxItem
	for _, item := range d.inbox[user] {
		list = append(list, item)
	}
	slices.SortFunc(list, func(a, b InboxItem) int {
		return cmp.Or(a.Received.Compare(b.Received), cmp.Compare(a.ID, b.ID))
	})
	list = firstN(list, pageLimit(limit, 100))
	for i := range list {
		list[i] = copyInboxItem(list[i])
	}
	return list, nil
}

func copyDelivery(v Delivery) Delivery {
	v.Meta, v.Body = bytes.Clone(v.Meta), bytes.Clone(v.Body)
	v.Received, v.NextAt = stamp(v.Received), stamp(v.NextAt)
	return v
}

func copyInboxItem(v InboxItem) InboxItem {
	v.Payload = bytes.Clone(v.Payload)
	v.Received = stamp(v.Received)
	return v
}
