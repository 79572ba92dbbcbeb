package sync

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// tokens is what is sealed into a store.Credential.
type tokens struct {
	UpstreamID  string    `json:"upstream_id,omitempty"`
	Access      string    `json:"access"`
	Refresh     string    `json:"refresh,omitempty"`
	TokenSecret string    `json:"token_secret,omitempty"`
	IssuedAt    time.Time `json:"issued_at"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	Scopes      []string  `json:"scopes,omitempty"`
}

// newGrant seals the credential of a new consent.
func (e *Engine) newGrant(ctx context.Context, conn store.Connection, cred providers.Credential) (store.Credential, error) {
	c := store.Credential{Connection: conn.ID, Grant: randomID(), Generation: 1}
	return e.sealInto(ctx, conn, c, cred)
}

// sealInto returns c with the token pair of cred.
func (e *Engine) sealInto(ctx context.Context, conn store.Connection, c store.Credential, cred providers.Credential) (store.Credential, error) {
	text, err := json.Marshal(tokens{
		UpstreamID: cred.UpstreamID, Access: cred.Access.Reveal(), Refresh: cred.Refresh.Reveal(),
		TokenSecret: cred.TokenSecret.Reveal(), IssuedAt: now().UTC(), ExpiresAt: cred.ExpiresAt.UTC(), Scopes: cred.Scopes,
	})
	if err != nil {
		return c, fmt.Errorf("sync: encode credential of connection %s", conn.ID)
	}
	sealed, err := e.cfg.Sealer.Seal(ctx, e.credentialPlace(conn, c.Grant), text)
	if err != nil {
		return c, fmt.Errorf("sync: seal credential of connection %s: %w", conn.ID, err)
	}
	c.Sealed, c.RefreshPrint, c.ExpiresAt = sealed, e.refreshPrint(c.Grant, cred.Refresh), cred.ExpiresAt
	return c, nil
}

// openCredential is the inverse of sealInto. The second result is when the
// pair should be refreshed.
func (e *Engine) openCredential(ctx context.Context, conn store.Connection, c store.Credential) (providers.Credential, time.Time, error) {
	t, err := e.openTokens(ctx, conn, c)
	if err != nil {
		return providers.Credential{}, time.Time{}, err
	}
	return t.credential(conn), refreshTime(conn.ID, t), nil
}

func (e *Engine) openTokens(ctx context.Context, conn store.Connection, c store.Credential) (t tokens, err error) {
	text, err := e.cfg.Sealer.Open(ctx, e.credentialPlace(conn, c.Grant), c.Sealed)
	if err != nil {
		return t, fmt.Errorf("sync: open credential of connection %s: %w", conn.ID, err)
	}
	if json.Unmarshal(text, &t) != nil {
		return t, fmt.Errorf("sync: credential of connection %s: %w", conn.ID, ErrSealed)
	}
	return t, nil
}

// credential returns the pair as adapters take it.
func (t tokens) credential(conn store.Connection) providers.Credential {
	cred := providers.Credential{
		UpstreamID: t.UpstreamID, Access: providers.NewSecret(t.Access), Refresh: providers.NewSecret(t.Refresh),
		TokenSecret: providers.NewSecret(t.TokenSecret), ExpiresAt: t.ExpiresAt, Scopes: t.Scopes,
	}
	if conn.UpstreamID != "" {
		cred.UpstreamID = conn.UpstreamID // the service may have given the account another id since
	}
	return cred
}

// credentialPlace binds a sealed credential to where it belongs.
func (e *Engine) credentialPlace(conn store.Connection, grant string) []byte {
	return e.place("credential", conn.Provider, conn.User, conn.ID, grant)
}

// refreshPrint identifies a refresh token to those who have the store's key of
// fingerprints, and tells nobody else anything.
func (e *Engine) refreshPrint(grant string, refresh providers.Secret) string {
	mac := hmac.New(sha256.New, e.prints)
	_, _ = mac.Write(associated("vitalmux refresh token v1", grant, refresh.Reveal()))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// refreshTime returns when a pair should be refreshed: five minutes or a tenth
// of its life before it ends, whichever is more but never more than half, and
// a little earlier for some connections than for others.
func refreshTime(connection string, t tokens) time.Time {
	if t.ExpiresAt.IsZero() || t.Refresh == "" {
		return time.Time{}
	}
	life := t.ExpiresAt.Sub(t.IssuedAt)
	if life <= 0 {
		return time.Time{} // no plan can be made of that: the service will tell
	}
	skew := min(max(5*time.Minute, life/10), life/2)
	h := fnv.New32a()
	_, _ = h.Write([]byte(connection))
	return t.ExpiresAt.Add(-skew - skew/4*time.Duration(h.Sum32()%100)/100)
}

// refusedPause is how old a pair is at least that is replaced because its access
// token is refused, where a new one was refused as well. A clock that was ahead
// once holds nothing up.
const refusedPause = 15 * time.Minute

// randomID returns 128 random bits as text.
func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// ensureCredential has the session hold a credential that is good for now.
func (s *session) ensureCredential(ctx context.Context) error {
	if s.generation == 0 {
		c, err := s.cfg.Store.Credential(ctx, s.conn.ID)
		if err != nil {
			return err
		}
		if err := s.adopt(ctx, c); err != nil {
			return err
		}
	}
	if s.refreshAt.IsZero() || now().Before(s.refreshAt) {
		return nil
	}
	// Services count requests for tokens as well.
	done, err := s.spend(ctx, providers.Stream{Name: "refresh"}, store.LaneReconcile)
	if err != nil {
		return err
	}
	c, err := s.refreshCredential(ctx, false)
	done(1)
	if err == nil || ctx.Err() != nil || final(err) {
		return err
	}
	// The pair at hand may still do: its access token has not ended, or it is
	// time to see whether the service takes it all the same.
	at := now()
	if !at.Before(s.cred.ExpiresAt) && !hopeless(c, at) {
		return err
	}
	s.cfg.Logger.WarnContext(ctx, "going on without a refresh", "connection", s.conn.ID, "err", err)
	s.refreshAt = retryAt(err, at, time.Minute)
	return nil
}

// replaceCredential has the session hold another credential than the one that
// was refused with the failure, which is returned if there is none: the one
// that somebody stored in the meantime, or a new one if only the access token
// has ended. In the background a pair has to be of some age before another one is
// asked for, where the service refuses new access tokens as well.
func (s *session) replaceCredential(ctx context.Context, failure error) error {
	if refused, ok := errors.AsType[*providers.Error](failure); ok && refused.ExpiredAccess {
		age := now().Sub(s.issuedAt)
		if s.background && s.conn.Reason == reasonAccess && age >= 0 && age < refusedPause {
			return failure
		}
		_, err := s.refreshCredential(ctx, true)
		return err
	}
	c, err := s.cfg.Store.Credential(ctx, s.conn.ID)
	if err != nil || !supersedes(c, s.grant, s.generation) {
		return errors.Join(failure, err)
	}
	return s.adopt(ctx, c)
}

// supersedes reports whether c is of a new consent or a later generation.
func supersedes(c store.Credential, grant string, generation int64) bool {
	return c.Grant != grant || c.Generation > generation
}

func (s *session) adopt(ctx context.Context, c store.Credential) error {
	t, err := s.openTokens(ctx, s.conn, c)
	if err != nil {
		return err
	}
	s.cred, s.grant, s.generation = t.credential(s.conn), c.Grant, c.Generation
	s.issuedAt, s.refreshAt = t.IssuedAt, refreshTime(s.conn.ID, t)
	s.leftovers = len(c.Previous) > 0 || len(c.Siblings) > 0
	if t.Scopes != nil {
		s.conn.Scopes = t.Scopes
	}
	return nil
}

// proved is called when the service took the access token: what was kept in
// case it would not is erased.
func (s *session) proved(ctx context.Context) {
	if !s.leftovers {
		return
	}
	s.leftovers = false
	c, err := s.cfg.Store.Credential(ctx, s.conn.ID)
	if err == nil && c.Grant == s.grant && c.Generation == s.generation {
		c.Previous = nil
		// Pairs that may have come for the refresh token at hand are not
		// settled by its access token.
		c.Siblings = slices.DeleteFunc(c.Siblings, func(other store.Sibling) bool { return other.ParentPrint != c.RefreshPrint })
		err = s.cfg.Store.UpdateCredential(ctx, c)
	}
	if err != nil && !errors.Is(err, store.ErrConflict) {
		s.cfg.Logger.WarnContext(ctx, "old pairs not erased", "connection", s.conn.ID, "err", err)
	}
}

// refreshCredential has the session hold a newer credential than the one at
// hand. Refused says that the service did not take the access token. With an
// error it returns the credential as it is stored, as far as it is known.
func (s *session) refreshCredential(ctx context.Context, refused bool) (store.Credential, error) {
	failpoint.Hit("after_trigger")
	c, err := s.sharedRefresh(s.caller, refreshing{conn: s.conn, grant: s.grant, generation: s.generation, refused: refused})
	if err != nil {
		return c, err
	}
	s.fresh = true
	return c, s.adopt(ctx, c)
}
