package benefit

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	headerLine = regexp.MustCompile(`^(\[\[?)([A-Za-z0-9_-]+)\]\]?\s*(#.*)?$`)
	keyLine    = regexp.MustCompile(`^([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\s*=`)
)

// index knows the line of every table and key of one TOML file, so that a fault found
// after decoding can still be pointed at. Strings over several lines would hide lines from
// it and are not allowed in programmes.
type index struct {
	file  string
	lines map[string]int
}

// newIndex reads the lines. Keys are "key", "table.key" and "table[2].key".
func newIndex(file string, text []byte) (index, *Fault) {
	x := index{file: file, lines: map[string]int{}}
	prefix, counts := "", map[string]int{}
	for i, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, `"""`) || strings.Contains(line, `'''`) {
			return x, Faultf(Place{file, i + 1}, "strings over several lines are not allowed")
		}
		line = strings.TrimSpace(line)
		if m := headerLine.FindStringSubmatch(line); m != nil {
			name := m[2]
			if m[1] == "[[" {
				name = fmt.Sprintf("%s[%d]", m[2], counts[m[2]])
				counts[m[2]]++
			}
			x.lines[name] = i + 1
			prefix = name + "."
		} else if m := keyLine.FindStringSubmatch(line); m != nil {
			x.lines[prefix+m[1]] = i + 1
		}
	}
	return x, nil
}

// at gives the place of the key, else of its table, else of the file.
func (x index) at(table, key string) Place {
	for _, name := range []string{table + "." + key, table + "." + key + ".ja", table} {
		if line, ok := x.lines[strings.TrimPrefix(name, ".")]; ok {
			return Place{x.file, line}
		}
	}
	if line, ok := x.lines[key]; ok && table == "" {
		return Place{x.file, line}
	}
	return Place{File: x.file}
}
