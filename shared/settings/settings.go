// Package settings reads a program's configuration: one TOML file under the environment's
// overrides, into a struct that already holds the defaults, and reports every fault at once.
//
// The struct's fields carry `toml:"name"` tags. Kinds that can be set: string (and named
// string types), bool, int, int64, time.Duration ("10s"), []string, and nested structs for
// tables. Any other kind is a programming error and panics. The environment's name for a
// field is the prefix and the path in upper case: MADOGUCHI_BACKEND_STORE_DSN is [store]
// dsn; lists are separated by commas.
package settings

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"madoguchi.example/shared/fault"
)

// MaxBytes is the largest configuration file that is read.
const MaxBytes = 1 << 20

// Source is where settings come from. Getenv may be nil.
type Source struct {
	TOML   []byte
	Getenv func(string) string
	Prefix string // "MADOGUCHI_BACKEND"
}

// Load fills into (a pointer to a struct with defaults). On faults it returns them all,
// joined, each a fault.Error whose Place names the key or the variable and which never
// repeats the value; fields without a fault are set all the same.
func Load(into any, src Source) error {
	if len(src.TOML) > MaxBytes {
		return fault.At(fault.TooLarge, "configuration file", "is larger than %d bytes", MaxBytes)
	}
	table := map[string]any{}
	if _, err := toml.Decode(string(src.TOML), &table); err != nil {
		return fault.At(fault.InvalidArgument, where(err), "is not TOML")
	}
	l := loader{getenv: src.Getenv}
	if l.getenv == nil {
		l.getenv = func(string) string { return "" }
	}
	l.fill(reflect.ValueOf(into).Elem(), table, "", src.Prefix)
	return errors.Join(l.faults...)
}

// Faults takes what Load and a program's own Validate returned apart, one line each,
// sorted, without repeats.
func Faults(errs ...error) []string {
	var lines []string
	for _, err := range errs {
		if err != nil {
			lines = append(lines, strings.Split(err.Error(), "\n")...)
		}
	}
	slices.SortFunc(lines, cmp.Compare)
	return slices.Compact(lines)
}

type loader struct {
	getenv func(string) string
	faults []error
}

func (l *loader) fail(place, format string, args ...any) {
	l.faults = append(l.faults, fault.At(fault.InvalidArgument, place, format, args...))
}

func (l *loader) fill(v reflect.Value, table map[string]any, path, env string) {
	known := map[string]bool{}
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("toml")
		if name == "" {
			continue
		}
		known[name] = true
		field, key, variable := v.Field(i), join(path, ".", name), join(env, "_", strings.ToUpper(name))
		raw, given := table[name]
		if field.Kind() == reflect.Struct {
			sub, ok := raw.(map[string]any)
			if given && !ok {
				l.fail(key, "must be a table")
			}
			l.fill(field, sub, key, variable)
			continue
		}
		if isTables(field) {
			l.tables(field, raw, given, key)
			continue
		}
		if given {
			l.set(field, raw, key)
		}
		if text := l.getenv(variable); text != "" {
			l.parse(field, text, variable)
		}
	}
	for name := range table {
		if !known[name] {
			l.fail(join(path, ".", name), "is not a known key")
		}
	}
}

// isTables tells of a list of tables. Those come from the file alone: a variable holds one
// value.
func isTables(field reflect.Value) bool {
	return field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct
}

func (l *loader) tables(field reflect.Value, raw any, given bool, key string) {
	rows, ok := raw.([]map[string]any)
	if given && !ok {
		l.fail(key, "must be a list of tables: [[%s]]", key)
	}
	if !ok {
		return
	}
	list := reflect.MakeSlice(field.Type(), len(rows), len(rows))
	silent := loader{getenv: func(string) string { return "" }}
	for i, row := range rows {
		silent.fill(list.Index(i), row, fmt.Sprintf("%s.%d", key, i), "")
	}
	l.faults = append(l.faults, silent.faults...)
	field.Set(list)
}

var durationType = reflect.TypeFor[time.Duration]()

func (l *loader) set(field reflect.Value, raw any, place string) {
	switch value := raw.(type) {
	case string:
		if field.Kind() == reflect.String || field.Type() == durationType {
			l.parse(field, value, place)
			return
		}
	case bool:
		if field.Kind() == reflect.Bool {
			field.SetBool(value)
			return
		}
	case int64:
		if isInt(field) {
			field.SetInt(value)
			return
		}
	case []any:
		if list, ok := texts(value); ok && field.Kind() == reflect.Slice {
			field.Set(reflect.ValueOf(list))
			return
		}
	}
	l.fail(place, "must be %s", kindOf(field))
}

func (l *loader) parse(field reflect.Value, text, place string) {
	switch {
	case field.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			l.fail(place, "must be %s", kindOf(field))
			return
		}
		field.SetInt(int64(d))
	case field.Kind() == reflect.String:
		field.SetString(text)
	case field.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			l.fail(place, "must be %s", kindOf(field))
			return
		}
		field.SetBool(b)
	case isInt(field):
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			l.fail(place, "must be %s", kindOf(field))
			return
		}
		field.SetInt(n)
	default:
		field.Set(reflect.ValueOf(strings.Split(text, ",")))
	}
}

func isInt(field reflect.Value) bool {
	return field.Type() != durationType && (field.Kind() == reflect.Int || field.Kind() == reflect.Int64)
}

func kindOf(field reflect.Value) string {
	switch {
	case field.Type() == durationType:
		return `a duration such as "10s"`
	case field.Kind() == reflect.String:
		return "a text"
	case field.Kind() == reflect.Bool:
		return "true or false"
	case isInt(field):
		return "a whole number"
	case field.Type() == reflect.TypeFor[[]string]():
		return "a list of texts"
	default:
		panic(fmt.Sprintf("settings: a field of type %s cannot be set", field.Type()))
	}
}

func texts(values []any) ([]string, bool) {
	list := make([]string, 0, len(values))
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil, false
		}
		list = append(list, s)
	}
	return list, true
}

// where names the place of a syntax error without the text around it, which may be a secret.
func where(err error) string {
	if p, ok := errors.AsType[toml.ParseError](err); ok {
		return fmt.Sprintf("line %d", p.Position.Line)
	}
	return "configuration file"
}

func join(a, sep, b string) string {
	if a == "" {
		return b
	}
	return a + sep + b
}
