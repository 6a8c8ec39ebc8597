package httpapi

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"

	"madoguchi.example/shared/fault"
)

func newCursors(t testing.TB) *Cursors {
	t.Helper()
	c, err := NewCursors(bytes.Repeat([]byte{7}, 32), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCursors(t *testing.T) {
	c := newCursors(t)
	sealed, err := c.Seal("listNotices", "ctz_1", "2026 ntc_9")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "ntc") {
		t.Error("the cursor shows its place")
	}
	if place, err := c.Open("listNotices", "ctz_1", sealed); err != nil || place != "2026 ntc_9" {
		t.Errorf("opened %q, %v", place, err)
	}
	if place, err := c.Open("listNotices", "ctz_1", ""); err != nil || place != "" {
		t.Errorf("the start: %q, %v", place, err)
	}
	if end, err := c.Seal("listNotices", "ctz_1", ""); err != nil || end != "" {
		t.Errorf("the end: %q, %v", end, err)
	}
	for name, open := range map[string]func() (string, error){
		"another's":     func() (string, error) { return c.Open("listNotices", "ctz_2", sealed) },
		"another list":  func() (string, error) { return c.Open("listAccesses", "ctz_1", sealed) },
		"altered":       func() (string, error) { return c.Open("listNotices", "ctz_1", "A"+sealed[1:]) },
		"cut":           func() (string, error) { return c.Open("listNotices", "ctz_1", sealed[:8]) },
		"not base64url": func() (string, error) { return c.Open("listNotices", "ctz_1", "あ") },
		"too long":      func() (string, error) { return c.Open("listNotices", "ctz_1", strings.Repeat("A", maxCursor+1)) },
	} {
		if _, err := open(); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewCursors([]byte("short"), rand.Reader); err == nil {
		t.Error("a short key was taken")
	}
}

func FuzzCursor(f *testing.F) {
	c := newCursors(f)
	own, err := c.Seal("op", "ctz_1", "place")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if place, err := c.Open("op", "ctz_1", text); err == nil && place != "" && text != own {
			t.Errorf("a cursor that was not ours gave %q", place)
		}
	})
}

func TestETag(t *testing.T) {
	if ETag("a", "bc") == ETag("ab", "c") {
		t.Error("parts run together")
	}
	tag := ETag("x")
	for header, want := range map[string]bool{
		tag: true, strings.TrimPrefix(tag, "W/"): true, "*": true, `"a", ` + tag: true, "": false, `"a"`: false, tag + "x": false,
	} {
		if Matches(header, tag) != want {
			t.Errorf("%q: %v", header, !want)
		}
	}
}
