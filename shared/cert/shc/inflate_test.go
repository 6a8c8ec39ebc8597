package shc_test

import (
	"strings"
	"testing"

	"madoguchi.example/shared/cert/shc"
)

func TestInflateIsBounded(t *testing.T) {
	for size, good := range map[int]bool{1000: true, 1001: false, 10_000_000: false} {
		compressed := shc.Deflate([]byte(strings.Repeat("a", size)))
		text, err := shc.Inflate(compressed, 1000)
		if (err == nil) != good || (good && len(text) != size) {
			t.Errorf("%d bytes: %d, %v", size, len(text), err)
		}
	}
}

func TestInflateRefuses(t *testing.T) {
	compressed := shc.Deflate([]byte("some text that is long enough to be cut"))
	for name, data := range map[string][]byte{
		"nothing":     {},
		"cut":         compressed[:len(compressed)-2],
		"data behind": append(compressed[:len(compressed):len(compressed)], 0),
		"zlib header": append([]byte{0x78, 0x9c}, compressed...),
	} {
		if text, err := shc.Inflate(data, 1000); err == nil {
			t.Errorf("%s: gave %d bytes", name, len(text))
		}
	}
	// A broken card leaves nothing behind in the pool.
	if text, err := shc.Inflate(compressed, 1000); err != nil || !strings.HasPrefix(text, "some text") {
		t.Errorf("after the broken ones: %q %v", text, err)
	}
}
