package withingstest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) getMeas(c *call) *refusal {
	f := &groupFilter{}
	one, many := c.params.Get("meastype"), c.params.Get("meastypes")
	if one != "" && many != "" {
		return refuse(StatusInvalidParams, "Invalid Params: meastype excludes meastypes")
	}
	if list := cmp.Or(one, many); list != "" {
		f.types = map[int]bool{}
		if one != "" && strings.Contains(one, ",") {
			return invalid("meastype")
		}
		for _, t := range strings.Split(list, ",") {
			n, err := strconv.Atoi(t)
			if err != nil {
				return invalid("meastypes")
			}
			f.types[n] = true
		}
	}
	category, present, refused := c.integer("category")
	if refused != nil || present && category != 1 && category != 2 {
		return invalid("category")
	}
	f.category = int(category)
	if f.from, f.to, f.ranged, refused = c.instants(); refused != nil {
		return refused
	}
	var updated bool
	if f.since, updated, refused = c.integer("lastupdate"); refused != nil {
		return refused
	}
	if f.ranged && updated {
		return refuse(StatusInvalidParams, "Invalid Params: lastupdate excludes startdate and enddate")
	}
	offset, refused := c.offset()
	if refused != nil {
		return refused
	}
	rows, next := c.user.groups.page(f, offset, s.cfg.PageSize)

	w := &c.body
	w.b = make([]byte, 0, 512*len(rows)+128)
	w.open('{')
	w.key("updatetime").int(c.now.Unix())
	w.key("timezone").str(c.user.tz)
	w.key("measuregrps").open('[')
	for _, g := range rows {
		w.group(g)
	}
	w.close(']')
	// An int here, a bool at the other services. Clients insist on both, also on the last page.
	w.key("more").int(int64(b2i(next >= 0)))
	w.key("offset").int(int64(max(next, 0)))
	w.close('}')
	return nil
}

func (w *writer) group(g MeasureGroup) {
	w.open('{')
	w.key("grpid").int(g.ID)
	w.key("attrib").int(int64(g.Attrib))
	w.key("date").int(g.Date)
	w.key("created").int(g.Created)
	w.key("modified").int(g.Modified)
	w.key("category").int(int64(g.Category))
	w.key("deviceid").strOrNull(g.DeviceID)
	w.key("hash_deviceid").strOrNull(g.DeviceID)
	w.key("measures").open('[')
	for _, m := range g.Measures {
		w.open('{')
		w.key("value").int(m.Value)
		w.key("type").int(int64(m.Type))
		w.key("unit").int(int64(m.Unit))
		w.key("algo").int(int64(m.Algo))
		w.key("fm").int(int64(m.FM))
		if m.Position != nil {
			w.key("position").int(int64(*m.Position))
		}
		w.close('}')
	}
	w.close(']')
	w.key("modelid").intOrNull(g.ModelID)
	w.key("model_id").intOrNull(g.ModelID) // the documentation's name; clients insist on the one or the other
	w.key("model").strOrNull(g.Model)
	w.key("comment").null()
	w.close('}')
}

// tail ends a body whose rows are an array: more as a bool, and the offset after these rows, also on the last page.
func (w *writer) tail(more bool, next int) {
	w.close(']')
	w.key("more").bool(more)
	w.key("offset").int(int64(next))
	w.close('}')
}

func (s *Server) getActivity(c *call) *refusal {
	question, refused := c.daysOrLastUpdate()
	if refused != nil {
		return refused
	}
	offset, refused := c.offset()
	if refused != nil {
		return refused
	}
	want := c.wanted("steps", "distance", "elevation", "soft", "moderate", "intense", "active", "calories", "totalcalories")
	var rows []*Activity
	for _, a := range c.user.activities() {
		if question.covers(a.Date, a.Modified) {
			rows = append(rows, a)
		}
	}
	lo, hi, more := s.rows(len(rows), offset)
	w := &c.body
	w.open('{')
	w.key("activities").open('[')
	for _, a := range rows[lo:hi] {
		w.open('{')
		w.fields(a.Data, want)
		w.key("deviceid").strOrNull(a.DeviceID)
		w.key("hash_deviceid").strOrNull(a.DeviceID)
		w.key("timezone").str(a.Timezone)
		w.key("date").str(a.Date)
		w.key("modified").int(a.Modified)
		w.key("brand").int(int64(a.Brand))
		w.key("is_tracker").bool(a.IsTracker)
		w.key("model").strOrNull(a.Model)
		w.key("modelid").intOrNull(a.ModelID)
		w.key("model_id").intOrNull(a.ModelID)
		w.close('}')
	}
	w.tail(more, hi)
	return nil
}

