package terra

import (
	"bytes"
	"context"
	"errors"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// The calls of this file are of a product of its own, which reads files of
// laboratories: Terra, "Lab Reports: API Reference". An account without it gets
// ErrForbidden. Terra calls it pre-release; its documentation and its agent skills
// differ about the answer to an upload and about the calls for files and
// deliveries, which an account may not have: those are then ErrNotFound.

// MaxLabFile is the longest file that the service takes, in bytes.
const MaxLabFile = 20 << 20

// LabUpload is a file to be read.
type LabUpload struct {
	// Name of the file, such as "report.pdf". Required.
	Name string
	// File is the content, up to [MaxLabFile]: PDF, PNG, JPEG, GIF or WebP.
	// Required.
	File []byte
	// ReferenceID is your own id of the person or the report. It comes back with
	// each report.
	ReferenceID string
}

// LabUploaded is an upload that was taken. Its reports are told by lab_report
// events, and listed by [Client.LabReports], after 30 seconds to 3 minutes.
type LabUploaded struct {
	// UploadID names the upload, SessionID its one report. A service that reads
	// several reports from a file answers with the former, else with the latter.
	UploadID  string `json:"upload_id"`
	SessionID string `json:"session_id"`
	// CurrentStatus is "processing".
	CurrentStatus string `json:"current_status"`
}

// UploadLabReport sends a file to be read. It is not repeated when it fails. A
// file that is too long for the service has the code [CodeFileTooLarge].
func (c *Client) UploadLabReport(ctx context.Context, u LabUpload) (LabUploaded, error) {
	const op = "upload lab report"
	switch {
	case u.Name == "" || len(u.File) == 0:
		return LabUploaded{}, invalid(op, "a file with a name is required")
	case len(u.File) > MaxLabFile:
		return LabUploaded{}, fileTooLarge(op)
	}
	form, media, err := labForm(u)
	if err != nil {
		return LabUploaded{}, invalid(op, "the file cannot be written as a form")
	}
	k := call{op: op, method: http.MethodPost, path: "lab-reports", query: url.Values{}, form: form, formType: media, once: true}
	if u.ReferenceID != "" {
		k.query.Set("reference_id", u.ReferenceID)
	}
	var w struct {
		trouble
		LabUploaded
	}
	_, err = c.do(ctx, k, func(r *httpx.Response) error {
		return c.readResult(op, r, &w, &w.trouble, func() bool { return w.UploadID != "" || w.SessionID != "" })
	})
	if e, ok := errors.AsType[*providers.Error](err); ok && e.Status == http.StatusRequestEntityTooLarge {
		return LabUploaded{}, fileTooLarge(op)
	}
	if err != nil {
		return LabUploaded{}, err
	}
	return w.LabUploaded, nil
}

// fileTooLarge is a file that the service does not take.
func fileTooLarge(op string) error {
	e := invalid(op, "the service takes files of up to 20 MB")
	e.Code = CodeFileTooLarge
	return e
}

// labForm writes an upload as multipart/form-data: the one file is named "file".
func labForm(u LabUpload) (body []byte, media string, err error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition("file", u.Name)},
		"Content-Type":        {http.DetectContentType(u.File)},
	})
	if err == nil {
		_, err = part.Write(u.File)
	}
	if err == nil {
		err = form.Close()
	}
	return b.Bytes(), form.FormDataContentType(), err
}

// LabReportsRequest says which reports to list; the zero value is all of them.
type LabReportsRequest struct {
	ReferenceID, UploadID string
	// The days bound the date of the report, and the day of the upload. All are
	// inclusive; zero does not bound.
	ReportedFrom, ReportedTo health.Day
	UploadedFrom, UploadedTo health.Day
	// Extra are more parameters of the query.
	Extra url.Values
}

// LabReports lists reports. The service lists at most 500: bound the days. Right
// after an upload the list may not have its reports yet.
func (c *Client) LabReports(ctx context.Context, r LabReportsRequest) ([]LabReport, error) {
	const op = "lab reports"
	q := url.Values{}
	for name, value := range map[string]string{"reference_id": r.ReferenceID, "upload_id": r.UploadID} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, day := range map[string]health.Day{
		"report_date_from": r.ReportedFrom, "report_date_to": r.ReportedTo, "uploaded_at_from": r.UploadedFrom, "uploaded_at_to": r.UploadedTo,
	} {
		if !day.IsZero() {
			q.Set(name, day.String())
		}
	}
	if err := addExtra(op, q, r.Extra); err != nil {
		return nil, err
	}
	var list []LabReport
	_, err := c.do(ctx, call{op: op, path: "lab-reports", query: q}, func(r *httpx.Response) error {
		var w struct {
			trouble
			Sessions *[]LabReport `json:"sessions"`
		}
		err := c.readResult(op, r, &w, &w.trouble, func() bool { return w.Sessions != nil })
		if err == nil {
			list = *w.Sessions
		}
		return err
	})
	return list, err
}

