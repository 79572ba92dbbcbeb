package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

// The sentinels of this package, besides those of package store.
var (
	// ErrUnavailable: no server answered in time, or none that may be written
	// to: it starts, it is a replica, the Cluster is not complete, too few
	// replicas follow, or its disk takes nothing. Also after a pause of an hour
	// within PutDelivery or Assign.
	ErrUnavailable = errors.New("redis: unavailable")
	// ErrAuth: the server refused the name or password, or does not permit a
	// command to the user.
	ErrAuth = errors.New("redis: not permitted")
	// ErrMemory: the server is at its maxmemory and refuses writes.
	ErrMemory = errors.New("redis: out of memory")
	// ErrForeign: a key under the prefix is not one of this package.
	ErrForeign = errors.New("redis: foreign key under the prefix")
	// ErrDamaged: a stored value is not one that this package wrote, or is gone.
	ErrDamaged = errors.New("redis: stored value is damaged")
	// ErrServer: the server is older than 6.2.
	ErrServer = errors.New("redis: server too old")
)

// nameless is an error that has this package's kind and the server's code, and
// not the server's words: they may hold arguments of the command.
type nameless struct {
	kind error
	code string
}

func (e *nameless) Error() string { return e.kind.Error() + ": " + e.code }
func (e *nameless) Unwrap() error { return e.kind }

// reason returns what a server said. Before 7.0 an error within a script begins
// with the place in the script.
func reason(err error) string {
	text := err.Error()
	if strings.HasPrefix(text, "ERR Error running script") {
		if i := strings.LastIndex(text, ": -"); i >= 0 {
			return text[i+len(": -"):]
		}
	}
	return text
}

// code returns the first word of a server's error.
func code(err error) string {
	word, _, _ := strings.Cut(reason(err), " ")
	if word == "" || strings.ToUpper(word) != word {
		return "ERR"
	}
	return word
}

// translate gives an error of the client its class. Errors that have one, and
// those of contexts, stay.
func translate(err error) error {
	var server goredis.Error
	switch {
	case err == nil, ours(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case goredis.IsAuthError(err), goredis.IsPermissionError(err), strings.Contains(err.Error(), "can't run this command"):
		return &nameless{ErrAuth, code(err)}
	case outOfMemory(err):
		return &nameless{ErrMemory, "OOM"}
	case goredis.HasErrorPrefix(err, "WRONGTYPE"), strings.Contains(err.Error(), "WRONGTYPE"):
		return &nameless{ErrForeign, "WRONGTYPE"}
	case passing(err):
		return &nameless{ErrUnavailable, unavailableCode(err)}
	case strings.HasPrefix(reason(err), "BODYGONE"):
		return &nameless{ErrUnavailable, "BODYGONE"}
	case errors.As(err, &server):
		return fmt.Errorf("redis: the server answered %s", code(err))
	}
	return err
}

func outOfMemory(err error) bool {
	return err != nil && (goredis.IsOOMError(err) || strings.Contains(err.Error(), "OOM command not allowed"))
}

func unavailableCode(err error) string {
	var server goredis.Error
	if errors.As(err, &server) {
		return code(err)
	}
	return "no answer"
}

// ours reports whether the error has a class already.
func ours(err error) bool {
	for _, known := range []error{
		store.ErrNotFound, store.ErrConflict, store.ErrLeaseHeld, store.ErrLeaseLost, store.ErrFeedTrimmed, store.ErrErased, store.ErrClosed,
		store.ErrSchema, store.ErrBusy, store.ErrInvalid, store.ErrUnsafe, ErrUnavailable, ErrAuth, ErrMemory, ErrForeign, ErrServer, ErrDamaged,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// passing reports whether an error is one that goes away by itself: a server
// that starts, a failover, a network that breaks.
func passing(err error) bool {
	text := reason(err)
	for _, prefix := range []string{
		"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "MISCONF", "MOVED", "ASK", "BUSY ", "UNBLOCKED", "EXECABORT", "NOSCRIPT",
	} {
		if strings.HasPrefix(text, prefix) || goredis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	if strings.Contains(text, "attempted to access a non local key") {
		return true // a script, while its slot moves to another node
	}
	if _, moved := goredis.IsMovedError(err); moved {
		return true
	}
	if _, ask := goredis.IsAskError(err); ask {
		return true
	}
	if goredis.IsMaxClientsError(err) || errors.Is(err, goredis.ErrPoolTimeout) || errors.Is(err, goredis.ErrPoolExhausted) {
		return true
	}
	var server goredis.Error
	if errors.As(err, &server) {
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		slices.ContainsFunc([]string{
			"redis: Conn is in a bad state", "redis: all sentinels specified", "redis: cluster has no nodes",
		}, func(text string) bool { return strings.HasPrefix(err.Error(), text) })
}

func invalid(what string) error { return fmt.Errorf("redis: %w: %s", store.ErrInvalid, what) }