// fullDay is how much the services with dense data answer at most.
const fullDay = 24 * 3600

func (s *Server) getIntraday(c *call) *refusal {
	from, to, present, refused := c.instants()
	if refused != nil {
		return refused
	}
	if present {
		to = min(to, from+fullDay)
	} else {
		to = c.user.horizon.Unix() + 1
		from = to - fullDay
	}
	want := c.wanted("steps", "elevation", "calories", "distance", "duration")
	w := &c.body
	w.open('{')
	w.key("series").open('{')
	for _, p := range c.user.intraday(from, to) {
		start := len(w.b)
		w.key(strconv.FormatInt(p.Time, 10)).open('{')
		if w.fields(p.Data, want) == 0 {
			w.b = w.b[:start] // no row without a wanted field
			continue
		}
		w.key("deviceid").strOrNull(p.DeviceID)
		w.key("model").str(p.Model)
		w.key("model_id").int(int64(p.ModelID))
		w.close('}')
	}
	w.close('}')
	w.emptyObjectAsArray()
	w.close('}')
	return nil
}

func (s *Server) getWorkouts(c *call) *refusal {
	question, refused := c.daysOrLastUpdate()
	if refused != nil {
		return refused
	}
	offset, refused := c.offset()
	if refused != nil {
		return refused
	}
	want := c.wanted()
	var rows []*Workout
	for _, row := range c.user.workouts {
		if question.covers(row.Date, row.Modified) {
			rows = append(rows, row)
		}
	}
	lo, hi, more := s.rows(len(rows), offset)
	w := &c.body
	w.open('{')
	w.key("series").open('[')
	for _, row := range rows[lo:hi] {
		w.open('{')
		w.key("id").int(row.ID)
		w.key("category").int(int64(row.Category))
		w.key("timezone").str(row.Timezone)
		w.key("model").int(int64(row.Model))
		w.key("attrib").int(int64(row.Attrib))
		w.key("startdate").int(row.Start)
		w.key("enddate").int(row.End)
		w.key("date").str(row.Date)
		w.key("modified").int(row.Modified)
		w.key("deviceid").strOrNull(row.DeviceID)
		w.key("data").open('{')
		w.fields(row.Data, want)
		if row.BodyTemperatureStatus != "" && want.has("core_body_temperature_status") {
			w.key("core_body_temperature_status").str(row.BodyTemperatureStatus)
		}
		w.close('}')
		w.emptyObjectAsArray()
		w.close('}')
	}
	w.tail(more, hi)
	return nil
}

