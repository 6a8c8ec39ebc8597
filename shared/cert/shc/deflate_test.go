package shc_test

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"madoguchi.example/shared/cert/shc"
)

// library is what the library's writer makes at its best, and reads.
func library(t testing.TB, text []byte) int {
	t.Helper()
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

func readBack(t testing.TB, text []byte) int {
	t.Helper()
	compressed := shc.Deflate(text)
	r := bytes.NewReader(compressed)
	got, err := io.ReadAll(flate.NewReader(r))
	if err != nil || !bytes.Equal(got, text) || r.Len() != 0 {
		t.Fatalf("%d bytes do not come back: %v, %d left", len(text), err, r.Len())
	}
	return len(compressed)
}

// What is compressed is read back by the library, and is hardly longer than the library's.
func TestDeflate(t *testing.T) {
	random := rand.New(rand.NewChaCha8([32]byte{3}))
	noise := func(n, letters int) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = byte(random.IntN(letters))
		}
		return out
	}
	for name, text := range map[string][]byte{
		"nothing": {}, "one byte": []byte("a"), "two": []byte("ab"), "a run": bytes.Repeat([]byte("a"), 65536),
		"a long repeat": bytes.Repeat(noise(300, 256), 200), "noise": noise(65536, 256), "few letters": noise(65536, 3), "two letters": noise(9999, 2),
		"further than the window": append(append(noise(1000, 256), noise(40000, 4)...), noise(1000, 256)...),
		"steep":                   []byte(strings.Repeat("a", 30000) + strings.Repeat("b", 15000) + strings.Repeat("cdefghijklmnopqrstuvwxyz", 2)),
		"payload":                 []byte(goodPayload),
	} {
		size, best := readBack(t, text), library(t, text)
		if name == "payload" && size > best+2 {
			t.Errorf("%s: %d bytes, the library's %d", name, size, best)
		}
	}
	// Frequencies like Fibonacci's numbers give the longest codes there are.
	var fibonacci []byte
	for a, b, c := 1, 1, byte('A'); len(fibonacci)+a < 60000; a, b, c = b, a+b, c+1 {
		fibonacci = append(fibonacci, bytes.Repeat([]byte{c}, a)...)
	}
	random.Shuffle(len(fibonacci), func(i, j int) { fibonacci[i], fibonacci[j] = fibonacci[j], fibonacci[i] })
	readBack(t, fibonacci)
	for doses := 1; doses <= 12; doses++ {
		readBack(t, walk(t, claims(doses), shc.Options{}).text)
	}
}

func FuzzDeflate(f *testing.F) {
	f.Add([]byte(goodPayload))
	f.Add(bytes.Repeat([]byte("abc"), 400))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) <= shc.MaxPayload {
			readBack(t, text)
		}
	})
}
