package redis

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

// Options say how a store is opened.
type Options struct {
	// Redis says where the servers are and how to reach them. With MasterName
	// the addresses are those of Sentinels; with more than one address, or
	// IsClusterMode, they are nodes of a Cluster. MaxRetries is not used: the
	// store retries by itself. Timeouts, where they are 0: one second to
	// connect, five seconds for an answer.
	Redis goredis.UniversalOptions
	// Prefix is in front of all keys; "" is "vitalmux:". Stores with different
	// prefixes on one server know nothing of each other. It must not hold "{".
	Prefix string
	// AllowLossy opens a store on servers that may lose what they
	// acknowledged. It is for trying things out.
	AllowLossy bool
	// AssumeDurable states that the servers keep what they acknowledge, for
	// servers that do not permit CONFIG. It is not looked at where CONFIG is
	// permitted.
	AssumeDurable bool
	// Patience is how long a call waits for a server that starts, a failover
	// or a network that is broken; 0 is 15 seconds, negative is not at all.
	Patience time.Duration
}

// ParseURL returns the options of a URL: "redis://user:password@host:6379/0",
// "rediss://" for TLS, "unix://" for a socket. Further nodes of a Cluster are
// given as addr=host:port in its query. The error does not hold the URL.
func ParseURL(text string) (goredis.UniversalOptions, error) {
	u, err := url.Parse(text)
	if err != nil {
		return goredis.UniversalOptions{}, invalid("URL")
	}
	nodes := u.Query()["addr"]
	if len(nodes) > 0 {
		o, err := goredis.ParseClusterURL(text)
		if err != nil {
			return goredis.UniversalOptions{}, invalid("URL")
		}
		return goredis.UniversalOptions{
			Addrs: o.Addrs, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig, IsClusterMode: true,
		}, nil
	}
	o, err := goredis.ParseURL(text)
	if err != nil {
		return goredis.UniversalOptions{}, invalid("URL")
	}
	return goredis.UniversalOptions{
		Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
	}, nil
}

// Store is a [store.Store] on Redis.
type Store struct {
	client   goredis.UniversalClient
	cluster  *goredis.ClusterClient // nil unless it is one
	single   *goredis.Client        // nil if it is a Cluster
	prefix   string
	patience time.Duration
	packer   *packer
	scripts  *scripts
	secret   []byte // keys the names of scopes
	copies   int    // how many replicas must have a claim before its fact is written
	turns    [256]chan struct{}
	resolver resolver
	listing  listing

	mu     sync.RWMutex // read while a call runs
	closed bool
}

var _ store.Store = (*Store)(nil)

// schemaVersion is the version of the key layout.
const schemaVersion = 1

// oldest is the oldest Redis with all commands that are used.
const oldest = 6_02

// Open opens the store under the prefix, which may be empty. It returns
// [store.ErrUnsafe] with the name of the setting for servers that may lose what
// they acknowledged, [store.ErrSchema] for data of a newer version,
// [ErrForeign] for a prefix that is used by something else, and [ErrAuth],
// [ErrServer] or [ErrUnavailable] for servers that cannot be used. The context
// bounds the opening only.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{prefix: cmp.Or(o.Prefix, "vitalmux:"), patience: o.Patience, scripts: newScripts()}
	if strings.Contains(s.prefix, "{") {
		return nil, invalid("prefix")
	}
	switch {
	case s.patience == 0:
		s.patience = 15 * time.Second
	case s.patience < 0:
		s.patience = 0
	}
	var err error
	if s.packer, err = newPacker(); err != nil {
		return nil, err
	}
	for i := range s.turns {
		s.turns[i] = make(chan struct{}, 1)
	}
	s.connect(o.Redis)
	if err := s.prepare(ctx, &o); err != nil {
		s.packer.close()
		return nil, errors.Join(err, s.client.Close())
	}
	return s, nil
}

