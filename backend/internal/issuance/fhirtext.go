package issuance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"madoguchi.example/backend/internal/importing"
)

// bundleReader pulls JSON: entry by entry, so that a large bundle is never a tree in memory.
type bundleReader struct {
	text []byte
	d    *json.Decoder
	line int   // at offset
	at   int64 // offset of line
}

var (
	errJSON  = errors.New("not JSON")
	errTwice = errors.New("a member is named twice in one object")
	errDeep  = fmt.Errorf("nested deeper than %d", maxJSONDepth)
)

// top reads the outermost object, hands each entry over, and gives the other members.
func (r *bundleReader) top(entry func(index, line int, value any) error) (node, error) {
	if t, err := r.d.Token(); err != nil || t != json.Delim('{') {
		return nil, errJSON
	}
	out, seen := node{}, map[string]bool{}
	for r.d.More() {
		name, err := r.name(seen)
		if err != nil {
			return nil, err
		}
		if name == "entry" {
			err = r.entries(entry)
		} else {
			out[name], err = r.value(1)
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := r.d.Token(); err != nil {
		return nil, errJSON
	}
	if _, err := r.d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text behind the bundle")
	}
	return out, nil
}

func (r *bundleReader) entries(entry func(index, line int, value any) error) error {
	if t, err := r.d.Token(); err != nil || t != json.Delim('[') {
		return errors.New("entry is not an array")
	}
	for i := 0; r.d.More(); i++ {
		if i >= importing.MaxRows+maxPatients {
			return errors.New("more entries than a file may have")
		}
		from := r.start()
		line := r.lineAt(from)
		value, err := r.value(2)
		if err != nil {
			return err
		}
		if r.d.InputOffset()-from > maxEntryBytes {
			return fmt.Errorf("entry[%d] is larger than %d bytes", i, maxEntryBytes)
		}
		if err := entry(i, line, value); err != nil {
			return err
		}
	}
	if _, err := r.d.Token(); err != nil {
		return errJSON
	}
	return nil
}

// start is where the next value begins.
func (r *bundleReader) start() int64 {
	at := r.d.InputOffset()
	for at < int64(len(r.text)) && strings.IndexByte(" \t\r\n,", r.text[at]) >= 0 {
		at++
	}
	return at
}

// lineAt counts lines up to an offset that is not before the last one asked for.
func (r *bundleReader) lineAt(offset int64) int {
	offset = max(min(offset, int64(len(r.text))), r.at)
	r.line += bytes.Count(r.text[r.at:offset], []byte("\n"))
	r.at = offset
	return r.line
}

func (r *bundleReader) name(seen map[string]bool) (string, error) {
	t, err := r.d.Token()
	name, ok := t.(string)
	switch {
	case err != nil || !ok:
		return "", errJSON
	case seen[name]:
		return "", errTwice
	}
	seen[name] = true
	return name, nil
}

// value reads any value, with its size bounded by the file's.
func (r *bundleReader) value(depth int) (any, error) {
	t, err := r.d.Token()
	switch {
	case err != nil:
		return nil, errJSON
	case depth > maxJSONDepth:
		return nil, errDeep
	}
	switch v := t.(type) {
	case string:
		if strings.ContainsRune(v, '\ufffd') {
			return nil, errors.New("a text that is not whole")
		}
	case json.Delim:
		if v == '{' {
			return r.object(depth)
		}
		return r.array(depth)
	}
	return t, nil
}

func (r *bundleReader) object(depth int) (any, error) {
	out, seen := node{}, map[string]bool{}
	for r.d.More() {
		name, err := r.name(seen)
		if err != nil {
			return nil, err
		}
		if out[name], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	if _, err := r.d.Token(); err != nil {
		return nil, errJSON
	}
	return out, nil
}

func (r *bundleReader) array(depth int) (any, error) {
	out := []any{}
	for r.d.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if _, err := r.d.Token(); err != nil {
		return nil, errJSON
	}
	return out, nil
}
