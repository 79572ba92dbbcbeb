package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

func jobCases() []testCase {
	return []testCase{
		{id: "job-once", rule: "a job is put once, and read as it was put", check: checkJobOnce},
		{id: "job-list", rule: "jobs are listed by when to try again, filtered, and in pages to the last", check: checkJobList},
		{id: "job-update", rule: "an update changes where a job stands and nothing else; a job that was done is gone", check: checkJobUpdate},
	}
}

func settingCases() []testCase {
	return []testCase{
		{id: "setting-swap", rule: "a setting is replaced only if it is what the caller expects", check: checkSettingSwap},
		{id: "setting-race", rule: "of 16 that replace the same value exactly one does", check: checkSettingRace},
		{id: "setting-list", rule: "the settings of a name are listed by user, in pages", check: checkSettingList},
	}
}

func jobOf(id string, minute int) store.Job {
	return store.Job{
		ID: id, Provider: "test", Kind: "revoke", Sealed: []byte{0, 0xff, 1}, Receipt: "receipt", CreatedAt: present,
		NextAt: present.Add(time.Duration(minute) * time.Minute),
	}
}

func (c *checker) jobs(q store.JobQuery) []store.Job {
	list, err := c.s.Jobs(c.ctx, q)
	c.ok(err, "Jobs")
	return list
}

func jobIDs(list []store.Job) string {
	var all []string
	for _, j := range list {
		all = append(all, j.ID)
	}
	return strings.Join(all, " ")
}

func (c *checker) sameJobs(what string, want ...store.Job) {
	got := c.jobs(store.JobQuery{})
	c.equal(what, jobIDs(got), jobIDs(want))
	for i, g := range got {
		w := want[i]
		c.that(g.CreatedAt.Equal(w.CreatedAt) && g.NextAt.Equal(w.NextAt), "%s: got times %s and %s, want %s and %s",
			what, g.CreatedAt, g.NextAt, w.CreatedAt, w.NextAt)
		c.equal(what, []any{g.Provider, g.Kind, string(g.Sealed), g.Receipt, g.Attempts, g.Reason},
			[]any{w.Provider, w.Kind, string(w.Sealed), w.Receipt, w.Attempts, w.Reason})
	}
}

func checkJobOnce(c *checker) {
	full := jobOf("a", 1)
	full.Attempts, full.Reason = 3, "unreachable \u00e9"
	c.ok(c.s.PutJob(c.ctx, full), "PutJob")
	c.ok(c.s.PutJob(c.ctx, store.Job{ID: "bare"}), "PutJob of a bare one")
	again := jobOf("a", 9)
	again.Provider, again.Kind, again.Sealed, again.Receipt = "x", "x", []byte("x"), "x"
	c.ok(c.s.PutJob(c.ctx, again), "PutJob of an ID that is there")
	c.ok(c.open().PutJob(c.ctx, again), "PutJob of an ID that is there, by another handle")
	c.is(c.s.PutJob(c.ctx, store.Job{}), store.ErrInvalid, "PutJob without ID")
	c.sameJobs("jobs put twice", store.Job{ID: "bare"}, full)
	c.jobs(store.JobQuery{})[1].Sealed[0] = 'X'
	c.sameJobs("jobs after a reader changed one", store.Job{ID: "bare"}, full)
}

