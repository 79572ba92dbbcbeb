package faultstore

import (
	"context"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// Methods returns the names of the methods that have faults.
func Methods() []string {
	return []string{
		"PutConnection", "Connection", "Connections", "DeleteConnection", "Credential", "PutGrant",
		"SwapCredential", "UpdateCredential", "BeginAttempt", "Acquire", "Renew", "Release",
		"SetDue", "Due", "NextDue", "PutFlow", "Flow", "TakeFlow", "PutDelivery",
		"Deliveries", "UpdateDelivery", "Assign", "InboxItems", "UpdateItem", "PutJob",
		"Jobs", "UpdateJob", "DeleteJob", "Setting", "SwapSetting", "Settings",
		"Cursor", "Cursors", "Commit",
	}
}

// PutConnection is [store.Store].PutConnection with faults.
func (s *Store) PutConnection(ctx context.Context, c store.Connection) (store.Connection, error) {
	return result(s, "PutConnection", func() (store.Connection, error) { return s.Store.PutConnection(ctx, c) })
}

// Connection is [store.Store].Connection with faults.
func (s *Store) Connection(ctx context.Context, id string) (store.Connection, error) {
	return result(s, "Connection", func() (store.Connection, error) { return s.Store.Connection(ctx, id) })
}

// Connections is [store.Store].Connections with faults.
func (s *Store) Connections(ctx context.Context, q store.ConnectionQuery) ([]store.Connection, error) {
	return result(s, "Connections", func() ([]store.Connection, error) { return s.Store.Connections(ctx, q) })
}

// DeleteConnection is [store.Store].DeleteConnection with faults.
func (s *Store) DeleteConnection(ctx context.Context, id string, data bool) error {
	return only(s, "DeleteConnection", func() error { return s.Store.DeleteConnection(ctx, id, data) })
}

// Credential is [store.Store].Credential with faults.
func (s *Store) Credential(ctx context.Context, connection string) (store.Credential, error) {
	return result(s, "Credential", func() (store.Credential, error) { return s.Store.Credential(ctx, connection) })
}

// PutGrant is [store.Store].PutGrant with faults.
func (s *Store) PutGrant(ctx context.Context, replaces string, c store.Credential) error {
	return only(s, "PutGrant", func() error { return s.Store.PutGrant(ctx, replaces, c) })
}

// SwapCredential is [store.Store].SwapCredential with faults.
func (s *Store) SwapCredential(ctx context.Context, grant, consumed string, c store.Credential) error {
	return only(s, "SwapCredential", func() error { return s.Store.SwapCredential(ctx, grant, consumed, c) })
}

// UpdateCredential is [store.Store].UpdateCredential with faults.
func (s *Store) UpdateCredential(ctx context.Context, c store.Credential) error {
	return only(s, "UpdateCredential", func() error { return s.Store.UpdateCredential(ctx, c) })
}

// BeginAttempt is [store.Store].BeginAttempt with faults.
func (s *Store) BeginAttempt(ctx context.Context, l store.Lease, grant string, a store.Attempt) error {
	return only(s, "BeginAttempt", func() error { return s.Store.BeginAttempt(ctx, l, grant, a) })
}

// Acquire is [store.Store].Acquire with faults.
func (s *Store) Acquire(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
	return result(s, "Acquire", func() (store.Lease, error) { return s.Store.Acquire(ctx, connection, name, ttl) })
}

// Renew is [store.Store].Renew with faults.
func (s *Store) Renew(ctx context.Context, l store.Lease, ttl time.Duration) (store.Lease, error) {
	return result(s, "Renew", func() (store.Lease, error) { return s.Store.Renew(ctx, l, ttl) })
}

// Release is [store.Store].Release with faults.
func (s *Store) Release(ctx context.Context, l store.Lease) error {
	return only(s, "Release", func() error { return s.Store.Release(ctx, l) })
}

// SetDue is [store.Store].SetDue with faults.
func (s *Store) SetDue(ctx context.Context, d store.Due) error {
	return only(s, "SetDue", func() error { return s.Store.SetDue(ctx, d) })
}

// Due is [store.Store].Due with faults.
func (s *Store) Due(ctx context.Context, task string, now time.Time, limit int) ([]store.Due, error) {
	return result(s, "Due", func() ([]store.Due, error) { return s.Store.Due(ctx, task, now, limit) })
}

// NextDue is [store.Store].NextDue with faults.
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	var at time.Time
	ok, err := result(s, "NextDue", func() (ok bool, err error) {
		at, ok, err = s.Store.NextDue(ctx)
		return ok, err
	})
	if err != nil {
		return time.Time{}, false, err
	}
	return at, ok, nil
}

// PutFlow is [store.Store].PutFlow with faults.
func (s *Store) PutFlow(ctx context.Context, f store.Flow) error {
	return only(s, "PutFlow", func() error { return s.Store.PutFlow(ctx, f) })
}

