// Package strictjson decodes JSON that one program wrote for another and refuses what
// two readers could understand differently.
//
// Refused beyond what encoding/json refuses: unknown members, members named twice in one
// object, member names with anything but a-z, 0-9 and "_" (so that no other spelling of a
// known name slips past), and bytes after the value. The caller checks the size first.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// The refusals that encoding/json does not make. None repeats what was read.
var (
	ErrMalformed = errors.New("not well-formed JSON of the expected shape")
	ErrNames     = errors.New("a member is named twice or is not in lower case")
	ErrTrailing  = errors.New("there are bytes after the JSON value")
)

// Decode reads exactly one value into the pointer. Its errors never repeat a value.
func Decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return ErrMalformed
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return ErrTrailing
	}
	return checkNames(data)
}

// checkNames walks data, which is known to be well-formed, and looks at member names only.
func checkNames(data []byte) error {
	var open []map[string]struct{} // one set per open object, nil per open array
	name := false                  // the next string is a member name
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{':
			open, name = append(open, map[string]struct{}{}), true
		case '[':
			open, name = append(open, nil), false
		case '}', ']':
			open, name = open[:len(open)-1], false
		case ',':
			name = len(open) > 0 && open[len(open)-1] != nil
		case '"':
			end := endOfString(data, i+1)
			if name {
				if !addName(open[len(open)-1], data[i+1:end]) {
					return ErrNames
				}
				name = false
			}
			i = end
		}
	}
	return nil
}

func endOfString(data []byte, i int) int {
	for data[i] != '"' {
		if data[i] == '\\' {
			i++
		}
		i++
	}
	return i
}

func addName(seen map[string]struct{}, name []byte) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	if _, twice := seen[string(name)]; twice {
		return false
	}
	seen[string(name)] = struct{}{}
	return true
}
