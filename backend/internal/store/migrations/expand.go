package migrations

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// tokens maps each token to its text on SQLite and on PostgreSQL.
var tokens = map[string]map[Dialect]string{
	"bytes":  {SQLite: "BLOB", Postgres: "BYTEA"},
	"int":    {SQLite: "INTEGER", Postgres: "BIGINT"},
	"bool":   {SQLite: "INTEGER", Postgres: "BOOLEAN"},
	"strict": {SQLite: "STRICT", Postgres: ""},
}

var token = regexp.MustCompile(`\{\{[a-z]*\}\}|\{\{`)

// Expand gives from with the tokens of its .sql files written out for d. An unknown token
// is an error that names the file and the token.
func Expand(from fs.FS, d Dialect) (fs.FS, error) {
	e := expanded{from: from, dialect: d}
	paths, err := fs.Glob(from, "*.sql")
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		if _, err := fs.ReadFile(e, p); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// expanded is a file system that writes tokens out while it reads.
type expanded struct {
	from    fs.FS
	dialect Dialect
}

// Open implements fs.FS.
func (e expanded) Open(name string) (fs.File, error) {
	if path.Ext(name) != ".sql" {
		return e.from.Open(name)
	}
	text, err := fs.ReadFile(e.from, name)
	if err != nil {
		return nil, err
	}
	written, err := expand(string(text), e.dialect)
	if err != nil {
		return nil, fmt.Errorf("cannot use migration %s: %w", name, err)
	}
	info, err := fs.Stat(e.from, name)
	if err != nil {
		return nil, err
	}
	return &file{Reader: strings.NewReader(written), info: sized{FileInfo: info, size: int64(len(written))}}, nil
}

func expand(text string, d Dialect) (string, error) {
	var unknown error
	written := token.ReplaceAllStringFunc(text, func(found string) string {
		word, ok := tokens[strings.Trim(found, "{}")][d]
		if !ok && unknown == nil {
			unknown = fmt.Errorf("unknown token %s", found)
		}
		return word
	})
	return written, unknown
}

// file is one expanded file.
type file struct {
	*strings.Reader
	info fs.FileInfo
}

// Stat implements fs.File.
func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements fs.File.
func (f *file) Close() error { return nil }

type sized struct {
	fs.FileInfo
	size int64
}

// Size is that of the expanded text.
func (s sized) Size() int64 { return s.size }
