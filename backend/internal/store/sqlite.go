package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"madoguchi.example/backend/internal/store/sqltx"
)

// walLimit is the size in bytes that the log is cut back to once it has been emptied.
const walLimit = 64 << 20

// connectSQLite opens the file with one writing connection and a pool of readers. The file
// and its folder are made when they are not there, for their owner alone.
func connectSQLite(ctx context.Context, path string) (*DB, error) {
	if path == "" || path == ":memory:" {
		return nil, errors.New("the store's dsn names no file: write sqlite:PATH")
	}
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	write, err := openSQLite(path, 1, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
			"trusted_schema(0)", "journal_size_limit(" + strconv.Itoa(walLimit) + ")"},
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
	return &DB{engine: SQLite, write: write, read: read}, nil
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

func createPrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func newReads(db *sql.DB, cfg Config) *sqltx.Pool { return sqltx.NewPool(db, cfg.ReadLimit) }
