package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"madoguchi.example/shared/fault"
)

// MaxBytes is the largest profile document that is read; it is checked before decoding.
const MaxBytes = 64 << 10

// Decode reads one profile document strictly: at most MaxBytes, one JSON object, known
// names in their exact spelling and at most once, nothing after it. It does not Validate.
func Decode(b []byte) (Profile, error) {
	if len(b) > MaxBytes {
		return Profile{}, fault.At(fault.TooLarge, "profile", "must have at most %d bytes", MaxBytes)
	}
	if err := checkNames(b); err != nil {
		return Profile{}, err
	}
	var p Profile
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Profile{}, decodeFault(err)
	}
	return p, nil
}

// decodeFault names the place from the decoder's error and drops its text, which may
// repeat what stood in the document.
func decodeFault(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return fault.At(fault.InvalidArgument, wrongType.Field, "has the wrong type")
	}
	if strings.HasPrefix(err.Error(), "json: unknown field") {
		return fault.At(fault.InvalidArgument, "profile", "holds a name that is not part of schema %d", Schema)
	}
	return fault.At(fault.InvalidArgument, "profile", "is not a JSON document")
}

// known holds every name of the schema, as it is spelled. The decoder of the standard
// library would also take "TERMINAL", and the last of two.
var known = map[string]bool{
	"schema": true, "terminal": true, "class": true, "office": true, "office_name": true,
	"institution": true, "municipality": true, "payers": true, "answer_timeout_ms": true,
	"lock_after_ms": true, "receipt_keys": true, "public_key": true, "export_recipient": true,
	"spread_ms": true, "id": true, "name": true, "recipient": true,
}

func checkNames(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := walk(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.At(fault.InvalidArgument, "profile", "holds something after its end")
	}
	return nil
}

// maxDepth is how deep a profile nests, and one more.
const maxDepth = 4

func walk(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil || depth > maxDepth {
		return fault.At(fault.InvalidArgument, "profile", "is not a JSON document")
	}
	switch t {
	case json.Delim('{'):
		return walkObject(d, depth)
	case json.Delim('['):
		for d.More() {
			if err := walk(d, depth+1); err != nil {
				return err
			}
		}
		return end(d)
	}
	return nil
}

func walkObject(d *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		switch {
		case err != nil || !ok:
			return fault.At(fault.InvalidArgument, "profile", "is not a JSON document")
		case !known[name]:
			return fault.At(fault.InvalidArgument, "profile", "holds a name that is not part of schema %d", Schema)
		case seen[name]:
			return fault.At(fault.InvalidArgument, name, "stands twice")
		}
		seen[name] = true
		if err := walk(d, depth+1); err != nil {
			return err
		}
	}
	return end(d)
}

func end(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return fault.At(fault.InvalidArgument, "profile", "is not a JSON document")
	}
	return nil
}
