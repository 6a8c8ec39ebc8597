package wallet

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

var errJSON = errors.New("not one JSON object that can be read in one way")

// maxDepth is how deep arrays and objects of a wallet's JSON may nest.
const maxDepth = 16

// members reads a JSON object, name by name as it is written. A name that stands twice
// anywhere, invalid UTF-8 and anything after the object are refused: two readers could see
// two things.
func members(raw []byte) (map[string]json.RawMessage, error) {
	var out map[string]json.RawMessage
	if !unambiguous(raw) || json.Unmarshal(raw, &out) != nil || out == nil {
		return nil, errJSON
	}
	return out, nil
}

func unambiguous(raw []byte) bool {
	if !utf8.Valid(raw) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if !once(d, 0) {
		return false
	}
	_, err := d.Token()
	return errors.Is(err, io.EOF)
}

// once reads one value and tells whether no object in it has a name twice.
func once(d *json.Decoder, depth int) bool {
	t, err := d.Token()
	if err != nil || depth > maxDepth {
		return false
	}
	open, ok := t.(json.Delim)
	if !ok {
		return true
	}
	names := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			s, isName := name.(string)
			if err != nil || !isName || names[s] {
				return false
			}
			names[s] = true
		}
		if !once(d, depth+1) {
			return false
		}
	}
	_, err = d.Token()
	return err == nil
}

// text reads a member that must be a JSON string of at most limit bytes.
func text(raw json.RawMessage, limit int) (string, bool) {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil || s == "" || len(s) > limit {
		return "", false
	}
	return s, true
}

// list reads a member that must be a JSON array.
func list(raw json.RawMessage) ([]json.RawMessage, bool) {
	var l []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &l) != nil {
		return nil, false
	}
	return l, true
}
