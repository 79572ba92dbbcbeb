-- Times are integers: milliseconds since 1970. Records count their civil day
-- in days since 1970-01-01.

CREATE TABLE meta(
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID;

-- Users, connections and streams as integers. The numbers are never reused.
CREATE TABLE person(
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	name    TEXT NOT NULL UNIQUE,
	trimmed INTEGER NOT NULL DEFAULT 0 -- the last change dropped from the feed
);
CREATE INDEX person_trimmed ON person(trimmed) WHERE trimmed > 0;
CREATE TABLE link(
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	person INTEGER NOT NULL,
	name   TEXT NOT NULL UNIQUE
);
CREATE INDEX link_person ON link(person);
CREATE TABLE stream(
	id   INTEGER PRIMARY KEY AUTOINCREMENT,
	link INTEGER NOT NULL,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	UNIQUE(link, kind, name)
);

-- SQLite plans "column = ?" anew whenever the value becomes 0 or 1 or ceases to
-- be, so the numbers begin above.
INSERT INTO sqlite_sequence(name, seq) VALUES('person', 9), ('link', 9), ('stream', 9);

CREATE TABLE connection(
	id          TEXT PRIMARY KEY,
	user        TEXT NOT NULL,
	provider    TEXT NOT NULL,
	upstream    TEXT NOT NULL,
	state       TEXT NOT NULL,
	reason      TEXT NOT NULL,
	zone        TEXT NOT NULL,
	scopes      TEXT NOT NULL, -- JSON array
	predecessor TEXT NOT NULL,
	created     INTEGER,
	version     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX connection_user ON connection(user);
CREATE UNIQUE INDEX connection_upstream ON connection(provider, upstream) WHERE upstream <> '';

CREATE TABLE credential(
	connection TEXT PRIMARY KEY,
	consent    TEXT NOT NULL,
	generation INTEGER NOT NULL,
	print      TEXT NOT NULL,
	expires    INTEGER,
	fails      INTEGER NOT NULL,
	failing    INTEGER, -- since when
	next       INTEGER,
	doubts     INTEGER NOT NULL,
	refused    INTEGER,
	revision   INTEGER NOT NULL, -- of all writes of credentials, see meta
	attempt    BLOB, -- JSON
	siblings   BLOB, -- JSON
	previous   BLOB,
	sealed     BLOB
);

CREATE TABLE lease(
	connection TEXT NOT NULL,
	name       TEXT NOT NULL,
	owner      TEXT NOT NULL,
	fence      INTEGER NOT NULL,
	until      INTEGER NOT NULL,
	PRIMARY KEY(connection, name)
) WITHOUT ROWID;

CREATE TABLE flow(
	id       TEXT PRIMARY KEY,
	provider TEXT NOT NULL,
	user     TEXT NOT NULL,
	redirect TEXT NOT NULL,
	sealed   BLOB NOT NULL,
	expires  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX flow_expires ON flow(expires);

CREATE TABLE due(
	connection TEXT NOT NULL,
	task       TEXT NOT NULL,
	at         INTEGER NOT NULL,
	PRIMARY KEY(connection, task)
) WITHOUT ROWID;
CREATE INDEX due_at ON due(at);

CREATE TABLE cursor(
	connection TEXT NOT NULL,
	stream     TEXT NOT NULL,
	lane       TEXT NOT NULL,
	high       TEXT NOT NULL,
	walking    INTEGER NOT NULL, -- 1: the rest describes a walk under way
	query      TEXT NOT NULL,
	token      TEXT NOT NULL,
	candidate  TEXT NOT NULL,
	started    INTEGER,
	pages      INTEGER NOT NULL,
	PRIMARY KEY(connection, stream, lane)
) WITHOUT ROWID;

-- Merged windows: of civil days (days = 1, both inclusive) or of instants.
CREATE TABLE coverage(
	connection TEXT NOT NULL,
	stream     TEXT NOT NULL,
	days       INTEGER NOT NULL,
	first      INTEGER NOT NULL,
	last       INTEGER NOT NULL,
	PRIMARY KEY(connection, stream, days, first)
) WITHOUT ROWID;

-- One row per record; tombstones are rows. What is compared stands before the
-- payload, which is last.
--
-- A commit of few records would write a page of each index that no other commit
-- writes to. So its rows are young: their index is small, and its pages are
-- shared. From time to time they are settled, all at once. A query by stream
-- asks for young = 0 and for young = 1, in that form: there is no index
-- otherwise. A key is in one of both, which the plan of a commit sees to.
CREATE TABLE record(
	id      INTEGER PRIMARY KEY,
	young   INTEGER NOT NULL,
	stream  INTEGER NOT NULL,
	rid     TEXT NOT NULL,    -- the key behind "<stream>/"
	start   INTEGER NOT NULL, -- for ordering: instant, or wall clock if it floats
	length  INTEGER,          -- to the end; NULL without one
	offset  INTEGER,          -- seconds east of UTC at the start, where known
	day     INTEGER,
	ord     INTEGER NOT NULL,
	bits    INTEGER NOT NULL, -- see rowBits in the code and v_records
	hash    INTEGER NOT NULL,
	raw     INTEGER,          -- the raw answer it was mapped from, if kept
	shape   INTEGER NOT NULL, -- the names of vals; 0: vals is an object with names
	vals    TEXT NOT NULL,    -- JSON array of the scalar values
	rest    BLOB NOT NULL     -- packed: see tables dict and word
);
CREATE UNIQUE INDEX record_key ON record(stream, rid) WHERE young = 0;
CREATE INDEX record_start ON record(stream, start) WHERE young = 0;
CREATE UNIQUE INDEX record_young ON record(stream, rid) WHERE young = 1;

-- Lists of names of scalar values, as JSON arrays. A name is metric[.stat][@part].
CREATE TABLE shape(
	id    INTEGER PRIMARY KEY,
	names TEXT NOT NULL UNIQUE
);

-- Texts that the records of a connection have in common. 128 in the first byte
-- of a packed rest says that words were cut out: their count follows, and for
-- each how many bytes were kept since the one before, and its number.
CREATE TABLE word(
	link INTEGER NOT NULL,
	id   INTEGER NOT NULL,
	text TEXT NOT NULL,
	PRIMARY KEY(link, id)
) WITHOUT ROWID;

-- Dictionaries of the packed columns. A packed value begins with a byte that
-- names the codec: 0 as is, 1 s2, 2 s2 with the dictionary whose number is the
-- next byte, 3 zstd, 4 zstd with the dictionary that the frame names. Rows are
-- never changed or removed.
CREATE TABLE dict(
	id   INTEGER PRIMARY KEY,
	data BLOB NOT NULL
);

-- Who owns samples: a series of a link, and the session if they are of one.
CREATE TABLE series(
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	link     INTEGER NOT NULL,
	stream   TEXT NOT NULL,
	kind     TEXT NOT NULL, -- of the sessions, empty outside of sessions
	metric   TEXT NOT NULL,
	stat     INTEGER NOT NULL,
	part     TEXT NOT NULL,
	floating INTEGER NOT NULL,
	provider TEXT NOT NULL,
	path     TEXT NOT NULL,
	upstream TEXT NOT NULL,
	device   TEXT NOT NULL,
	app      TEXT NOT NULL,
	UNIQUE(link, metric, stream, kind, stat, part, floating, provider, path, upstream, device, app)
);
CREATE TABLE owner(
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	series INTEGER NOT NULL,
	rid    TEXT NOT NULL,    -- of the session, empty outside of sessions
	width  INTEGER NOT NULL, -- of its chunks, in milliseconds
	UNIQUE(rid, series)
);
CREATE INDEX owner_series ON owner(series);
-- The number of a chunk is owner << 32 | (start / width + 2^31).
CREATE TABLE chunk(
	id    INTEGER PRIMARY KEY,
	n     INTEGER NOT NULL,
	first INTEGER NOT NULL,
	last  INTEGER NOT NULL,
	data  BLOB NOT NULL
);

-- Raw answers, once per content.
CREATE TABLE raw(
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	link   INTEGER NOT NULL,
	stream TEXT NOT NULL,
	sha256 BLOB NOT NULL,
	date   INTEGER, -- when it was last seen, by the server's clock
	zone   TEXT NOT NULL,
	data   BLOB NOT NULL,
	UNIQUE(link, sha256)
);

-- Digests of pages as they were last committed.
CREATE TABLE page(
	link   INTEGER NOT NULL,
	stream TEXT NOT NULL,
	key    TEXT NOT NULL,
	digest INTEGER NOT NULL,
	PRIMARY KEY(link, stream, key)
) WITHOUT ROWID;

CREATE TABLE quarantine(
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	link   INTEGER NOT NULL,
	stream TEXT NOT NULL,
	key    TEXT NOT NULL,
	reason TEXT NOT NULL,
	sha256 BLOB NOT NULL,
	at     INTEGER,
	raw    BLOB NOT NULL,
	UNIQUE(link, stream, key, reason, sha256)
);

-- The change feed. A row stands for the records first..last. The last row is
-- never removed, only emptied, so that SQLite gives its number once. AUTOINCREMENT
-- would do that too, with one page more to write in each commit.
CREATE TABLE change(
	seq    INTEGER PRIMARY KEY,
	person INTEGER NOT NULL,
	link   INTEGER NOT NULL,
	at     INTEGER,
	cause  TEXT NOT NULL,
	state  INTEGER NOT NULL,
	first  INTEGER NOT NULL,
	last   INTEGER NOT NULL
);
-- Records that were deleted with their connection and that changes still name.
CREATE TABLE ghost(
	record INTEGER PRIMARY KEY,
	link   TEXT NOT NULL,
	kind   TEXT NOT NULL,
	key    TEXT NOT NULL,
	day    INTEGER
);
-- All changes up to floor are acknowledged.
CREATE TABLE consumer(
	name    TEXT PRIMARY KEY,
	floor   INTEGER NOT NULL,
	trimmed INTEGER NOT NULL -- 1: unacknowledged changes were dropped
) WITHOUT ROWID;
-- Beyond the floor, what is acknowledged of a person.
CREATE TABLE progress(
	consumer TEXT NOT NULL,
	person   INTEGER NOT NULL,
	seq      INTEGER NOT NULL,
	record   INTEGER NOT NULL, -- of the run seq, acknowledged up to this record
	PRIMARY KEY(consumer, person)
) WITHOUT ROWID;

CREATE TABLE delivery(
	num      INTEGER PRIMARY KEY AUTOINCREMENT,
	id       TEXT NOT NULL,
	name     INTEGER NOT NULL, -- 50 bits of the digest of the id
	rest     INTEGER NOT NULL, -- 48 more bits of it
	key_name INTEGER, -- those of the key, if there is one
	key_rest INTEGER,
	endpoint TEXT NOT NULL,
	subject  TEXT NOT NULL,
	received INTEGER,
	status   TEXT NOT NULL,
	reason   TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	next     INTEGER,
	meta     BLOB NOT NULL,
	body     BLOB NOT NULL
);
CREATE INDEX delivery_received ON delivery(received);
CREATE INDEX delivery_status ON delivery(status, received);
CREATE INDEX delivery_next ON delivery(status, coalesce(next, 0)) WHERE status <> 'new';
CREATE INDEX delivery_subject ON delivery(subject) WHERE subject <> '';
-- Ids and keys come in no order: almost each would write to a page of an index
-- that no other one writes to. So recent deliveries have none: a process that
-- writes keeps their names in memory, and reads them from table delivery when it
-- begins. From time to time all that there are are settled: their ids come here
-- and their keys to table delivered. meta says in deliveries_settled up to which
-- number they are.
CREATE TABLE delivery_id(
	name     INTEGER NOT NULL,
	rest     INTEGER NOT NULL,
	delivery INTEGER NOT NULL,
	PRIMARY KEY(name, rest)
) WITHOUT ROWID;
-- Names of deliveries that were here lately: ids of those that are gone, and
-- keys of those that are settled or gone.
CREATE TABLE delivered(
	name INTEGER NOT NULL, -- the week since 1970, and the 50 bits
	rest INTEGER NOT NULL, -- the 48 bits
	PRIMARY KEY(name, rest)
) WITHOUT ROWID; -- many rows put into one with a rowid have SQLite copy each page before, for an undo

CREATE TABLE inbox(
	id         TEXT NOT NULL,
	user       TEXT NOT NULL,
	connection TEXT NOT NULL,
	received   INTEGER,
	attempts   INTEGER NOT NULL,
	next       INTEGER,
	payload    BLOB NOT NULL,
	UNIQUE(id, user)
);
CREATE INDEX inbox_user ON inbox(user, received, id);
CREATE INDEX inbox_connection ON inbox(connection);

-- What is to be done at providers, also of users who were erased.
CREATE TABLE job(
	id       TEXT PRIMARY KEY,
	provider TEXT NOT NULL,
	kind     TEXT NOT NULL,
	sealed   BLOB,
	receipt  TEXT NOT NULL,
	created  INTEGER,
	attempts INTEGER NOT NULL,
	reason   TEXT NOT NULL,
	next     INTEGER
);
CREATE INDEX job_next ON job(coalesce(next, 0), id);
CREATE INDEX job_receipt ON job(receipt);

-- Small values of the engine, of one user or with an empty user of the store.
CREATE TABLE setting(
	name  TEXT NOT NULL,
	user  TEXT NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY(name, user)
) WITHOUT ROWID;
CREATE INDEX setting_user ON setting(user);

-- Keyed digests of the users that were erased.
CREATE TABLE erased(
	print BLOB PRIMARY KEY,
	at    INTEGER NOT NULL
) WITHOUT ROWID;
