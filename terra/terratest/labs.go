package terratest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxLabFile is the longest file of a lab report, in bytes.
const maxLabFile = 20 << 20

// labReport is one report; the simulator reads one from each upload.
type labReport struct {
	LabReport
	file     []byte
	media    string
	uploaded time.Time
	updated  time.Time
	history  []object
	results  json.RawMessage
	deleted  bool
}

// LabReport is a lab report that a client uploaded.
type LabReport struct {
	SessionID, UploadID, ReferenceID string
	Name                             string // of the file
	Size                             int    // of the file, in bytes
	// Status is processing, sent or failed.
	Status string
}

// LabReports returns what was uploaded and not deleted, oldest first.
func (s *Server) LabReports() []LabReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []LabReport
	for _, l := range s.labs {
		if !l.deleted {
			list = append(list, l.LabReport)
		}
	}
	return list
}

// FinishLabReport ends the work on a report with these results, a JSON array, and sends lab_report.completed. Called
// again, the report was processed anew: the event has another event_id and the same session_id.
func (s *Server) FinishLabReport(sessionID string, results []byte) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lab(sessionID)
	if l == nil {
		panic("terratest: no lab report " + sessionID)
	}
	if l.results = bytes.Clone(results); len(results) == 0 {
		l.results = json.RawMessage("[]")
	}
	s.labStatus(l, "sent")
	return s.sendLab(l, "lab_report.completed", object{
		"session_id": l.SessionID, "reference_id": textOrNull(l.ReferenceID), "report_date": l.uploaded.UTC().Format(time.DateOnly),
		"results_count": l.count(), "panels": []object{}, "results": l.results,
	})
}

// FailLabReport ends the work on a report without results, and sends lab_report.failed.
func (s *Server) FailLabReport(sessionID, code, message string, retriable bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lab(sessionID)
	if l == nil {
		panic("terratest: no lab report " + sessionID)
	}
	s.labStatus(l, "failed")
	return s.sendLab(l, "lab_report.failed", object{
		"session_id": l.SessionID, "reference_id": textOrNull(l.ReferenceID),
		"error": object{"code": code, "message": message, "retriable": retriable},
	})
}

// sendLab emits an event about a report, which has no user. Both types are one for the filters of destinations.
func (s *Server) sendLab(l *labReport, kind string, data object) []string {
	return s.emit(emission{kind: "lab_report", reference: l.SessionID, body: object{
		"type": kind, "event_id": "evt_" + s.secret(8), "occurred_at": s.now().UTC().Format(time.RFC3339), "upload_id": l.UploadID, "data": data,
	}})
}

func (s *Server) labStatus(l *labReport, status string) {
	l.Status, l.updated = status, s.now()
	l.history = append(l.history, object{"status": status, "timestamp": l.updated.UTC().Format(time.RFC3339)})
}

// lab finds a report that was not deleted.
func (s *Server) lab(sessionID string) *labReport {
	for _, l := range s.labs {
		if l.SessionID == sessionID && !l.deleted {
			return l
		}
	}
	return nil
}

func (l *labReport) count() int {
	var list []json.RawMessage
	if json.Unmarshal(l.results, &list) != nil {
		return 0
	}
	return len(list)
}

func (l *labReport) summary() object {
	return object{
		"session_id": l.SessionID, "upload_id": l.UploadID, "reference_id": textOrNull(l.ReferenceID), "report_type": "lab", "current_status": l.Status,
		"report_date": l.uploaded.UTC().Format(time.DateOnly), "uploaded_at": l.uploaded.UTC().Format(time.RFC3339), "updated_at": l.updated.UTC().Format(time.RFC3339),
	}
}

func (s *Server) postLabReport(c *call) reply {
	name, file, refused := c.labFile()
	if refused != nil {
		return *refused
	}
	media := http.DetectContentType(file)
	switch {
	case len(file) > maxLabFile:
		p := refuse(http.StatusRequestEntityTooLarge, "file exceeds 20 MB")
		p.plain = true
		return p
	case !slices.Contains([]string{"application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp"}, media):
		return badRequest("unsupported file format")
	}
	l := &labReport{file: file, media: media, uploaded: c.now, results: json.RawMessage("[]"), LabReport: LabReport{
		SessionID: strconv.Itoa(297405620317847552 + len(s.labs)), UploadID: "upl_" + s.secret(4), ReferenceID: c.query.Get("reference_id"),
		Name: name, Size: len(file),
	}}
	s.labStatus(l, "processing")
	s.labs = append(s.labs, l)
	return reply{status: http.StatusAccepted, body: object{"upload_id": l.UploadID, "current_status": l.Status}}
}

