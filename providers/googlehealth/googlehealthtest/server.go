package googlehealthtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody is how many bytes of a request body are read.
const maxBody = 1 << 20

// refusal is an error of Google's APIs.
type refusal struct {
	code           int
	status, reason string
	message        string
}

func refuse(code int, status, reason, message string) *refusal {
	return &refusal{code: code, status: status, reason: reason, message: message}
}

func invalid(reason, message string) *refusal {
	return refuse(http.StatusBadRequest, "INVALID_ARGUMENT", reason, message)
}

func notFound() *refusal {
	return refuse(http.StatusNotFound, "NOT_FOUND", "", "Requested entity was not found.")
}

func (r *refusal) body() []byte {
	inner := object{"code": r.code, "message": r.message, "status": r.status}
	if r.reason != "" {
		inner["details"] = []object{{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": r.reason, "domain": "health.googleapis.com", "metadata": object{},
		}}
	}
	return encode(object{"error": inner})
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("googlehealthtest: " + err.Error())
	}
	return bytes.TrimSpace(b.Bytes())
}

// call is one request to the data service while it is answered.
type call struct {
	s      *Server
	method string
	path   string // below /v4/
	query  url.Values
	body   []byte
	now    time.Time
	user   *user
	grant  *grant
	fault  *Fault
}

// ServeHTTP answers as the service does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "unreadable body", http.StatusBadRequest)
		return
	}
	switch r.URL.Path {
	case AuthorizePath:
		s.serveAuthorize(w, r, body)
		return
	case KeysetPath:
		write(w, http.StatusOK, s.Keyset())
		return
	}
	fault := s.takeFault(r)
	if fault != nil && fault.serve(w, r) {
		s.note(r, body, 0, fault)
		return
	}
	var status int
	var answer []byte
	switch r.URL.Path {
	case TokenPath:
		status, answer = s.serveToken(r, body)
	case RevokePath:
		status, answer = s.serveRevoke(r, body)
	default:
		status, answer = s.serveAPI(r, body, fault)
	}
	s.note(r, body, status, fault)
	if fault != nil {
		fault.spoil(&answer)
	}
	write(w, status, answer)
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// serveAPI answers a request to the data service.
func (s *Server) serveAPI(r *http.Request, body []byte, fault *Fault) (int, []byte) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v4/")
	if !ok {
		return http.StatusNotFound, notFound().body()
	}
	if strings.HasPrefix(path, "projects/") {
		return s.serveProjects(r, path, body)
	}
	c := &call{s: s, method: r.Method, path: path, query: r.URL.Query(), body: body, fault: fault}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = s.cfg.Now()
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	answer, refused := c.answer(bearer)
	if refused == nil {
		return http.StatusOK, encode(answer)
	}
	return refused.code, refused.body()
}

// answer checks who asks and does the work.
func (c *call) answer(bearer string) (any, *refusal) {
	s := c.s
	if bearer == "" {
		return nil, refuse(http.StatusUnauthorized, "UNAUTHENTICATED", "CREDENTIALS_MISSING", "Request is missing required authentication credential.")
	}
	if c.grant = s.auth.access(bearer, c.now); c.grant == nil {
		return nil, refuse(http.StatusUnauthorized, "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED", "Request had invalid authentication credentials.")
	}
	c.user = s.mustUser(c.grant.user)
	if refused := s.admit(c.user.id, c.now); refused != nil {
		return nil, refused
	}
	if c.user.notLinked {
		return nil, refuse(http.StatusBadRequest, "FAILED_PRECONDITION", "ACCOUNT_NOT_LINKED", "The account is not linked.")
	}
	s.refresh(c.user)
	parts := strings.Split(c.path, "/")
	if len(parts) < 3 || parts[0] != "users" || parts[1] != "me" && parts[1] != c.user.id {
		return nil, notFound()
	}
	switch {
	case len(parts) == 3 && c.method == http.MethodGet:
		return c.state(parts[2])
	case len(parts) == 5 && parts[2] == "dataTypes":
		return c.data(parts[3], parts[4])
	}
	return nil, notFound()
}

// needs refuses a token that lacks a scope.
func (c *call) needs(scope string) *refusal {
	if slices.Contains(c.grant.scopes, scopePrefix+scope+".readonly") {
		return nil
	}
	return refuse(http.StatusForbidden, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "Request had insufficient authentication scopes.")
}