func checkJobList(c *checker) {
	var all, own []string
	for i := range 130 {
		j := jobOf(fmt.Sprintf("%03d", i), i/3) // three are due at once
		if i == 0 {
			j.NextAt = time.Time{}
		}
		if i%4 == 1 {
			j.Receipt = "another"
			own = append(own, j.ID)
		}
		all = append(all, j.ID)
	}
	for _, i := range c.rand.Perm(len(all)) {
		j := jobOf(all[i], i/3)
		if i == 0 {
			j.NextAt = time.Time{}
		}
		if i%4 == 1 {
			j.Receipt = "another"
		}
		c.ok(c.s.PutJob(c.ctx, j), "PutJob")
	}
	pages := func(q store.JobQuery) string {
		var got []store.Job
		for range pageCap {
			page := c.jobs(q)
			c.that(q.Limit == 0 || len(page) <= q.Limit, "got %d jobs, asked for %d", len(page), q.Limit)
			if len(page) == 0 {
				return jobIDs(got)
			}
			got = append(got, page...)
			q.After = page[len(page)-1].ID
		}
		c.fail("no end of pages")
		return ""
	}
	c.equal("without a limit", jobIDs(c.jobs(store.JobQuery{})), strings.Join(all[:100], " "))
	for _, limit := range []int{0, 1, 7, 129, 130} {
		c.equal(fmt.Sprintf("all in pages of %d", limit), pages(store.JobQuery{Limit: limit}), strings.Join(all, " "))
		c.equal(fmt.Sprintf("of a receipt in pages of %d", limit), pages(store.JobQuery{Receipt: "another", Limit: limit}), strings.Join(own, " "))
		c.equal(fmt.Sprintf("ready in pages of %d", limit), pages(store.JobQuery{ReadyAt: present.Add(9 * time.Minute), Limit: limit}),
			strings.Join(all[:30], " "))
	}
	c.equal("of an id", jobIDs(c.jobs(store.JobQuery{ID: "017"})), "017")
	c.equal("of an id that is not ready", jobIDs(c.jobs(store.JobQuery{ID: "017", ReadyAt: present})), "")
	c.ok(c.s.DeleteJob(c.ctx, "004"), "DeleteJob")
	c.equal("after one that is gone", jobIDs(c.jobs(store.JobQuery{After: "004", Limit: 2})), "000 001")
}

func checkJobUpdate(c *checker) {
	c.ok(c.s.PutJob(c.ctx, jobOf("a", 0)), "PutJob")
	c.ok(c.s.PutJob(c.ctx, jobOf("b", 1)), "PutJob")
	change := store.Job{
		ID: "a", Provider: "x", Kind: "x", Receipt: "x", CreatedAt: present.AddDate(1, 0, 0),
		Sealed: []byte("sealed anew"), Attempts: 2, Reason: "refused", NextAt: present.Add(time.Hour),
	}
	c.ok(c.s.UpdateJob(c.ctx, change), "UpdateJob")
	want := jobOf("a", 60)
	want.Sealed, want.Attempts, want.Reason = change.Sealed, change.Attempts, change.Reason
	c.sameJobs("after an update", jobOf("b", 1), want)
	change.ID = "never"
	c.is(c.s.UpdateJob(c.ctx, change), store.ErrNotFound, "UpdateJob of none")
	c.ok(c.s.DeleteJob(c.ctx, "a"), "DeleteJob")
	c.ok(c.s.DeleteJob(c.ctx, "a"), "DeleteJob once more")
	change.ID = "a"
	c.is(c.s.UpdateJob(c.ctx, change), store.ErrNotFound, "UpdateJob of a job that was done")
	c.sameJobs("after one was done", jobOf("b", 1))
}

// setting returns a value, or "none".
func (c *checker) setting(user, name string) string {
	value, err := c.open().Setting(c.ctx, user, name)
	if errors.Is(err, store.ErrNotFound) {
		return "none"
	}
	c.ok(err, "Setting")
	c.that(value != nil, "a setting without value")
	return string(value)
}