// labFile reads the one file of a form, which is named file.
func (c *call) labFile() (name string, file []byte, refused *reply) {
	fail := func(detail string) (string, []byte, *reply) {
		p := badRequest(detail)
		return "", nil, &p
	}
	media, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" {
		return fail("multipart form data is required")
	}
	form := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for files := 0; ; files++ {
		part, err := form.NextPart()
		switch {
		case err == io.EOF && files == 1:
			return name, file, nil
		case err == io.EOF:
			return fail("missing file field")
		case err != nil:
			return fail("invalid request body")
		case part.FormName() != "file" || part.FileName() == "" || files == 1:
			return fail("one file field is required")
		}
		name = part.FileName()
		if file, err = io.ReadAll(part); err != nil {
			return fail("invalid request body")
		}
	}
}

func (s *Server) listLabReports(c *call) reply {
	bounds := map[string]string{}
	for _, name := range []string{"report_date_from", "report_date_to", "uploaded_at_from", "uploaded_at_to"} {
		text := c.query.Get(name)
		if _, err := time.Parse(time.DateOnly, text); err != nil && text != "" {
			return invalid(name)
		}
		bounds[name] = text
	}
	list := []object{}
	for _, l := range s.labs {
		day := l.uploaded.UTC().Format(time.DateOnly) // of the report, too
		fits := func(what string) bool {
			return day >= bounds[what+"_from"] && (bounds[what+"_to"] == "" || day <= bounds[what+"_to"])
		}
		is := func(name, value string) bool { return !c.query.Has(name) || c.query.Get(name) == value }
		if !l.deleted && is("reference_id", l.ReferenceID) && is("upload_id", l.UploadID) && fits("report_date") && fits("uploaded_at") && len(list) < 500 {
			list = append(list, l.summary())
		}
	}
	return ok(object{"sessions": list})
}

func (s *Server) labOf(c *call) (*labReport, *reply) {
	if l := s.lab(c.vars[0]); l != nil {
		return l, nil
	}
	p := notFound("lab report not found")
	return nil, &p
}

func (s *Server) getLabReport(c *call) reply {
	l, refused := s.labOf(c)
	if refused != nil {
		return *refused
	}
	body := l.summary()
	body["status_history"], body["file_count"], body["input_bytes"], body["results_count"] = l.history, 1, l.Size, l.count()
	body["results"], body["panels"] = l.results, []object{}
	return ok(body)
}

func (s *Server) deleteLabReport(c *call) reply {
	l, refused := s.labOf(c)
	if refused != nil {
		return *refused
	}
	l.deleted = true
	return reply{status: http.StatusNoContent}
}

func (s *Server) getLabDeliveries(c *call) reply {
	l, refused := s.labOf(c)
	if refused != nil {
		return *refused
	}
	list := []object{}
	for _, d := range s.deliveries {
		if d.Reference != l.SessionID {
			continue
		}
		status := map[DeliveryState]string{DeliveryAcknowledged: "delivered", DeliveryGivenUp: "failed", DeliveryDropped: "failed"}[d.State]
		if status == "" {
			status = "pending"
		}
		list = append(list, object{
			"destination_id": d.Destination, "destination_type": "webhook", "status": status, "attempt_count": max(0, len(d.Attempts)-1),
		})
	}
	return ok(object{"deliveries": list})
}

func (s *Server) getLabFiles(c *call) reply {
	l, refused := s.labOf(c)
	if refused != nil {
		return *refused
	}
	name := s.uuid() + l.Name[strings.LastIndex("."+l.Name, "."):]
	p := &payload{body: l.file, media: l.media, expires: c.now.Add(time.Hour), signed: s.secret(16)}
	s.payloads[name] = p
	return ok(object{
		"files": []object{{
			"filename": l.Name, "presigned_url": fmt.Sprintf("%s%s%s?X-Amz-Expires=3600&X-Amz-Signature=%s", s.baseURL, PayloadPath, name, p.signed),
		}},
		"expires_at": p.expires.UTC().Format(time.RFC3339),
	})
}
