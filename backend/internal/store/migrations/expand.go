package migrations

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing/fstest"
)

// tokens maps each token to its text on SQLite and on PostgreSQL.
var tokens = map[string]map[Dialect]string{
	"bytes":  {SQLite: "BLOB", Postgres: "BYTEA"},
	"int":    {SQLite: "INTEGER", Postgres: "BIGINT"},
	"bool":   {SQLite: "INTEGER", Postgres: "BOOLEAN"},
	"strict": {SQLite: "STRICT", Postgres: ""},
}

var token = regexp.MustCompile(`\{\{[a-z]*\}\}|\{\{`)

// Expand gives the .sql files of from with their tokens written out for d. An unknown token
// is an error that names the file and the token.
func Expand(from fs.FS, d Dialect) (fs.FS, error) {
	paths, err := fs.Glob(from, "*.sql")
	if err != nil {
		return nil, err
	}
	expanded := fstest.MapFS{}
	for _, path := range paths {
		text, err := fs.ReadFile(from, path)
		if err != nil {
			return nil, err
		}
		written, err := expand(string(text), d)
		if err != nil {
			return nil, fmt.Errorf("cannot use migration %s: %w", path, err)
		}
		expanded[path] = &fstest.MapFile{Data: []byte(written), Mode: 0o444}
	}
	return expanded, nil
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
