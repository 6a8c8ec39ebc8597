package pwa_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"madoguchi.example/mobile-api/pwa"
	"madoguchi.example/mobile-api/pwa/internal/bundle"
)

// The committed dist is what src builds, byte for byte, from wherever src lies.
func TestDistIsFresh(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "somewhere", "else")
	if err := os.CopyFS(elsewhere, os.DirFS("src")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"src", elsewhere} {
		built, err := bundle.Build(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := distNames(t), slices.Sorted(maps.Keys(built)); !slices.Equal(got, want) {
			t.Fatalf("dist holds %q, the sources build %q: run go run ./mobile-api/pwa/build", got, want)
		}
		for name, want := range built {
			if got, err := fs.ReadFile(pwa.Files(), name); err != nil || !bytes.Equal(got, want) {
				t.Errorf("dist/%s is not what the sources build (%v): run go run ./mobile-api/pwa/build", name, err)
			}
		}
	}
}

func distNames(t *testing.T) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(pwa.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func TestHeadersOfFiles(t *testing.T) {
	hashed := regexp.MustCompile(`-[0-9A-Za-z]{8}\.`)
	for _, name := range distNames(t) {
		forever := strings.Contains(pwa.CacheControl(name), "immutable")
		if forever != hashed.MatchString(name) {
			t.Errorf("%s: cache control %q", name, pwa.CacheControl(name))
		}
		if pwa.ContentType(name) == "application/octet-stream" {
			t.Errorf("%s has no content type", name)
		}
	}
}

// No page of the app is inline, and none asks for another origin.
func TestPagesHoldNothingInline(t *testing.T) {
	page, err := fs.ReadFile(pwa.Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<style", "style=", "onload", "onclick", "javascript:", "http://", "https://"} {
		if bytes.Contains(page, []byte(bad)) {
			t.Errorf("index.html holds %q", bad)
		}
	}
	for _, script := range regexp.MustCompile(`<script[^>]*>`).FindAll(page, -1) {
		if !bytes.Contains(script, []byte(` src="/app/assets/`)) {
			t.Errorf("a script without a file: %s", script)
		}
	}
}

// Elements come from dom.ts and icons.ts; no text ever becomes markup.
func TestNoMarkupFromText(t *testing.T) {
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|setAttribute\("(style|on)|srcdoc`)
	err := filepath.WalkDir("src", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".ts" {
			return err
		}
		text, err := os.ReadFile(path)
		if found := bad.Find(text); found != nil {
			t.Errorf("%s uses %s", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRoutesAreThePages(t *testing.T) {
	text, err := os.ReadFile("src/routes.ts")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, m := range regexp.MustCompile(`\{ path: "([^"]+)"`).FindAllSubmatch(text, -1) {
		paths = append(paths, string(m[1]))
	}
	if !slices.Equal(paths, pwa.Pages()) {
		t.Errorf("routes.ts has %q, Pages() %q", paths, pwa.Pages())
	}
}

var (
	place    = regexp.MustCompile(`\{[a-z_]+\}`)
	furigana = regexp.MustCompile(`\{([^{}|]+)\|([^{}|]+)\}`)
)

func words(t *testing.T, language string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("src", "words", language+".json"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCataloguesAreEqual(t *testing.T) {
	ja := words(t, "ja")
	for _, language := range []string{"ja-easy", "en"} {
		other := words(t, language)
		if got, want := slices.Sorted(maps.Keys(other)), slices.Sorted(maps.Keys(ja)); !slices.Equal(got, want) {
			t.Errorf("%s has other keys than ja: %q", language, difference(got, want))
		}
		for key, text := range other {
			if !slices.Equal(places(text), places(ja[key])) {
				t.Errorf("%s %s has the places %q, ja %q", language, key, places(text), places(ja[key]))
			}
		}
	}
}

func TestCataloguesAreWellFormed(t *testing.T) {
	for _, language := range []string{"ja", "ja-easy", "en"} {
		for key, text := range words(t, language) {
			rest := place.ReplaceAllString(furigana.ReplaceAllString(text, ""), "")
			if strings.ContainsAny(rest, "{}|") || strings.TrimSpace(text) == "" {
				t.Errorf("%s %s is malformed", language, key)
			}
			if language == "ja-easy" && strings.ContainsFunc(rest, isKanji) {
				t.Errorf("ja-easy %s has kanji without furigana: %s", key, rest)
			}
			if language == "en" && strings.ContainsFunc(rest, isKanji) {
				t.Errorf("en %s has kanji", key)
			}
		}
	}
}

// Every key is used, and every key that the sources name exists (the compiler sees to the
// latter; keys made from data are listed).
func TestNoWordIsLeftOver(t *testing.T) {
	var all bytes.Buffer
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || (filepath.Ext(path) != ".ts" && filepath.Base(path) != "bundle.go") || strings.Contains(path, "node_modules") {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	made := regexp.MustCompile(`^(state|relation|use|where|alt|revoked|mrz|correct\.kind|purpose|item)\.`)
	for key := range words(t, "ja") {
		if !made.MatchString(key) && !strings.Contains(all.String(), `"`+key+`"`) {
			t.Errorf("no screen says %s", key)
		}
	}
}

func isKanji(r rune) bool { return unicode.Is(unicode.Han, r) && r != '々' && r != '〆' }

func places(text string) []string {
	found := place.FindAllString(text, -1)
	slices.Sort(found)
	return found
}

func difference(a, b []string) []string {
	var out []string
	for _, x := range slices.Concat(a, b) {
		if slices.Contains(a, x) != slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// The vendored tokens are those of the package that package.json pins.
func TestVendoredTokens(t *testing.T) {
	want, err := os.ReadFile("node_modules/@digital-go-jp/design-tokens/dist/tokens.css")
	if err != nil {
		needs(t, "the npm packages (npm ci in mobile-api/pwa)")
	}
	got, err := os.ReadFile("src/styles/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	if _, body, _ := bytes.Cut(got, []byte("\n")); !bytes.Equal(body, want) {
		t.Error("src/styles/tokens.css is not the package's")
	}
}

func TestLockNamesNoRegistry(t *testing.T) {
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(lock, []byte(`"resolved"`)) || bytes.Contains(lock, []byte("://")) {
		t.Error("package-lock.json holds addresses")
	}
}

// needs ends a test whose part of the machine is absent: skipped at home, failed in CI.
func needs(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs %s", what)
	}
	t.Skipf("this test needs %s", what)
}