// LabReport returns one report.
func (c *Client) LabReport(ctx context.Context, sessionID string) (LabReport, error) {
	const op = "lab report"
	k, err := labCall(op, sessionID, "")
	if err != nil {
		return LabReport{}, err
	}
	var report LabReport
	_, err = c.do(ctx, k, func(r *httpx.Response) error {
		report = LabReport{}
		return c.readOne(op, r, &report, func() bool { return report.SessionID != "" })
	})
	if err != nil {
		return LabReport{}, err
	}
	return report, nil
}

// DeleteLabReport deletes a report; Terra removes its files later.
func (c *Client) DeleteLabReport(ctx context.Context, sessionID string) error {
	const op = "delete lab report"
	k, err := labCall(op, sessionID, "")
	if err != nil {
		return err
	}
	k.method, k.removes = http.MethodDelete, true
	_, err = c.do(ctx, k, c.noBody(op))
	return err
}

// LabDelivery is how the events about a report fared at one destination.
type LabDelivery struct {
	DestinationID   string `json:"destination_id"`
	DestinationType string `json:"destination_type"` // "webhook", "s3", ...
	Status          string `json:"status"`           // "pending", "delivered" or "failed"
	// AttemptCount is how often it was tried again.
	AttemptCount Number `json:"attempt_count"`
	LastError    string `json:"last_error"`
}

// LabReportDeliveries returns how the events about a report fared.
func (c *Client) LabReportDeliveries(ctx context.Context, sessionID string) ([]LabDelivery, error) {
	const op = "lab report deliveries"
	k, err := labCall(op, sessionID, "/deliveries")
	if err != nil {
		return nil, err
	}
	var list []LabDelivery
	_, err = c.do(ctx, k, func(r *httpx.Response) error {
		var w struct {
			trouble
			Deliveries *[]LabDelivery `json:"deliveries"`
		}
		err := c.readResult(op, r, &w, &w.trouble, func() bool { return w.Deliveries != nil })
		if err == nil {
			list = *w.Deliveries
		}
		return err
	})
	return list, err
}

// LabFile is a file of a report.
type LabFile struct {
	Name string
	// Address is where the file can be read until LabFiles.ExpiresAt, by whoever
	// has it.
	Address providers.Secret
}

// LabFiles are the files of a report.
type LabFiles struct {
	Files []LabFile
	// Thumbnail is a picture of the report; zero if there is none.
	Thumbnail LabFile
	// ExpiresAt is when the addresses end. Call again for new ones.
	ExpiresAt Timestamp
}

// LabReportFiles returns where the files of a report can be read.
func (c *Client) LabReportFiles(ctx context.Context, sessionID string) (LabFiles, error) {
	const op = "lab report files"
	k, err := labCall(op, sessionID, "/files")
	if err != nil {
		return LabFiles{}, err
	}
	type file struct {
		Filename     string `json:"filename"`
		PresignedURL string `json:"presigned_url"`
	}
	var files LabFiles
	_, err = c.do(ctx, k, func(r *httpx.Response) error {
		var w struct {
			trouble
			Files     *[]file   `json:"files"`
			Thumbnail file      `json:"thumbnail"`
			ExpiresAt Timestamp `json:"expires_at"`
		}
		if err := c.readResult(op, r, &w, &w.trouble, func() bool { return w.Files != nil }); err != nil {
			return err
		}
		files = LabFiles{ExpiresAt: w.ExpiresAt}
		if w.Thumbnail.PresignedURL != "" {
			files.Thumbnail = LabFile{w.Thumbnail.Filename, providers.NewSecret(w.Thumbnail.PresignedURL)}
		}
		for _, f := range *w.Files {
			files.Files = append(files.Files, LabFile{f.Filename, providers.NewSecret(f.PresignedURL)})
		}
		return nil
	})
	return files, err
}

func labCall(op, sessionID, part string) (call, error) {
	if !pathPart(sessionID) {
		return call{}, invalid(op, "a session id is required")
	}
	return call{op: op, path: "lab-reports/" + url.PathEscape(sessionID) + part}, nil
}