const scopePrefix = "https://www.googleapis.com/auth/googlehealth."

// admit counts a request against the person's quota.
func (s *Server) admit(user string, now time.Time) *refusal {
	if s.cfg.RateLimit < 0 {
		return nil
	}
	recent := slices.DeleteFunc(s.rates[user], func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	s.rates[user] = recent
	if len(recent) >= s.cfg.RateLimit {
		return refuse(http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", "Quota exceeded for quota metric.")
	}
	s.rates[user] = append(recent, now)
	return nil
}

// state answers about what is now.
func (c *call) state(what string) (any, *refusal) {
	u := c.user
	switch what {
	case "identity":
		o := object{"name": "users/me/identity", "healthUserId": u.id}
		if u.legacy != "" {
			o["legacyUserId"] = u.legacy
		}
		return o, nil
	case "profile":
		return object{
			"name": "users/me/profile", "age": 41, "membershipStartDate": dateOf(u.first), "userConfiguredWalkingStrideLengthMm": 742,
			"autoRunningStrideLengthMm": 1103,
		}, c.needs("profile")
	case "settings":
		return object{
			"name": "users/me/settings", "timeZone": u.zoneAt(c.now).String(), "utcOffset": u.offset(c.now), "distanceUnit": "DISTANCE_UNIT_KILOMETERS",
			"weightUnit": "WEIGHT_UNIT_KILOGRAMS", "languageLocale": "en_GB",
		}, c.needs("settings")
	case "irnProfile":
		return object{"name": "users/me/irnProfile", "enrollmentStatus": true, "onboardingStatus": true}, c.needs("irn")
	case "pairedDevices":
		if refused := c.needs("settings"); refused != nil {
			return nil, refused
		}
		var devices []any
		for i, name := range deviceNames {
			kind := "TRACKER"
			if i == 2 {
				kind = "SCALE"
			}
			devices = append(devices, object{
				"name": "users/me/pairedDevices/" + u.deviceID(i), "deviceType": kind, "deviceVersion": name,
				"batteryLevel": 60 + i, "batteryStatus": "MEDIUM", "lastSyncTime": instant(u.horizon), "features": []string{"STEPS", "SLEEP"},
			})
		}
		return c.paged("pairedDevices", devices, 5, 100)
	}
	return nil, notFound()
}

// data answers about data points.
func (c *call) data(path, what string) (any, *refusal) {
	k := kindOf(path)
	if k == nil {
		return nil, invalid("INVALID_PARENT_DATA_TYPE_COLLECTION", "no such data type")
	}
	if refused := c.needs(k.scope); refused != nil {
		return nil, refused
	}
	switch {
	case what == "dataPoints" && c.method == http.MethodGet && k.list:
		return c.list(k, false)
	case what == "dataPoints:reconcile" && c.method == http.MethodGet && k.reconcile:
		return c.list(k, true)
	case what == "dataPoints:rollUp" && c.method == http.MethodPost && k.roll:
		return c.rollUp(k)
	case what == "dataPoints:dailyRollUp" && c.method == http.MethodPost && k.dailyRoll:
		return c.dailyRollUp(k)
	}
	return nil, invalid("", "the operation is not supported for the data type")
}

// family checks the data source family.
func family(name string) *refusal {
	const prefix = "users/me/dataSourceFamilies/"
	known := []string{"all-sources", "google-wearables", "google-sources", "self-sources"}
	if name != "" && (!strings.HasPrefix(name, prefix) || !slices.Contains(known, name[len(prefix):])) {
		return invalid("INVALID_DATA_POINT_DATA_SOURCE_FAMILY", "no such data source family")
	}
	return nil
}

// list answers list and reconcile.
func (c *call) list(k *kind, merged bool) (any, *refusal) {
	for name := range c.query {
		if !slices.Contains([]string{"filter", "pageSize", "pageToken", "dataSourceFamily", "alt", "fields"}, name) {
			return nil, invalid("", "unknown name in the query")
		}
	}
	f, failed := parseFilter(k, c.query.Get("filter"))
	if failed != nil {
		return nil, invalid(failed.reason, failed.message)
	}
	chosen := c.query.Get("dataSourceFamily")
	if refused := family(chosen); refused != nil {
		return nil, refused
	}
	if chosen != "" && !merged && (k.record == asleep || k.record == none) {
		return nil, invalid("INVALID_DATA_POINT_DATA_SOURCE_FAMILY", "not supported for the data type")
	}
	first, last := f.days(c.user)
	all := slices.DeleteFunc(c.s.points(c.user, k, first, last), func(p point) bool { return !f.holds(c.user, p) })
	if merged {
		all = reconciled(all)
	}
	if strings.HasSuffix(chosen, "google-wearables") {
		all = slices.DeleteFunc(all, func(p point) bool { return p.source != 0 })
	}
	var items []any
	for _, p := range all {
		item := object{k.key: p.value}
		name := p.name(c.user, k)
		switch {
		case merged && name != "":
			item["dataPointName"] = name
		case !merged:
			item["dataSource"] = sources[p.source]
			if name != "" {
				item["name"] = name
			}
		}
		items = append(items, item)
	}
	byDefault, most := 1440, 10_000
	if k.path == "sleep" || k.path == "exercise" {
		byDefault, most = 25, 25
	}
	return c.paged("dataPoints", items, byDefault, most)
}

// paged cuts a page out of a list by the query's pageSize and pageToken.
func (c *call) paged(name string, items []any, byDefault, most int) (any, *refusal) {
	size := 0
	if text := c.query.Get("pageSize"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, invalid("", "page size")
		}
		size = n
	}
	bound := url.Values{}
	for k, v := range c.query {
		if k != "pageToken" {
			bound[k] = v
		}
	}
	return c.page(name, items, size, byDefault, most, c.query.Get("pageToken"), bound.Encode(), true)
}

// page cuts a page: a token is bound to all other parameters.
func (c *call) page(name string, items []any, size, byDefault, most int, token, bound string, mayBeEmpty bool) (any, *refusal) {
	if size == 0 {
		size = byDefault
	}
	size = min(size, most, c.s.cfg.PageSize)
	offset, fresh := 0, token == ""
	if !fresh {
		at, ok := c.s.readToken(token, c.user.id+c.path+bound)
		if !ok || at > len(items) {
			return nil, invalid("", "page token is not valid for this request")
		}
		offset = at
	}
	if c.fault != nil && c.fault.Kind == FaultRepeatPage {
		offset = 0
	}
	end := min(offset+size, len(items))
	every := c.s.cfg.EmptyFirstPages
	if fresh && mayBeEmpty && every > 0 && len(items) > 0 && (mix(c.s.cfg.Seed, text(c.user.id+c.path+bound)))%uint64(every) == 0 {
		end = 0
	}
	answer := object{}
	if end > offset {
		answer[name] = items[offset:end]
	}
	if end < len(items) || c.fault != nil && c.fault.Kind == FaultRepeatPage {
		answer["nextPageToken"] = c.s.newToken(end, c.user.id+c.path+bound)
	}
	return answer, nil
}

// newToken makes an opaque page token.
func (s *Server) newToken(offset int, bound string) string {
	sum := s.tokenSum(bound)
	var b [12]byte
	binary.BigEndian.PutUint32(b[:], uint32(offset)^binary.BigEndian.Uint32(sum[8:]))
	copy(b[4:], sum[:8])
	return hex.EncodeToString(b[:])
}

func (s *Server) readToken(token, bound string) (int, bool) {
	b, err := hex.DecodeString(token)
	sum := s.tokenSum(bound)
	if err != nil || len(b) != 12 || !bytes.Equal(b[4:], sum[:8]) {
		return 0, false
	}
	return int(binary.BigEndian.Uint32(b) ^ binary.BigEndian.Uint32(sum[8:])), true
}

func (s *Server) tokenSum(bound string) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%d %s", s.cfg.Seed, bound))
}