func (s *Store) connect(o goredis.UniversalOptions) {
	o.MaxRetries = -1
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	if o.DialTimeout == 0 {
		o.DialTimeout = time.Second
	}
	if o.DialerRetries == 0 {
		o.DialerRetries = 1
	}
	// The store finds out by itself when a connection is dead; notices of the
	// server about maintenance would need an agreement about addresses.
	o.ReadOnly, o.RouteByLatency, o.RouteRandomly = false, false, false
	switch {
	case o.MasterName != "":
		s.single = goredis.NewFailoverClient(o.Failover())
		s.client = s.single
	case o.IsClusterMode || len(o.Addrs) > 1:
		options := o.Cluster()
		// A dead master is noticed when a call fails; this is for masters
		// that moved without a failing call.
		options.ClusterStateReloadInterval = 2 * time.Second
		s.cluster = goredis.NewClusterClient(options)
		s.client = s.cluster
	default:
		s.single = goredis.NewClient(o.Simple())
		s.client = s.single
	}
}

// prepare looks at the servers and at what is stored under the prefix.
func (s *Store) prepare(ctx context.Context, o *Options) error {
	if err := s.retry(ctx, func() error { return s.inspect(ctx, o) }); err != nil {
		return err
	}
	return s.retry(ctx, func() error { return s.openSchema(ctx) })
}

// inspect checks all masters.
func (s *Store) inspect(ctx context.Context, o *Options) error {
	if s.cluster == nil {
		// Claims and facts go to the replicas in one order.
		_, err := inspectServer(ctx, s.single, o)
		return err
	}
	index, err := s.node(ctx, s.indexKey("meta"))
	if err != nil {
		return err
	}
	return s.cluster.ForEachMaster(ctx, func(ctx context.Context, c *goredis.Client) error {
		replicas, err := inspectServer(ctx, c, o)
		if c == index {
			s.copies = replicas
		}
		return err
	})
}

// inspectServer returns what min-replicas-to-write is, 0 if that is not asked for.
func inspectServer(ctx context.Context, c *goredis.Client, o *Options) (replicas int, err error) {
	info, err := c.Info(ctx, "server").Result()
	if err != nil {
		return 0, err
	}
	if version := infoField(info, "redis_version"); versionNumber(version) < oldest {
		return 0, fmt.Errorf("%w: version %s, 6.2 is needed", ErrServer, version)
	}
	replication, err := c.Info(ctx, "replication").Result()
	if err != nil {
		return 0, err
	}
	if infoField(replication, "role") == "slave" {
		return 0, &nameless{ErrUnavailable, "READONLY"}
	}
	if o.AllowLossy {
		return 0, nil
	}
	settings := map[string]string{}
	for _, name := range []string{"appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy", "min-replicas-to-write"} {
		found, err := c.ConfigGet(ctx, name).Result()
		if err != nil {
			if !forbidden(err) {
				return 0, err
			}
			if o.AssumeDurable {
				return 0, nil
			}
			return 0, fmt.Errorf("redis: %w: the server does not permit CONFIG GET; set AssumeDurable if it keeps what it acknowledges", store.ErrUnsafe)
		}
		settings[name] = found[name]
	}
	replicated := o.Redis.MasterName != "" || infoField(replication, "connected_slaves") != "0"
	if err := unsafeSetting(settings, replicated); err != nil {
		return 0, err
	}
	if replicas, err = strconv.Atoi(settings["min-replicas-to-write"]); err != nil {
		return 0, nil // and no replicas
	}
	return replicas, nil
}