func checkSettingSwap(c *checker) {
	c.equal("a setting that is not there", c.setting(user, "n"), "none")
	c.is(c.s.SwapSetting(c.ctx, user, "n", []byte("a"), []byte("b")), store.ErrConflict, "SwapSetting of none")
	c.is(c.s.SwapSetting(c.ctx, user, "n", []byte{}, []byte("b")), store.ErrConflict, "SwapSetting of none for an empty one")
	c.ok(c.s.SwapSetting(c.ctx, user, "n", nil, nil), "SwapSetting of none for none")
	c.equal("a setting that is not there", c.setting(user, "n"), "none")
	c.ok(c.s.SwapSetting(c.ctx, user, "n", nil, []byte{0, 0xff}), "SwapSetting")
	c.equal("a new setting", c.setting(user, "n"), "\x00\xff")
	for _, old := range [][]byte{nil, {}, {0}, {0, 0xff, 0}} {
		c.is(c.s.SwapSetting(c.ctx, user, "n", old, []byte("x")), store.ErrConflict, "SwapSetting of %x", old)
		c.is(c.s.SwapSetting(c.ctx, user, "n", old, nil), store.ErrConflict, "SwapSetting of %x for none", old)
	}
	c.equal("after conflicts", c.setting(user, "n"), "\x00\xff")
	c.ok(c.s.SwapSetting(c.ctx, "", "n", nil, []byte("of the store")), "SwapSetting of the store")
	c.ok(c.s.SwapSetting(c.ctx, user, "m", nil, []byte("another")), "SwapSetting of another name")
	value := []byte("b")
	c.ok(c.s.SwapSetting(c.ctx, user, "n", []byte{0, 0xff}, value), "SwapSetting")
	value[0] = 'X'
	got, err := c.s.Setting(c.ctx, user, "n")
	c.ok(err, "Setting")
	got[0] = 'X'
	c.equal("after a swap", c.setting(user, "n"), "b")
	c.ok(c.s.SwapSetting(c.ctx, user, "n", []byte("b"), []byte{}), "SwapSetting for an empty one")
	c.equal("an empty setting", c.setting(user, "n"), "")
	c.is(c.s.SwapSetting(c.ctx, user, "n", nil, []byte("x")), store.ErrConflict, "SwapSetting of an empty one that is there")
	c.ok(c.s.SwapSetting(c.ctx, user, "n", []byte{}, nil), "SwapSetting of an empty one for none")
	c.equal("after a removal", c.setting(user, "n"), "none")
	c.equal("the store's", c.setting("", "n"), "of the store")
	c.equal("another name's", c.setting(user, "m"), "another")
	c.is(c.s.SwapSetting(c.ctx, user, "", nil, []byte("x")), store.ErrInvalid, "SwapSetting without name")
}

func checkSettingRace(c *checker) {
	handles := []store.Store{c.s, c.open()}
	var old []byte
	for round := range 3 {
		errs := together(16, func(i int) error {
			return handles[i%len(handles)].SwapSetting(c.ctx, "", "key", old, fmt.Appendf(nil, "%d of %d", round, i))
		})
		winner := c.oneWinner("SwapSetting", errs)
		old = fmt.Appendf(nil, "%d of %d", round, winner)
		c.equal("the winner's value", c.setting("", "key"), string(old))
	}
}

func checkSettingList(c *checker) {
	var want []string
	for i := range 25 {
		who := fmt.Sprintf("user %02d", i)
		want = append(want, who+"=value of "+who)
	}
	for _, i := range c.rand.Perm(25) {
		who := fmt.Sprintf("user %02d", i)
		c.ok(c.s.SwapSetting(c.ctx, who, "n", nil, []byte("value of "+who)), "SwapSetting")
		c.ok(c.s.SwapSetting(c.ctx, who, "other", nil, []byte("x")), "SwapSetting")
	}
	c.ok(c.s.SwapSetting(c.ctx, "", "n", nil, []byte("of the store")), "SwapSetting")
	for _, limit := range []int{0, 1, 7, 25} {
		var got []string
		after := ""
		for range pageCap {
			list, err := c.s.Settings(c.ctx, "n", after, limit)
			c.ok(err, "Settings")
			c.that(limit == 0 || len(list) <= limit, "got %d settings, asked for %d", len(list), limit)
			if len(list) == 0 {
				break
			}
			for _, v := range list {
				c.equal("name", v.Name, "n")
				got = append(got, v.User+"="+string(v.Value))
				after = v.User
			}
		}
		c.equal(fmt.Sprintf("in pages of %d", limit), got, want)
	}
	list, err := c.s.Settings(c.ctx, "never", "", 0)
	c.ok(err, "Settings")
	c.equal("settings of no such name", len(list), 0)
}
