package providers

import "context"

// Migrator turns the credential of an OAuth 1.0 connection into a pair of
// OAuth 2.0 of the same account, where the service has a way to do that
// without the person.
type Migrator interface {
	// Migrate presents the token and the token secret in exactly one request.
	// The result has no TokenSecret, and the caller persists it before anyone
	// uses it. ErrReauth means that the service refused the token; an *Error
	// with Ambiguous set means that it may have made a pair without our knowing
	// it. A credential without a TokenSecret is ErrInvalid, without a request.
	Migrate(ctx context.Context, cred Credential) (Credential, error)
}
