package sqltx

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"
)

var (
	errText   = errors.New("text is not UTF-8 or holds a NUL")
	errNumber = errors.New("number does not fit into 64 bits with a sign")
)

// arguments turns args into the four forms that both engines store alike: string, int64,
// bool, []byte, and nil. The error names the placeholder and never the value.
func arguments(args []any) ([]any, error) {
	plain := make([]any, len(args))
	for i, a := range args {
		v, err := argument(a)
		if err != nil {
			return nil, fmt.Errorf("cannot pass argument $%d: %w", i+1, err)
		}
		plain[i] = v
	}
	return plain, nil
}

func argument(a any) (any, error) {
	switch v := a.(type) {
	case nil, bool, int64:
		return v, nil
	case string:
		return v, text(v)
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	}
	return reflected(reflect.ValueOf(a))
}

func reflected(v reflect.Value) (any, error) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return argument(v.Elem().Interface())
	case reflect.String:
		return v.String(), text(v.String())
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return whole(v)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt64 {
			return nil, errNumber
		}
		return int64(v.Uint()), nil
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return argument(v.Bytes())
		}
	}
	return nil, fmt.Errorf("a %s is not text, a whole number, a bool or bytes", v.Type())
}

// whole refuses a time.Duration: its unit would be lost in the column.
func whole(v reflect.Value) (any, error) {
	if v.Type().PkgPath() == "time" {
		return nil, fmt.Errorf("a %s has no unit in a column: pass a number", v.Type())
	}
	return v.Int(), nil
}

func text(s string) error {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return errText
	}
	return nil
}
