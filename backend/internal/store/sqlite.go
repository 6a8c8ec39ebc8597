package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"madoguchi.example/backend/internal/store/sqltx"
)

// walLimit is the size in bytes that the log is cut back to once it has been emptied.
const walLimit = 64 << 20

// connectSQLite opens the file with one writing connection and a pool of readers. The file
// and its folder are made when they are not there, for their owner alone.
func connectSQLite(ctx context.Context, path string) (*DB, error) {
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	write, err := openSQLite(path, 1, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
			"trusted_schema(0)", "secure_delete(1)", "journal_size_limit(" + strconv.Itoa(walLimit) + ")"},
	})
	if err != nil {
		return nil, err
	}
	if err := write.PingContext(ctx); err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("cannot open the file: %w", err)
	}
	read, err := openSQLite(path, max(4, runtime.NumCPU()), url.Values{
		"_pragma": {"busy_timeout(5000)", "query_only(1)", "trusted_schema(0)"},
	})
	if err != nil {
		_ = write.Close()
		return nil, err
	}
	file, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(err, write.Close(), read.Close())
	}
	return &DB{engine: SQLite, write: write, read: read, path: path, file: file}, nil
}

func openSQLite(path string, connections int, q url.Values) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// createPrivate makes the file when it is not there. A file that is there is not touched:
// closing it here would take away the locks that this process may hold on it.
func createPrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// lockSQLite keeps other processes from opening or migrating the same file until unlock is
// called: two that switch a new file to its log, or apply one migration, break each other.
// It waits for as long as they take.
func lockSQLite(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock the file: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func newReads(db *sql.DB, cfg Config) *sqltx.Pool { return sqltx.NewPool(db, cfg.ReadLimit) }
