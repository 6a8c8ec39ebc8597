package reference_test

import (
	"bytes"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/reference"
	"madoguchi.example/backend/internal/store/storetest"
)

func draw(t testing.TB, seed byte, kind reference.Kind) string {
	t.Helper()
	ref, err := reference.New(storetest.Rand(string(seed)), kind)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestReadAsWritten(t *testing.T) {
	for seed := range byte(50) {
		ref := draw(t, seed, reference.Correction)
		for _, typed := range []string{ref, strings.ToLower(ref), strings.ReplaceAll(ref, "-", ""), " " + strings.ReplaceAll(ref, "-", "　")} {
			got, kind, ok := reference.Parse(typed)
			if !ok || got != ref || kind != reference.Correction {
				t.Fatalf("%q was read as %q, %v", typed, got, ok)
			}
		}
	}
}

// Every single wrong character and every exchange of two neighbours is noticed.
func TestMistakesAreNoticed(t *testing.T) {
	const letters = "23456789ABCDEFGHJKMNPQRTUVWXY"
	n := 0
	for seed := range byte(20) {
		body := []byte(strings.ReplaceAll(draw(t, seed, reference.Certificate), "-", ""))
		for i := 1; i < len(body); i++ {
			for _, c := range []byte(letters) {
				wrong := bytes.Clone(body)
				if wrong[i] = c; bytes.Equal(wrong, body) {
					continue
				}
				n++
				if _, _, ok := reference.Parse(string(wrong)); ok {
					t.Errorf("%s was taken for %s", wrong, body)
				}
			}
			if i+1 < len(body) && body[i] != body[i+1] {
				wrong := bytes.Clone(body)
				wrong[i], wrong[i+1] = wrong[i+1], wrong[i]
				if _, _, ok := reference.Parse(string(wrong)); ok {
					t.Errorf("%s was taken for %s", wrong, body)
				}
			}
		}
		for _, kind := range "CRK" {
			wrong := append([]byte{byte(kind)}, body[1:]...)
			if _, _, ok := reference.Parse(string(wrong)); ok != (kind == 'C') {
				t.Errorf("%s is taken: %v", wrong, ok)
			}
		}
	}
	t.Logf("%d mistakes", n)
}

func TestNoReference(t *testing.T) {
	for _, typed := range []string{"", "K", "X-2222-2222", "K-2222", "K-2222-2222-2222", "K-OOOO-1111", strings.Repeat("K", 65), "山田花子"} {
		if _, _, ok := reference.Parse(typed); ok {
			t.Errorf("%q is taken", typed)
		}
	}
	if _, err := reference.New(bytes.NewReader(nil), reference.Refusal); err == nil {
		t.Error("drawn from nothing")
	}
}
