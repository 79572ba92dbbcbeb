package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

var background = context.Background()

// Synchronous says what a commit waits for.
type Synchronous string

// The settings.
const (
	// SynchronousFull waits until the disk has the commit. It is the default.
	SynchronousFull Synchronous = "full"
	// SynchronousNormal does not wait: a crash of the machine may take back
	// the last commits, though never damage the file. A crash of the process
	// loses nothing.
	SynchronousNormal Synchronous = "normal"
)

// Options are the settings of [Open]. The zero value is the default.
type Options struct {
	// Synchronous is full unless set.
	Synchronous Synchronous
	// BusyTimeout is how long to wait for another process that writes, before
	// store.ErrBusy. 0 is 15 seconds, negative does not wait.
	BusyTimeout time.Duration
	// Readers is the most connections that read at the same time. 0 is the
	// number of CPUs, and at least 2. Open opens one, and calls that read at
	// the same time the others. Each keeps up to 16 MiB of the file in memory.
	Readers int
	// AnyMode allows a file that other users of the machine may read or
	// write, and a directory in which everybody may replace files. Without
	// it Open refuses them with ErrExposed.
	AnyMode bool
}

const (
	defaultBusyTimeout = 15 * time.Second
	pageSize           = 4096
	journalSizeLimit   = 64 << 20
	minLibrary         = 3_051_003 // 3.51.3
)

// Store is a [store.Store] in one SQLite file.
type Store struct {
	path   string
	dsn    string
	bridge *bridge
	packer *packer
	cache  *cache
	// vocabulary and cache differ in that shapes are never gone, and names may
	// be after another process's transaction.
	vocabulary *vocabulary
	writer     *writer
	readers    *readers
	arenas     sync.Pool    // of *arena
	pages      sync.Pool    // of *pageRoom
	rooms      sync.Pool    // of *pointsRoom
	planning   atomic.Int64 // commits being planned

	mu      sync.Mutex
	closed  bool
	calls   sync.WaitGroup
	closing error
	done    chan struct{} // closed when Close has finished
}

var _ store.Store = (*Store)(nil)

