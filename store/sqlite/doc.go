// Package sqlite is the [store.Store] that keeps everything in one SQLite file.
// Import it as sqlitestore.
//
// It runs on modernc.org/sqlite, which needs no C compiler. The file is in WAL
// mode with synchronous=FULL: what a method acknowledges survives a crash of
// the process and of the machine. All writes go through one goroutine that
// commits whatever waits in one transaction, so that many small commits share
// one fsync. A commit is compared with what is stored before it takes the write
// lock; what does not differ is not written.
//
// The file is readable by any SQL tool through its views, whose columns are
// described in the schema folder: v_records, v_values, v_daily, v_daily_values,
// v_sleep, v_activity, v_body, v_changes and v_connections. Tables may change
// with a release; views keep their columns. The scalar values of a record are
// JSON in clear, to which the views add the names, kept once per list of names;
// the rest of it, raw answers and dense samples are packed. Read a live file
// with a command line of SQLite 3.51.3 or later only, since earlier ones have a
// defect that can corrupt a WAL file; else read a copy made by [Store.Backup].
//
// # Errors
//
// Open returns errors that wrap [ErrNotDatabase], [ErrForeign],
// [ErrNotWritable], [ErrExposed], [ErrLibrary], [store.ErrSchema],
// [store.ErrBusy], [store.ErrInvalid] or, on a file system without the shared
// memory that WAL needs, [store.ErrUnsafe]. The methods return the sentinels of
// package store, the context's error, or an error of SQLite. No error holds a
// payload or a health value.
//
// # Concurrency
//
// A Store is safe for concurrent use. Several processes may open the same file
// on a local disk; a network file system does not provide the locks that this
// needs. A process that opens and closes the file by other means than SQLite
// drops the locks. A context that ends before a write is handed to the writer
// leaves the file as it is; later the write runs to its end.
//
// # Limits
//
// Bookkeeping times are kept to the millisecond. A person's feed, and every
// list, is read in pages; no transaction is held while the caller's code runs.
// The clock of leases is that of the process. Up to 16 MiB of packed samples, the
// latest of each series, are kept in memory; after another process erased a user
// they are dropped with the next write. To erase a user, or a connection
// with its data, all of the file is read, for which other writes wait: a few
// seconds for each gigabyte.
package sqlite