// unsafeSetting names the setting by which a server may lose what it
// acknowledged.
func unsafeSetting(settings map[string]string, replicated bool) error {
	for _, rule := range []struct{ name, want, why string }{
		{"appendonly", "yes", "without the append-only file a restart loses data"},
		{"appendfsync", "always", "a crash loses what was not synced"},
		{"no-appendfsync-on-rewrite", "no", "a crash during a rewrite loses what was not synced"},
		{"maxmemory-policy", "noeviction", "the server may drop keys when its memory is full"},
	} {
		if got := settings[rule.name]; got != rule.want {
			return fmt.Errorf("redis: %w: %s is %q and must be %q: %s", store.ErrUnsafe, rule.name, got, rule.want, rule.why)
		}
	}
	if n, err := strconv.Atoi(settings["min-replicas-to-write"]); replicated && (err != nil || n < 1) {
		return fmt.Errorf("redis: %w: min-replicas-to-write is %q and must be at least 1: a failover loses what no replica has",
			store.ErrUnsafe, settings["min-replicas-to-write"])
	}
	return nil
}

// forbidden reports whether the server does not permit, or does not have, the
// command.
func forbidden(err error) bool {
	text := strings.ToLower(err.Error())
	return goredis.IsPermissionError(err) || strings.Contains(text, "unknown command") || strings.Contains(text, "not allowed")
}

func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && key == name {
			return value
		}
	}
	return ""
}

// versionNumber makes 702 of "7.2.4".
func versionNumber(text string) int {
	parts := strings.SplitN(text, ".", 3)
	if len(parts) < 2 {
		return 0
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return 0
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0
	}
	return 100*major + minor
}

// openSchema reads the version of the data and the secret, and writes them if
// the prefix is new.
func (s *Store) openSchema(ctx context.Context) error {
	node, err := s.node(ctx, s.indexKey("meta"))
	if err != nil {
		return err
	}
	var secret [32]byte
	rand.Read(secret[:])
	// HSETNX: of several processes that open a new prefix one gives the secret.
	// What counts is what is there in the end.
	meta := s.indexKey("meta")
	pipe := node.TxPipeline()
	pipe.HSetNX(ctx, meta, "schema", schemaVersion)
	pipe.HSetNX(ctx, meta, "secret", secret[:])
	var eraseKey [32]byte
	rand.Read(eraseKey[:])
	pipe.HSetNX(ctx, meta, eraseKeyField, eraseKey[:])
	found := pipe.HMGet(ctx, meta, "schema", "secret")
	kind := node.Type(ctx, meta)
	if err := kind.Err(); err != nil {
		return err
	}
	if kind.Val() != "none" && kind.Val() != "hash" {
		return fmt.Errorf("%w: %s", ErrForeign, meta)
	}
	if kind.Val() == "hash" {
		// Nothing is written into a hash that is not ours.
		schema, err := node.HGet(ctx, meta, "schema").Result()
		if errors.Is(err, goredis.Nil) {
			return fmt.Errorf("%w: %s", ErrForeign, meta)
		}
		if err != nil {
			return err
		}
		if err := checkSchema(schema, meta); err != nil {
			return err
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	values := found.Val()
	schema, _ := values[0].(string)
	text, _ := values[1].(string)
	if err := checkSchema(schema, meta); err != nil {
		return err
	}
	if len(text) != len(secret) {
		return fmt.Errorf("%w: %s", ErrForeign, meta)
	}
	s.secret = []byte(text)
	return nil
}

func checkSchema(text, meta string) error {
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < 1:
		return fmt.Errorf("%w: %s", ErrForeign, meta)
	case n > schemaVersion:
		return fmt.Errorf("redis: %w: the data has version %d, this package writes %d", store.ErrSchema, n, schemaVersion)
	}
	return nil
}

// Close implements [store.Store].
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.packer.close()
	return s.client.Close()
}

// begin enters the store: it returns why the call must not go on, or what ends
// the call.
func (s *Store) begin(ctx context.Context) (end func(), err error) {
	s.mu.RLock()
	if s.closed {
		err = store.ErrClosed
	} else {
		err = ctx.Err()
	}
	if err != nil {
		s.mu.RUnlock()
		return nil, err
	}
	return s.mu.RUnlock, nil
}
