package store

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
)

// PutJob implements [Jobs].
func (m *Memory) PutJob(ctx context.Context, j Job) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := j.Validate(); err != nil {
		return err
	}
	if _, ok := d.jobs[j.ID]; !ok {
		d.jobs[j.ID] = copyJob(j)
	}
	return nil
}

// Jobs implements [Jobs].
func (m *Memory) Jobs(ctx context.Context, q JobQuery) ([]Job, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	after, placed := d.jobs[q.After]
	var list []Job
	for _, j := range d.jobs {
		if (q.ID == "" || j.ID == q.ID) && (q.Receipt == "" || j.Receipt == q.Receipt) && (q.ReadyAt.IsZero() || !j.NextAt.After(q.ReadyAt)) &&
			(!placed || compareJobs(j, after) > 0) {
			list = append(list, j)
		}
	}
	slices.SortFunc(list, compareJobs)
	list = firstN(list, pageLimit(q.Limit, 100))
	for i := range list {
		list[i] = copyJob(list[i])
	}
	return list, nil
}

func compareJobs(a, b Job) int {
	return cmp.Or(a.NextAt.Compare(b.NextAt), cmp.Compare(a.ID, b.ID))
}

// UpdateJob implements [Jobs].
func (m *Memory) UpdateJob(ctx context.Context, j Job) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	old, ok := d.jobs[j.ID]
	if !ok {
		return ErrNotFound
	}
	old.Sealed, old.Attempts, old.Reason, old.NextAt = j.Sealed, j.Attempts, j.Reason, j.NextAt
	d.jobs[j.ID] = copyJob(old)
	return nil
}

// DeleteJob implements [Jobs].
func (m *Memory) DeleteJob(ctx context.Context, id string) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	delete(d.jobs, id)
	return nil
}

func copyJob(j Job) Job {
	j.Sealed = bytes.Clone(j.Sealed)
	j.CreatedAt, j.NextAt = stamp(j.CreatedAt), stamp(j.NextAt)
	return j
}

// Setting implements [Settings].
func (m *Memory) Setting(ctx context.Context, user, name string) ([]byte, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	value, ok := d.settings[settingKey{user, name}]
	if !ok {
		return nil, ErrNotFound
	}
	return bytes.Clone(value), nil
}

// SwapSetting implements [Settings].
func (m *Memory) SwapSetting(ctx context.Context, user, name string, old, value []byte) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := (&Setting{User: user, Name: name}).Validate(); err != nil {
		return err
	}
	if user != "" && d.isErased(user) {
		return ErrErased
	}
	key := settingKey{user, name}
	stored, ok := d.settings[key]
	if ok != (old != nil) || !bytes.Equal(stored, old) {
		return ErrConflict
	}
	if value == nil {
		delete(d.settings, key)
	} else {
		d.settings[key] = bytes.Clone(value)
	}
	return nil
}

// Settings implements [Settings].
func (m *Memory) Settings(ctx context.Context, name, after string, limit int) ([]Setting, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	var list []Setting
	for key, value := range d.settings {
		if key.name == name && key.user > after {
			list = append(list, Setting{User: key.user, Name: name, Value: bytes.Clone(value)})
		}
	}
	slices.SortFunc(list, func(a, b Setting) int { return cmp.Compare(a.User, b.User) })
	return firstN(list, pageLimit(limit, 1000)), nil
}

// SettingNames implements [Copyable].
func (m *Memory) SettingNames(ctx context.Context, after string, limit int) ([]string, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	names := make(map[string]bool)
	for key := range d.settings {
		if key.name > after {
			names[key.name] = true
		}
	}
	return firstN(slices.Sorted(maps.Keys(names)), pageLimit(limit, 1000)), nil
}

// Users implements [Copyable].
func (m *Memory) Users(ctx context.Context, after string, limit int) ([]string, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	users := make(map[string]bool)
	add := func(user string) {
		if user > after {
			users[user] = true
		}
	}
	for _, c := range d.connections {
		add(c.User)
	}
	for _, h := range d.histories {
		add(h.user)
	}
	for key := range d.settings {
		add(key.user)
	}
	return firstN(slices.Sorted(maps.Keys(users)), pageLimit(limit, 1000)), nil
}

// ErasedUsers implements [Copyable].
func (m *Memory) ErasedUsers(ctx context.Context) (Erased, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return Erased{}, err
	}
	defer d.mu.Unlock()
	e := Erased{Key: bytes.Clone(d.eraseKey[:])}
	for print := range d.erased {
		e.Prints = append(e.Prints, print)
	}
	return e, nil
}

// PutErasedUsers implements [Copyable].
func (m *Memory) PutErasedUsers(ctx context.Context, e Erased) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if len(e.Key) != len(d.eraseKey) {
		return invalid("key of erased users")
	}
	if !bytes.Equal(e.Key, d.eraseKey[:]) && len(d.erased) > 0 {
		return ErrConflict
	}
	copy(d.eraseKey[:], e.Key)
	for _, print := range e.Prints {
		d.erased[print] = true
	}
	return nil
}
