package config_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/config"
)

// keysOf lists the keys of a configuration with their values as the file would hold them.
func keysOf(v reflect.Value, path string, into map[string]string) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("toml")
		key := strings.TrimPrefix(path+"."+name, ".")
		switch field := v.Field(i).Interface().(type) {
		case time.Duration:
			into[key] = field.String()
		default:
			if v.Field(i).Kind() == reflect.Struct {
				keysOf(v.Field(i), key, into)
				continue
			}
			into[key] = fmt.Sprint(field)
		}
	}
}

// documented reads the agent's part of docs/configuration.md: key → what stands as default.
func documented(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, agent, found := strings.Cut(string(text), "## madoguchi-agent")
	if !found {
		t.Fatal("the agent has no part in docs/configuration.md")
	}
	agent, _, _ = strings.Cut(agent, "\n## ")
	keys := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\| ([^|]+) \\|").FindAllStringSubmatch(agent, -1) {
		for _, key := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			keys[key[1]] = strings.TrimSpace(row[2])
		}
	}
	return keys
}

// Every key is in docs/configuration.md, no other is, and a default that is written there is
// the program's.
func TestEveryKeyIsDocumented(t *testing.T) {
	keys, told := map[string]string{}, documented(t)
	keysOf(reflect.ValueOf(config.Default()), "", keys)
	compared := 0
	for key, value := range keys {
		said, ok := told[key]
		if !ok {
			t.Errorf("%s is not documented", key)
		}
		text, plain := strings.CutPrefix(said, "`")
		text, only := strings.CutSuffix(text, "`")
		if !plain || !only || value == "" || strings.ContainsAny(text, "` ,") {
			continue // in words, of several keys, or put in its place later
		}
		if d, err := time.ParseDuration(text); err == nil {
			text = d.String()
		}
		if compared++; text != value {
			t.Errorf("%s is %q, documented as %q", key, value, text)
		}
	}
	for key := range told {
		if _, ok := keys[key]; !ok {
			t.Errorf("%s is documented and is no key", key)
		}
	}
	if len(keys) < 40 || compared < 20 {
		t.Errorf("only %d keys were looked at, and %d defaults", len(keys), compared)
	}
}
