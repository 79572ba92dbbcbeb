package sync

import (
	"context"
	"errors"
	"io"

	"github.com/vitalmux/vitalmux/store"
)

// Export writes all data of a user to w as lines of JSON and returns the
// manifest, which is the last line: see [store.Export]. It holds no credential
// and no raw answers.
func (e *Engine) Export(ctx context.Context, user string, w io.Writer) (store.Manifest, error) {
	return e.export(ctx, store.ExportRequest{User: user}, w)
}

// ExportRaw is like [Engine.Export] with the raw answers of the services, and
// what was set aside as it came; opened where Config.SealRaw has sealed them.
func (e *Engine) ExportRaw(ctx context.Context, user string, w io.Writer) (store.Manifest, error) {
	return e.export(ctx, store.ExportRequest{User: user, Raw: true}, w)
}

func (e *Engine) export(ctx context.Context, r store.ExportRequest, w io.Writer) (store.Manifest, error) {
	m, err := store.Export(ctx, &opened{Store: e.cfg.Store, engine: e, user: r.User}, r, w)
	e.audit(ctx, AuditEvent{Action: "export", Actor: "host", User: r.User}, err)
	return m, err
}

// opened is the store with the raw data of one user opened, also of connections
// that are not there any more.
type opened struct {
	store.Store
	engine *Engine
	user   string
	key    *rawSealer
}

// RawPages implements [store.Reader].
func (o *opened) RawPages(ctx context.Context, q store.RawQuery) (store.RawPageList, error) {
	list, err := o.Store.RawPages(ctx, q)
	if err != nil {
		return list, err
	}
	for i := range list.Pages {
		for _, body := range bodies(&list.Pages[i]) {
			if err := o.open(ctx, q.Connection, list.Pages[i].Stream, body); err != nil {
				return store.RawPageList{}, err
			}
		}
	}
	return list, nil
}

// Quarantine implements [store.Reader].
func (o *opened) Quarantine(ctx context.Context, connection string, limit int) ([]store.Quarantined, error) {
	list, err := o.Store.Quarantine(ctx, connection, limit)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if err := o.open(ctx, connection, list[i].Stream, &list[i].Raw); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (o *opened) open(ctx context.Context, connection, stream string, data *[]byte) error {
	if !isSealedRaw(*data) {
		return nil
	}
	if o.key == nil {
		_, err := o.Store.Setting(ctx, o.user, settingRawKey)
		if errors.Is(err, store.ErrNotFound) {
			return ErrSealed
		}
		if err != nil {
			return err
		}
		if o.key, err = o.engine.rawSealer(ctx, o.user); err != nil {
			return err
		}
	}
	text, err := o.key.open(o.engine.rawPlace(o.user, connection, stream), *data)
	*data = text
	return err
}
