package providers

import "github.com/vitalmux/vitalmux/health"

// Archiver maps answers of the service that were kept outside of the engine, for
// services whose data people have in files: an export, an archive from before
// the service ended.
type Archiver interface {
	// MapArchive maps the answers of one page of one stream. Page.Date is when
	// they are from, and Page.Zone the person's zone as far as it is known. It is
	// pure, needs no credential and follows the rules of Fetch for records: data
	// that a live connection read before has the same keys. Records come from an
	// import ([health.PathImport]). A datum that cannot be mapped is in
	// Page.Quarantined, a page that is none is ErrMalformed, and a stream that
	// the adapter does not have is ErrInvalid.
	MapArchive(page health.RawPage) (Page, error)
}