// rollupBody is the body of both rollups.
type rollupBody struct {
	Range struct {
		StartTime, EndTime string
		Start, End         *struct {
			Date struct{ Year, Month, Day int }
			Time *struct{ Hours, Minutes, Seconds, Nanos int }
		}
	}
	WindowSize       string
	WindowSizeDays   int
	PageSize         int
	PageToken        string
	DataSourceFamily string
}

func (c *call) rollup() (rollupBody, string, *refusal) {
	var b rollupBody
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return b, "", invalid("", "the body is not a rollup request")
	}
	if refused := family(b.DataSourceFamily); refused != nil {
		return b, "", refused
	}
	if b.PageSize < 0 || b.WindowSizeDays < 0 {
		return b, "", invalid("", "page size or window size")
	}
	bound := b
	bound.PageToken = ""
	return b, string(encode(bound)), nil
}

func maxRange(k *kind) time.Duration {
	if k.short {
		return 14 * 24 * time.Hour
	}
	return 90 * 24 * time.Hour
}

// rollUp answers by windows of instants.
func (c *call) rollUp(k *kind) (any, *refusal) {
	b, bound, refused := c.rollup()
	if refused != nil {
		return nil, refused
	}
	from, err1 := time.Parse(time.RFC3339Nano, b.Range.StartTime)
	to, err2 := time.Parse(time.RFC3339Nano, b.Range.EndTime)
	size, err3 := time.ParseDuration(b.WindowSize)
	switch {
	case err1 != nil || err2 != nil || err3 != nil || !strings.HasSuffix(b.WindowSize, "s") || size < time.Second:
		return nil, invalid("", "range and window size are needed")
	case !to.After(from):
		return nil, invalid("INVALID_TIME_RANGE", "the range is empty")
	case to.Sub(from) > maxRange(k):
		return nil, invalid("INVALID_TIME_RANGE", "the range is too long")
	}
	var items []any
	for at := from; at.Before(to); at = at.Add(size) {
		end := at.Add(size)
		if end.After(to) {
			end = to
		}
		if !at.Before(c.user.horizon) {
			break
		}
		if value := c.s.rolled(c.user, k, at, end); value != nil {
			items = append(items, object{"startTime": instant(at), "endTime": instant(end), k.key: value})
		}
	}
	return c.page("rollupDataPoints", items, b.PageSize, 1440, 10_000, b.PageToken, bound, false)
}