func (s *Server) getSleep(c *call) *refusal {
	from, to, present, refused := c.instants()
	if refused != nil {
		return refused
	}
	if !present {
		return missing("startdate")
	}
	want := c.wanted()
	rows := c.user.segmentsIn(from, min(to, from+fullDay))
	model := 16
	w := &c.body
	w.open('{')
	w.key("series").open('[')
	for _, row := range rows {
		model = max(model, row.night.Model)
		w.open('{')
		w.key("startdate").int(row.Start)
		w.key("enddate").int(row.End)
		w.key("state").int(int64(row.State))
		w.key("model").str(modelNames[row.night.Model])
		w.key("model_id").int(int64(row.night.ModelID))
		w.key("hash_deviceid").strOrNull(row.night.DeviceID)
		var names []string
		for name := range row.Series {
			if want.has(name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			w.key(name).open('{')
			for _, p := range row.Series[name] {
				w.key(strconv.FormatInt(p.Time, 10)).float(p.Value)
			}
			w.close('}')
		}
		w.close('}')
	}
	w.close(']')
	w.key("model").int(int64(model))
	w.close('}')
	return nil
}

// modelNames is how the rows of the sleep service's get action spell the two kinds of source.
var modelNames = map[int]string{16: "Activity Tracker", 32: "Sleep Monitor"}

func (s *Server) getSleepSummary(c *call) *refusal {
	question, refused := c.daysOrLastUpdate()
	if refused != nil {
		return refused
	}
	offset, refused := c.offset()
	if refused != nil {
		return refused
	}
	want := c.wanted("lightsleepduration", "deepsleepduration", "remsleepduration", "wakeupduration", "wakeupcount",
		"durationtosleep", "durationtowakeup")
	var rows []*nightRow
	for _, n := range c.user.nights {
		if question.covers(n.Date, n.Modified) {
			rows = append(rows, n)
		}
	}
	lo, hi, more := s.rows(len(rows), offset)
	w := &c.body
	w.open('{')
	w.key("series").open('[')
	for _, n := range rows[lo:hi] {
		w.open('{')
		w.key("id").int(n.ID)
		w.key("timezone").str(n.Timezone)
		w.key("model").int(int64(n.Model))
		w.key("model_id").int(int64(n.ModelID))
		w.key("hash_deviceid").strOrNull(n.DeviceID)
		w.key("startdate").int(n.Start)
		w.key("enddate").int(n.End)
		w.key("date").str(n.Date)
		w.key("created").int(n.Created)
		w.key("modified").int(n.Modified)
		w.key("completed").bool(true)
		w.key("data").open('{')
		w.fields(n.Data, want)
		if len(n.Events) > 0 && want.has("night_events") {
			w.key("night_events").open('{')
			for kind := 1; kind <= 6; kind++ {
				if at, ok := n.Events[kind]; ok {
					w.key(strconv.Itoa(kind)).open('[')
					for _, sec := range at {
						w.int(sec)
					}
					w.close(']')
				}
			}
			w.close('}')
		}
		w.close('}')
		w.emptyObjectAsArray()
		w.close('}')
	}
	w.tail(more, hi)
	return nil
}

func (s *Server) listHearts(c *call) *refusal {
	from, to, present, refused := c.instants()
	if refused != nil {
		return refused
	}
	offset, refused := c.offset()
	if refused != nil {
		return refused
	}
	var rows []*Heart
	for _, h := range c.user.hearts {
		if !present || h.Timestamp >= from && h.Timestamp <= to {
			rows = append(rows, h)
		}
	}
	slices.SortFunc(rows, func(a, b *Heart) int { return cmp.Compare(b.Timestamp, a.Timestamp) })
	lo, hi, more := s.rows(len(rows), offset)
	w := &c.body
	w.open('{')
	w.key("series").open('[')
	for _, h := range rows[lo:hi] {
		w.open('{')
		w.key("deviceid").strOrNull(h.DeviceID)
		w.key("model").int(int64(h.Model))
		if h.SignalID != 0 {
			w.key("ecg").open('{')
			w.key("signalid").int(h.SignalID)
			w.key("afib").int(int64(h.AFib))
			w.close('}')
		}
		if h.Systole != 0 {
			w.key("bloodpressure").open('{')
			w.key("diastole").int(int64(h.Diastole))
			w.key("systole").int(int64(h.Systole))
			w.close('}')
		}
		w.key("heart_rate").int(int64(h.HeartRate))
		w.key("timestamp").int(h.Timestamp)
		w.key("modified").int(h.Modified)
		w.close('}')
	}
	w.tail(more, hi)
	return nil
}

func (s *Server) getHeart(c *call) *refusal {
	id, present, refused := c.integer("signalid")
	if refused != nil {
		return refused
	}
	if !present {
		return missing("signalid")
	}
	i := slices.IndexFunc(c.user.hearts, func(h *Heart) bool { return h.SignalID == id && id != 0 })
	if i < 0 {
		return invalid("signalid")
	}
	h := c.user.hearts[i]
	w := &c.body
	w.open('{')
	w.key("signal").open('[')
	for _, v := range c.user.signal(h) {
		w.int(int64(v))
	}
	w.close(']')
	w.key("sampling_frequency").int(int64(h.Frequency))
	w.key("wearposition").int(int64(h.Wear))
	w.key("model").int(int64(h.Model))
	w.key("heart_rate").int(int64(h.HeartRate))
	w.close('}')
	return nil
}

func (s *Server) getDevice(c *call) *refusal {
	w := &c.body
	w.open('{')
	w.key("devices").open('[')
	for _, d := range c.user.devices() {
		w.open('{')
		w.key("type").str(d.Type)
		w.key("model").str(d.Model)
		w.key("model_id").int(int64(d.ModelID))
		w.key("battery").str(d.Battery)
		w.key("deviceid").str(d.ID)
		w.key("hash_deviceid").str(d.ID)
		w.key("timezone").str(d.Timezone)
		w.key("first_session_date").intOrNull(int(d.FirstSession))
		w.key("last_session_date").int(d.LastSession)
		w.close('}')
	}
	w.close(']')
	w.close('}')
	return nil
}

func (s *Server) getGoals(c *call) *refusal {
	w := &c.body
	w.open('{')
	w.key("goals")
	if g := c.user.traits.goals; g == nil {
		w.raw("[]")
	} else {
		w.open('{')
		w.key("steps").int(int64(g.Steps))
		w.key("sleep").int(int64(g.Sleep))
		w.key("weight").open('{')
		w.key("value").int(g.Weight.Value)
		w.key("unit").int(int64(g.Weight.Unit))
		w.close('}')
		w.close('}')
	}
	w.close('}')
	return nil
}
