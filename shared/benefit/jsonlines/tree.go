package jsonlines

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/fault"
)

// MaxDepth is how deep a line may nest.
const MaxDepth = 8

var (
	errMalformed = fault.New(fault.InvalidArgument, "is not one well-formed JSON object")
	errTwice     = fault.New(fault.InvalidArgument, "a member is named twice")
	errDeep      = fault.New(fault.TooLarge, "is nested too deep")
)

// object is a JSON object whose names are looked up exactly as they are written.
type object map[string]any

// parse reads one object with its numbers as digits. A member named twice, in any object,
// is refused: two readers could understand it differently.
func parse(line []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	v, err := value(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errMalformed
	}
	o, ok := v.(object)
	if !ok {
		return nil, errMalformed
	}
	return o, nil
}

func value(d *json.Decoder, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, errDeep
	}
	t, err := d.Token()
	if err != nil {
		return nil, errMalformed
	}
	switch t {
	case json.Delim('{'):
		return members(d, depth)
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := value(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, closing(d)
	}
	return t, nil
}

func members(d *json.Decoder, depth int) (any, error) {
	o := object{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errMalformed
		}
		if _, twice := o[name]; twice {
			return nil, errTwice
		}
		if o[name], err = value(d, depth+1); err != nil {
			return nil, err
		}
	}
	return o, closing(d)
}

func closing(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errMalformed
	}
	return nil
}

// scalar turns a number, truth value, text or null into a fact. Numbers are whole.
func scalar(v any, place string) (benefit.Value, error) {
	switch v := v.(type) {
	case nil:
		return benefit.Value{}, nil
	case bool:
		return benefit.Bool(v), nil
	case string:
		return benefit.Text(v), nil
	case json.Number:
		n, err := benefit.ParseValue(benefit.TypeInt, v.String())
		if err != nil {
			return n, fault.At(fault.InvalidArgument, place, "must be a whole number of at most %d", int64(benefit.MaxAmount))
		}
		return n, nil
	}
	return benefit.Value{}, fault.At(fault.InvalidArgument, place, "must be a number, true, false, a text or null")
}
