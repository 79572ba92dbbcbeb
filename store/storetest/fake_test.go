package storetest

import (
	"context"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// fake is a store of which single methods are replaced.
type fake struct {
	store.Store
	commit           func(ctx context.Context, b store.Batch) (store.Result, error)
	erase            func(ctx context.Context, user string) (store.Erasure, error)
	close            func() error
	putConnection    func(ctx context.Context, c store.Connection) (store.Connection, error)
	connections      func(ctx context.Context, q store.ConnectionQuery) ([]store.Connection, error)
	delete           func(ctx context.Context, id string, data bool) error
	credential       func(ctx context.Context, connection string) (store.Credential, error)
	putGrant         func(ctx context.Context, replaces string, c store.Credential) error
	swapCredential   func(ctx context.Context, grant, consumed string, c store.Credential) error
	updateCredential func(ctx context.Context, c store.Credential) error
	beginAttempt     func(ctx context.Context, l store.Lease, grant string, a store.Attempt) error
	acquire          func(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error)
	renew            func(ctx context.Context, l store.Lease, ttl time.Duration) (store.Lease, error)
	release          func(ctx context.Context, l store.Lease) error
	setDue           func(ctx context.Context, d store.Due) error
	due              func(ctx context.Context, task string, now time.Time, limit int) ([]store.Due, error)
	putFlow          func(ctx context.Context, v store.Flow) error
	flow             func(ctx context.Context, id string) (store.Flow, error)
	takeFlow         func(ctx context.Context, id string) (store.Flow, error)
	putDelivery      func(ctx context.Context, d store.Delivery) (bool, error)
	updateDelivery   func(ctx context.Context, d store.Delivery) error
	deliveries       func(ctx context.Context, q store.DeliveryQuery) ([]store.Delivery, error)
	assign           func(ctx context.Context, id string, a store.Assignment) error
	inboxItems       func(ctx context.Context, q store.InboxQuery) ([]store.InboxItem, error)
	updateItem       func(ctx context.Context, i store.InboxItem) error
	putJob           func(ctx context.Context, j store.Job) error
	jobs             func(ctx context.Context, q store.JobQuery) ([]store.Job, error)
	updateJob        func(ctx context.Context, j store.Job) error
	deleteJob        func(ctx context.Context, id string) error
	setting          func(ctx context.Context, user, name string) ([]byte, error)
	swapSetting      func(ctx context.Context, user, name string, old, value []byte) error
	settings         func(ctx context.Context, name, after string, limit int) ([]store.Setting, error)
	coverage         func(ctx context.Context, connection, stream string) ([]health.Window, error)
	records          func(ctx context.Context, q store.RecordQuery) (store.RecordPage, error)
	samples          func(ctx context.Context, q store.SampleQuery) (store.SamplePage, error)
	rawPages         func(ctx context.Context, q store.RawQuery) (store.RawPageList, error)
	quarantine       func(ctx context.Context, connection string, limit int) ([]store.Quarantined, error)
	changes          func(ctx context.Context, consumer string, limit int) ([]store.Change, error)
	ack              func(ctx context.Context, consumer string, positions ...store.Position) error
}

// newFake returns a fake that does all that s does.
func newFake(s store.Store) *fake {
	return &fake{
		Store: s, commit: s.Commit, erase: s.Erase, close: s.Close, putConnection: s.PutConnection,
		connections: s.Connections, delete: s.DeleteConnection, putGrant: s.PutGrant, swapCredential: s.SwapCredential,
		beginAttempt: s.BeginAttempt, acquire: s.Acquire, renew: s.Renew, release: s.Release, setDue: s.SetDue, due: s.Due,
		putFlow: s.PutFlow, flow: s.Flow, takeFlow: s.TakeFlow, putDelivery: s.PutDelivery, updateDelivery: s.UpdateDelivery, assign: s.Assign,
		credential: s.Credential, updateCredential: s.UpdateCredential, deliveries: s.Deliveries, inboxItems: s.InboxItems, updateItem: s.UpdateItem,
		putJob: s.PutJob, jobs: s.Jobs, updateJob: s.UpdateJob, deleteJob: s.DeleteJob, setting: s.Setting,
		swapSetting: s.SwapSetting, settings: s.Settings,
		coverage: s.Coverage, records: s.Records, samples: s.Samples, rawPages: s.RawPages, quarantine: s.Quarantine,
		changes: s.Changes, ack: s.Ack,
	}
}

func (f *fake) Commit(ctx context.Context, b store.Batch) (store.Result, error) {
	return f.commit(ctx, b)
}

func (f *fake) Erase(ctx context.Context, user string) (store.Erasure, error) {
	return f.erase(ctx, user)
}

func (f *fake) Close() error { return f.close() }

func (f *fake) PutConnection(ctx context.Context, c store.Connection) (store.Connection, error) {
	return f.putConnection(ctx, c)
}

func (f *fake) Connections(ctx context.Context, q store.ConnectionQuery) ([]store.Connection, error) {
	return f.connections(ctx, q)
}

func (f *fake) DeleteConnection(ctx context.Context, id string, data bool) error {
	return f.delete(ctx, id, data)
}

func (f *fake) Credential(ctx context.Context, connection string) (store.Credential, error) {
	return f.credential(ctx, connection)
}

func (f *fake) PutGrant(ctx context.Context, replaces string, c store.Credential) error {
	return f.putGrant(ctx, replaces, c)
}

func (f *fake) SwapCredential(ctx context.Context, grant, consumed string, c store.Credential) error {
	return f.swapCredential(ctx, grant, consumed, c)
}

func (f *fake) BeginAttempt(ctx context.Context, l store.Lease, grant string, a store.Attempt) error {
	return f.beginAttempt(ctx, l, grant, a)
}

func (f *fake) Acquire(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
	return f.acquire(ctx, connection, name, ttl)
}

func (f *fake) Renew(ctx context.Context, l store.Lease, ttl time.Duration) (store.Lease, error) {
	return f.renew(ctx, l, ttl)
}

func (f *fake) Release(ctx context.Context, l store.Lease) error { return f.release(ctx, l) }

func (f *fake) SetDue(ctx context.Context, d store.Due) error { return f.setDue(ctx, d) }

func (f *fake) Due(ctx context.Context, task string, now time.Time, limit int) ([]store.Due, error) {
	return f.due(ctx, task, now, limit)
}

func (f *fake) PutFlow(ctx context.Context, v store.Flow) error { return f.putFlow(ctx, v) }

func (f *fake) Flow(ctx context.Context, id string) (store.Flow, error) { return f.flow(ctx, id) }

func (f *fake) TakeFlow(ctx context.Context, id string) (store.Flow, error) {
	return f.takeFlow(ctx, id)
}

func (f *fake) PutDelivery(ctx context.Context, d store.Delivery) (bool, error) {
	return f.putDelivery(ctx, d)
}

func (f *fake) UpdateDelivery(ctx context.Context, d store.Delivery) error {
	return f.updateDelivery(ctx, d)
}

func (f *fake) Assign(ctx context.Context, id string, a store.Assignment) error {
	return f.assign(ctx, id, a)
}

func (f *fake) UpdateCredential(ctx context.Context, c store.Credential) error {
	return f.updateCredential(ctx, c)
}

func (f *fake) Deliveries(ctx context.Context, q store.DeliveryQuery) ([]store.Delivery, error) {
	return f.deliveries(ctx, q)
}

func (f *fake) InboxItems(ctx context.Context, q store.InboxQuery) ([]store.InboxItem, error) {
	return f.inboxItems(ctx, q)
}

func (f *fake) UpdateItem(ctx context.Context, i store.InboxItem) error { return f.updateItem(ctx, i) }

func (f *fake) PutJob(ctx context.Context, j store.Job) error { return f.putJob(ctx, j) }

func (f *fake) Jobs(ctx context.Context, q store.JobQuery) ([]store.Job, error) {
	return f.jobs(ctx, q)
}

func (f *fake) UpdateJob(ctx context.Context, j store.Job) error { return f.updateJob(ctx, j) }

func (f *fake) DeleteJob(ctx context.Context, id string) error { return f.deleteJob(ctx, id) }

func (f *fake) Setting(ctx context.Context, user, name string) ([]byte, error) {
	return f.setting(ctx, user, name)
}

func (f *fake) SwapSetting(ctx context.Context, user, name string, old, value []byte) error {
	return f.swapSetting(ctx, user, name, old, value)
}

func (f *fake) Settings(ctx context.Context, name, after string, limit int) ([]store.Setting, error) {
	return f.settings(ctx, name, after, limit)
}

func (f *fake) Coverage(ctx context.Context, connection, stream string) ([]health.Window, error) {
	return f.coverage(ctx, connection, stream)
}

func (f *fake) Records(ctx context.Context, q store.RecordQuery) (store.RecordPage, error) {
	return f.records(ctx, q)
}

func (f *fake) Samples(ctx context.Context, q store.SampleQuery) (store.SamplePage, error) {
	return f.samples(ctx, q)
}

func (f *fake) RawPages(ctx context.Context, q store.RawQuery) (store.RawPageList, error) {
	return f.rawPages(ctx, q)
}

func (f *fake) Quarantine(ctx context.Context, connection string, limit int) ([]store.Quarantined, error) {
	return f.quarantine(ctx, connection, limit)
}

func (f *fake) Changes(ctx context.Context, consumer string, limit int) ([]store.Change, error) {
	return f.changes(ctx, consumer, limit)
}

func (f *fake) Ack(ctx context.Context, consumer string, positions ...store.Position) error {
	return f.ack(ctx, consumer, positions...)
}
