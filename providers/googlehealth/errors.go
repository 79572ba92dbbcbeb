package googlehealth

import (
	"net/http"
	"strings"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// The codes of errors that the adapter finds itself. Other codes are the
// reasons and statuses of the service, or come from the HTTP layer.
const (
	codeNotJSON   = "not_json"      // the answer is no JSON document
	codeJSON      = "bad_json"      // the answer begins as JSON and breaks its grammar
	codeShape     = "bad_shape"     // the answer is not what its method answers with
	codeDuplicate = "duplicate_key" // a member of the answer is there twice
	codePaging    = "bad_paging"    // the token of the next page cannot be read
	codeFlooded   = "too_many_bad"  // more data that is not usable than makes sense
	codeNoDate    = "no_date"       // neither the data nor the answer tell when they were valid
	codeBodyName  = "bad_body_name" // a stored body does not say which request it answers
	codeManyPages = "too_many_pages"
	codePageToken = "page_token" // not a page token of this stream
	codeHighWater = "high_water" // the streams have no marks
	codeWindow    = "bad_window" // a window the stream cannot be asked for
	codeNoKey     = "unknown_key"
	codeNoKeys    = "no_keys"

	// CodeLegacyAccount is the [providers.Error] code of a person who consented
	// with a Fitbit account that was never moved to a Google account: the service
	// cannot make tokens for it.
	CodeLegacyAccount = "legacy_account"
	// CodeNotLinked is the [providers.Error] code of a Google account that has no
	// Google Health data: the person has to choose another, or to set it up.
	CodeNotLinked = "ACCOUNT_NOT_LINKED"
)

// maxReason bounds the words of the service that get into errors.
const maxReason = 64

// reasonClasses says what the reasons of google.rpc.ErrorInfo mean where the
// HTTP status alone does not tell.
var reasonClasses = map[string]providers.Error{
	CodeNotLinked:                     {Kind: providers.ErrReauth},
	"CREDENTIALS_MISSING":             {Kind: providers.ErrReauth, ExpiredAccess: true},
	"ACCESS_TOKEN_EXPIRED":            {Kind: providers.ErrReauth, ExpiredAccess: true},
	"ACCESS_TOKEN_SCOPE_INSUFFICIENT": {Kind: providers.ErrForbidden},
	"RATE_LIMIT_EXCEEDED":             {Kind: providers.ErrRateLimited},
	"SERVICE_DISABLED":                {Kind: providers.ErrInvalid, ClientFault: true},
	"API_DISABLED":                    {Kind: providers.ErrInvalid, ClientFault: true},
	"CONSUMER_INVALID":                {Kind: providers.ErrInvalid, ClientFault: true},
	"BILLING_DISABLED":                {Kind: providers.ErrInvalid, ClientFault: true},
}

// failure reads an answer that is not 2xx; nil for one that is.
func (p *Provider) failure(client *httpx.Client, op string, resp *httpx.Response) error {
	e := client.StatusError(op, resp)
	if e == nil {
		return nil
	}
	told := readRefusal(resp.Body)
	e.Code = told.code()
	class, known := reasonClasses[told.reason]
	switch {
	case known:
		e.Kind, e.ExpiredAccess, e.ClientFault = class.Kind, class.ExpiredAccess, class.ClientFault
	case resp.Status == http.StatusForbidden && told.unminted:
		e.Kind, e.Code = providers.ErrReauth, CodeLegacyAccount
	case resp.Status == http.StatusForbidden && told.notEnabled:
		e.Kind, e.ClientFault = providers.ErrInvalid, true
	}
	return e
}

// refusal is what the body of a refused call says (google.rpc.Status).
type refusal struct {
	status, reason string
	// unminted and notEnabled are two meanings that only the message tells. The
	// message itself goes nowhere.
	unminted, notEnabled bool
}

func (r refusal) code() string {
	if r.reason != "" {
		return r.reason
	}
	return r.status
}

// readRefusal reads a refusal as far as it is one: every part may be missing.
func readRefusal(body []byte) refusal {
	var r refusal
	doc, reason := readObject(body)
	if reason != "" {
		return r
	}
	inner, v := doc.object("error")
	if v != jsonscan.OK {
		return r
	}
	r.status = errorWord(inner, "status")
	if message, v := inner.text("message"); v == jsonscan.OK {
		message = strings.ToLower(message)
		r.unminted = strings.Contains(message, "mint gaiamint") || strings.Contains(message, "mint ubermint") ||
			strings.Contains(message, "couldn't mint")
		r.notEnabled = strings.Contains(message, "has not been used in project") || strings.Contains(message, "it is disabled")
	}
	details, _ := inner.list("details", maxMembers)
	for _, raw := range details {
		detail, reason := readObject(raw)
		if reason != "" {
			continue
		}
		if kind, _ := detail.text("@type"); strings.HasSuffix(kind, "/google.rpc.ErrorInfo") {
			r.reason = errorWord(detail, "reason")
			break
		}
	}
	return r
}

// errorWord reads a member that is a constant of the service; empty for
// anything else, which might be anything.
func errorWord(o object, name string) string {
	word, v := o.text(name)
	if v != jsonscan.OK || len(word) > maxReason || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return ""
	}
	return word
}

// malformed is an answer that cannot be used; the code says why.
func malformed(code string) error { return &providers.Error{Kind: providers.ErrMalformed, Code: code} }

// failed completes an error of the mapper.
func failed(op string, err error) error {
	return providers.Unmapped(Name, op, codeJSON, err)
}
