package childsupport

import (
	"testing"
)

// DataFile gives an embedded file.
func DataFile(t testing.TB, name string) string {
	t.Helper()
	text, err := data.ReadFile("data/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