// Open opens the store in the file at path, creating the file with mode 0600
// or bringing its schema up to date as needed. Its directory must exist. Ctx
// bounds the opening only. A nil o is the default.
//
// A file with a newer schema is refused with [store.ErrSchema] and not touched.
func Open(ctx context.Context, path string, o *Options) (*Store, error) {
	if o == nil {
		o = &Options{}
	}
	s, err := open(ctx, path, *o)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, path string, o Options) (_ *Store, err error) {
	switch o.Synchronous {
	case "":
		o.Synchronous = SynchronousFull
	case SynchronousFull, SynchronousNormal:
	default:
		return nil, invalid("unknown Synchronous setting")
	}
	if o.BusyTimeout == 0 {
		o.BusyTimeout = defaultBusyTimeout
	}
	if o.Readers <= 0 {
		o.Readers = max(2, runtime.NumCPU())
	}
	if path == "" || strings.HasPrefix(path, ":memory:") || strings.HasPrefix(path, "file:") {
		return nil, invalid("path must name a file")
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	fresh, err := prepareFile(path, o.AnyMode)
	if err != nil {
		return nil, err
	}
	b, err := newBridge()
	if err != nil {
		return nil, err
	}
	uri := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
	busy := max(0, o.BusyTimeout.Milliseconds())
	s := &Store{
		path:       path,
		bridge:     b,
		cache:      newCache(),
		vocabulary: newVocabulary(),
		dsn: uri + "?_pragma=busy_timeout(" + strconv.FormatInt(busy, 10) + ")&_pragma=mmap_size(0)" +
			"&_pragma=temp_store(memory)&_pragma=cache_size(-16384)",
		done: make(chan struct{}),
	}
	s.readers = newReaders(o.Readers, s.openReader)
	s.arenas.New = func() any { return &arena{} }
	s.pages.New = func() any { return &pageRoom{} }
	s.rooms.New = func() any { return &pointsRoom{} }
	if !fresh {
		if err := s.probe(ctx); err != nil {
			return nil, err
		}
	}
	w, err := s.openWriter(ctx, o)
	if err != nil {
		return nil, err
	}
	opened := []*conn{w}
	defer func() {
		if err == nil {
			return
		}
		for _, c := range opened {
			err = errors.Join(err, b.close(c))
		}
	}()
	if s.packer, err = newPacker(ctx, w); err != nil {
		return nil, err
	}
	if err = w.wait(lockPoll); err != nil {
		return nil, err
	}
	cp, err := b.open(s.dsn + "&_pragma=synchronous(" + string(o.Synchronous) + ")&_pragma=wal_autocheckpoint(0)" + journalPragma())
	if err != nil {
		return nil, err
	}
	opened = append(opened, cp)
	if err = cp.wait(truncatePatience); err != nil {
		return nil, err
	}
	// Not the first call is to pay for it.
	if err = s.readers.fill(ctx); err != nil {
		return nil, err
	}
	s.writer = newWriter(s, w, newCheckpointer(cp), o.BusyTimeout)
	s.writer.start()
	return s, nil
}

func journalPragma() string {
	return "&_pragma=journal_size_limit(" + strconv.Itoa(journalSizeLimit) + ")"
}

// prepareFile creates the file if there is none and says whether it is empty.
// An existing file is looked at, never opened: closing it again would drop the
// locks that SQLite may hold on it in this process.
func prepareFile(path string, anyMode bool) (fresh bool, err error) {
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return false, fmt.Errorf("%w: directory: %w", ErrNotWritable, err)
	}
	if !dir.IsDir() {
		return false, fmt.Errorf("%w: parent is not a directory", ErrNotWritable)
	}
	posix := runtime.GOOS != "windows"
	if posix && dir.Mode().Perm()&0o222 == 0 {
		return false, fmt.Errorf("%w: read-only directory", ErrNotWritable)
	}
	if posix && !anyMode && dir.Mode().Perm()&0o002 != 0 && dir.Mode()&fs.ModeSticky == 0 {
		return false, fmt.Errorf("%w: directory writable by everybody", ErrExposed)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		switch {
		case err == nil:
			return true, f.Close()
		case !errors.Is(err, fs.ErrExist):
			return false, fmt.Errorf("%w: %w", ErrNotWritable, err)
		}
		info, err = os.Stat(path)
		if err != nil {
			return false, fmt.Errorf("%w: %w", ErrNotWritable, err)
		}
	} else if err != nil {
		return false, fmt.Errorf("%w: %w", ErrNotWritable, err)
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return false, fmt.Errorf("%w: not a regular file", ErrNotDatabase)
	case posix && mode.Perm()&0o222 == 0:
		return false, fmt.Errorf("%w: read-only file", ErrNotWritable)
	case posix && !anyMode && mode.Perm()&0o077 != 0:
		return false, fmt.Errorf("%w: mode %04o, want 0600", ErrExposed, mode.Perm())
	}
	return info.Size() == 0, nil
}

// probe looks at an existing file without writing to it.
func (s *Store) probe(ctx context.Context) error {
	c, err := s.bridge.open(s.dsn + "&mode=ro")
	if err != nil {
		return fmt.Errorf("look: %w", err)
	}
	_, err = c.schemaVersion(ctx)
	return errors.Join(err, s.bridge.close(c))
}