// Flow is [store.Store].Flow with faults.
func (s *Store) Flow(ctx context.Context, id string) (store.Flow, error) {
	return result(s, "Flow", func() (store.Flow, error) { return s.Store.Flow(ctx, id) })
}

// TakeFlow is [store.Store].TakeFlow with faults.
func (s *Store) TakeFlow(ctx context.Context, id string) (store.Flow, error) {
	return result(s, "TakeFlow", func() (store.Flow, error) { return s.Store.TakeFlow(ctx, id) })
}

// PutDelivery is [store.Store].PutDelivery with faults.
func (s *Store) PutDelivery(ctx context.Context, d store.Delivery) (bool, error) {
	return result(s, "PutDelivery", func() (bool, error) { return s.Store.PutDelivery(ctx, d) })
}

// Deliveries is [store.Store].Deliveries with faults.
func (s *Store) Deliveries(ctx context.Context, q store.DeliveryQuery) ([]store.Delivery, error) {
	return result(s, "Deliveries", func() ([]store.Delivery, error) { return s.Store.Deliveries(ctx, q) })
}

// UpdateDelivery is [store.Store].UpdateDelivery with faults.
func (s *Store) UpdateDelivery(ctx context.Context, d store.Delivery) error {
	return only(s, "UpdateDelivery", func() error { return s.Store.UpdateDelivery(ctx, d) })
}

// Assign is [store.Store].Assign with faults.
func (s *Store) Assign(ctx context.Context, deliveryID string, a store.Assignment) error {
	return only(s, "Assign", func() error { return s.Store.Assign(ctx, deliveryID, a) })
}

// InboxItems is [store.Store].InboxItems with faults.
func (s *Store) InboxItems(ctx context.Context, q store.InboxQuery) ([]store.InboxItem, error) {
	return result(s, "InboxItems", func() ([]store.InboxItem, error) { return s.Store.InboxItems(ctx, q) })
}

// UpdateItem is [store.Store].UpdateItem with faults.
func (s *Store) UpdateItem(ctx context.Context, i store.InboxItem) error {
	return only(s, "UpdateItem", func() error { return s.Store.UpdateItem(ctx, i) })
}

// PutJob is [store.Store].PutJob with faults.
func (s *Store) PutJob(ctx context.Context, j store.Job) error {
	return only(s, "PutJob", func() error { return s.Store.PutJob(ctx, j) })
}

// Jobs is [store.Store].Jobs with faults.
func (s *Store) Jobs(ctx context.Context, q store.JobQuery) ([]store.Job, error) {
	return result(s, "Jobs", func() ([]store.Job, error) { return s.Store.Jobs(ctx, q) })
}

// UpdateJob is [store.Store].UpdateJob with faults.
func (s *Store) UpdateJob(ctx context.Context, j store.Job) error {
	return only(s, "UpdateJob", func() error { return s.Store.UpdateJob(ctx, j) })
}

// DeleteJob is [store.Store].DeleteJob with faults.
func (s *Store) DeleteJob(ctx context.Context, id string) error {
	return only(s, "DeleteJob", func() error { return s.Store.DeleteJob(ctx, id) })
}

// Setting is [store.Store].Setting with faults.
func (s *Store) Setting(ctx context.Context, user, name string) ([]byte, error) {
	return result(s, "Setting", func() ([]byte, error) { return s.Store.Setting(ctx, user, name) })
}

// SwapSetting is [store.Store].SwapSetting with faults.
func (s *Store) SwapSetting(ctx context.Context, user, name string, old, value []byte) error {
	return only(s, "SwapSetting", func() error { return s.Store.SwapSetting(ctx, user, name, old, value) })
}

// Settings is [store.Store].Settings with faults.
func (s *Store) Settings(ctx context.Context, name, after string, limit int) ([]store.Setting, error) {
	return result(s, "Settings", func() ([]store.Setting, error) { return s.Store.Settings(ctx, name, after, limit) })
}

// Cursor is [store.Store].Cursor with faults.
func (s *Store) Cursor(ctx context.Context, connection, stream string, lane store.Lane) (store.Cursor, error) {
	return result(s, "Cursor", func() (store.Cursor, error) { return s.Store.Cursor(ctx, connection, stream, lane) })
}

// Cursors is [store.Store].Cursors with faults.
func (s *Store) Cursors(ctx context.Context, connection string) ([]store.Cursor, error) {
	return result(s, "Cursors", func() ([]store.Cursor, error) { return s.Store.Cursors(ctx, connection) })
}

// Commit is [store.Store].Commit with faults.
func (s *Store) Commit(ctx context.Context, b store.Batch) (store.Result, error) {
	return result(s, "Commit", func() (store.Result, error) { return s.Store.Commit(ctx, b) })
}
