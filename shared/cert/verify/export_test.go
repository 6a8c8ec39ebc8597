package verify

import (
	"slices"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/trust"
)

// AddRow adds a format for the time of a test, as its line in the table would.
func AddRow(t *testing.T, format cert.Format, title string, recognise func([]byte) bool,
	verify func([]byte, trust.Snapshot, time.Time) cert.Verdict, section trust.Section) {
	t.Helper()
	before := table
	table = append(slices.Clone(table), row{format, title, recognise, verify, section})
	t.Cleanup(func() { table = before })
}

// Formats gives the formats of the table, each once, with the names of all sections.
func Formats() (formats []cert.Format, sections []string) {
	for _, s := range beside {
		sections = append(sections, s.Name)
	}
	for _, r := range table {
		if !slices.Contains(formats, r.format) {
			formats = append(formats, r.format)
		}
		if r.section.Name != "" {
			sections = append(sections, r.section.Name)
		}
	}
	return formats, sections
}