func (s *Store) openWriter(ctx context.Context, o Options) (_ *conn, err error) {
	// Where a page of an index was split, SQLite goes through all of its cache
	// after the commit: that of the writer is a small one.
	c, err := s.bridge.open(s.dsn + "&_pragma=synchronous(" + string(o.Synchronous) + ")" +
		"&_pragma=secure_delete(on)&_pragma=cache_size(-4096)&_pragma=wal_autocheckpoint(0)" + journalPragma())
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.bridge.close(c))
		}
	}()
	var library int
	if _, err := c.one(ctx, func(r row) { library = parseLibrary(r.text(0)) }, "SELECT sqlite_version()"); err != nil {
		return nil, err
	}
	if library < minLibrary {
		return nil, ErrLibrary
	}
	if err := c.enterWAL(ctx, o.BusyTimeout); err != nil {
		return nil, fmt.Errorf("journal mode: %w", err)
	}
	if err := migrate(ctx, c); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return c, nil
}

// enterWAL sets the page size of a new file and switches to WAL. SQLite does
// not wait for the lock of the switch, so that is done here: two processes may
// create the file at the same time.
func (c *conn) enterWAL(ctx context.Context, patience time.Duration) error {
	if err := c.script(ctx, "PRAGMA page_size="+strconv.Itoa(pageSize)); err != nil {
		return err
	}
	deadline := time.Now().Add(patience)
	for {
		mode := ""
		_, err := c.one(ctx, func(r row) { mode = r.text(0) }, "PRAGMA journal_mode=WAL")
		switch {
		case err == nil && mode == "wal":
			return nil
		case err == nil:
			return fmt.Errorf("%w: the file system allows no WAL", store.ErrUnsafe)
		case !errors.Is(err, store.ErrBusy) || time.Now().After(deadline):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// parseLibrary reads "3.51.3" as 3051003, 0 if it is not a version.
func parseLibrary(version string) int {
	n := 0
	parts := strings.SplitN(version, ".", 3)
	if len(parts) != 3 {
		return 0
	}
	for _, part := range parts {
		v, err := strconv.Atoi(part)
		if err != nil {
			return 0
		}
		n = n*1000 + v
	}
	return n
}

// enter admits a call; the returned function ends it.
func (s *Store) enter(ctx context.Context) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	s.calls.Add(1)
	return s.calls.Done, nil
}

func (s *Store) openReader() (*conn, error) {
	c, err := s.bridge.open(s.dsn)
	if err != nil {
		return nil, err
	}
	if err := c.script(background, "PRAGMA query_only=1"); err != nil {
		return nil, errors.Join(err, s.bridge.close(c))
	}
	return c, nil
}

// read is view for a call of the contract.
func (s *Store) read(ctx context.Context, fn func(*conn) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return s.view(ctx, fn)
}

// view calls fn with a connection in a read transaction: all that fn sees is of
// one moment. Should fn run no statement there is none.
func (s *Store) view(ctx context.Context, fn func(*conn) error) (err error) {
	c, err := s.readers.take(ctx)
	if err != nil {
		return err
	}
	c.lazy = true
	defer func() {
		if c.lazy {
			c.lazy = false
		} else if _, end := c.exec(background, "COMMIT"); end != nil {
			err = errors.Join(err, end, s.bridge.close(c))
			c = nil
		}
		s.readers.give(c)
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
	}()
	return fn(c)
}

// Close implements [store.Store]. It leaves one file: the log is emptied into
// the database. It may be called again.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.done
		return s.closing
	}
	s.closed = true
	s.mu.Unlock()
	s.calls.Wait()
	errs := []error{s.writer.stop()}
	for _, c := range s.readers.drain() {
		errs = append(errs, s.bridge.close(c))
	}
	errs = append(errs, s.writer.close())
	s.packer.close()
	s.closing = errors.Join(errs...)
	close(s.done)
	return s.closing
}

// Backup writes a copy of the store as it is now to a new file at path, with
// mode 0600 and without a log. Readers and writers go on meanwhile.
func (s *Store) Backup(ctx context.Context, path string) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("sqlite: backup: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("sqlite: backup: %w", err)
	}
	c, err := s.bridge.open(s.dsn)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, "VACUUM INTO ?1", path)
	if err = errors.Join(err, s.bridge.close(c)); err != nil {
		return fmt.Errorf("sqlite: backup: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}
