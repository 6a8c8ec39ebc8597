package benefit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"

	"github.com/BurntSushi/toml"
)

// decode reads one file strictly: every key has a meaning and every value its type. It
// tells whether into is whole; what is wrong is told with its line, all at once.
func (l *loader) decode(name string, into any) (index, bool) {
	file := path.Join(l.dir, name)
	info, err := fs.Stat(l.fsys, file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > MaxFile {
		l.fault(Place{File: file}, "is not a readable file of at most %d bytes", MaxFile)
		return index{}, false
	}
	text, err := fs.ReadFile(l.fsys, file)
	if err != nil {
		l.fault(Place{File: file}, "cannot be read")
		return index{}, false
	}
	x, wrong := newIndex(file, text)
	if wrong != nil {
		l.faults = append(l.faults, wrong)
		return x, false
	}
	var tree map[string]any
	if _, err := toml.Decode(string(text), &tree); err != nil {
		l.undecodable(file, err)
		return x, false
	}
	found := len(l.faults)
	l.table(x, "", tree, reflect.TypeOf(into).Elem())
	if len(l.faults) > found {
		return x, false
	}
	if _, err := toml.Decode(string(text), into); err != nil {
		l.undecodable(file, err)
		return x, false
	}
	return x, true
}

func (l *loader) undecodable(file string, err error) {
	at, message := Place{File: file}, err.Error()
	if p, ok := errors.AsType[toml.ParseError](err); ok {
		at.Line, message = p.Position.Line, p.Message
	}
	l.fault(at, "%s", message)
}

// table holds the keys of a table against the fields of t.
func (l *loader) table(x index, at string, tree map[string]any, t reflect.Type) {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		fields[t.Field(i).Tag.Get("toml")] = t.Field(i).Type
	}
	for _, key := range sortedKeys(tree) {
		field, ok := fields[key]
		if !ok {
			l.fault(x.at(at, key), "there is no key %s", joined(at, key))
			continue
		}
		l.value(x, at, key, tree[key], field)
	}
}

// value holds one value against its type.
func (l *loader) value(x index, at, key string, v any, t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name, ok := joined(at, key), false
	switch t.Kind() {
	case reflect.Struct:
		var tree map[string]any
		if tree, ok = v.(map[string]any); ok {
			l.table(x, name, tree, t)
		}
	case reflect.Slice:
		ok = l.list(x, name, v, t.Elem())
	case reflect.String:
		_, ok = v.(string)
	case reflect.Bool:
		_, ok = v.(bool)
	case reflect.Int, reflect.Int64:
		_, ok = v.(int64)
	}
	switch {
	case ok:
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		l.fault(x.at(at, key), "%s must be tables, each under [[%s]]", name, name)
	default:
		l.fault(x.at(at, key), "%s must be %s", name, kindNames[t.Kind()])
	}
}

var kindNames = map[reflect.Kind]string{
	reflect.Struct: "a table", reflect.Slice: "a list of whole numbers", reflect.String: "a text in quotes", reflect.Bool: "true or false",
	reflect.Int: "a whole number", reflect.Int64: "a whole number",
}

// list holds a list of tables or of whole numbers against the type of its elements.
func (l *loader) list(x index, name string, v any, t reflect.Type) bool {
	if t.Kind() == reflect.Struct {
		tables, ok := v.([]map[string]any)
		for i, tree := range tables {
			l.table(x, fmt.Sprintf("%s[%d]", name, i), tree, t)
		}
		return ok
	}
	elements, ok := v.([]any)
	for _, e := range elements {
		if _, whole := e.(int64); !whole {
			return false
		}
	}
	return ok
}

func joined(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}