// dailyRollUp answers by windows of civil days.
func (c *call) dailyRollUp(k *kind) (any, *refusal) {
	b, bound, refused := c.rollup()
	if refused != nil {
		return nil, refused
	}
	if b.Range.Start == nil || b.Range.End == nil {
		return nil, invalid("", "a range of civil days is needed")
	}
	if t := b.Range.Start.Time; t != nil && (t.Hours != 0 || t.Minutes != 0 || t.Seconds != 0 || t.Nanos != 0) {
		return nil, invalid("INVALID_TIME_RANGE", "the range is not aligned")
	}
	from, isDay1 := parseDay(fmt.Sprintf("%04d-%02d-%02d", b.Range.Start.Date.Year, b.Range.Start.Date.Month, b.Range.Start.Date.Day))
	to, isDay2 := parseDay(fmt.Sprintf("%04d-%02d-%02d", b.Range.End.Date.Year, b.Range.End.Date.Month, b.Range.End.Date.Day))
	size, most := max(1, b.WindowSizeDays), 90
	if k.short {
		most = 14
	}
	switch {
	case !isDay1 || !isDay2:
		return nil, invalid("INVALID_TIME_RANGE", "there is no such day")
	case to <= from:
		return nil, invalid("INVALID_TIME_RANGE", "the range is empty")
	case to-from > most:
		return nil, invalid("INVALID_TIME_RANGE", "the range is too long")
	}
	var items []any
	for n := from; n < to; n += size {
		end := min(n+size, to)
		key, value := k.key, object(nil)
		switch k.path {
		case "daily-resting-heart-rate":
			key, value = "restingHeartRatePersonalRange", object{"beatsPerMinuteMin": 50, "beatsPerMinuteMax": 66}
		case "daily-heart-rate-variability":
			key = "heartRateVariabilityPersonalRange"
			value = object{"averageHeartRateVariabilityMillisecondsMin": 20.5, "averageHeartRateVariabilityMillisecondsMax": 70.25}
		default:
			value = c.s.rolled(c.user, k, c.user.at(n, 0), c.user.at(end, 0))
		}
		if d := c.user.days[n]; value == nil || d == nil || !d.Worn || n > c.user.dayOf(c.user.horizon) {
			continue
		}
		items = append(items, object{
			"civilStartTime": object{"date": dateOf(n)}, "civilEndTime": object{"date": dateOf(end)}, key: value,
		})
	}
	return c.page("rollupDataPoints", items, b.PageSize, most, most, b.PageToken, bound, false)
}
