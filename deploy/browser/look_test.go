package browser_test

import (
	"os"
	"path/filepath"
	"testing"

	"madoguchi.example/deploy/stage"
)

// axe gives the source of axe-core, empty where it is not installed.
func axe(t *testing.T) string {
	t.Helper()
	root, err := stage.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, "mobile-api", "pwa", "node_modules", "axe-core", "axe.min.js"))
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("this test needs axe-core (npm ci in mobile-api/pwa)")
	}
	if err != nil {
		t.Log("pages are not judged: axe-core is not installed (npm ci in mobile-api/pwa)")
	}
	return string(source)
}

// languages are the three that every face speaks.
var languages = []string{"ja", "ja-easy", "en"}

// judge says what is wrong with the page as it stands: what axe-core finds, and sideways
// scrolling at the narrowest width that its face promises.
func (w *window) judge(axe, page string, narrowest int64) {
	w.t.Helper()
	w.settle()
	w.size(narrowest, 700, 1)
	if wide := value[int64](w, "document.documentElement.scrollWidth"); wide > narrowest {
		w.t.Errorf("%s, %s: at %d px the page scrolls sideways to %d px", w.name, page, narrowest, wide)
	}
	w.size(w.width, w.height, 1)
	if axe == "" {
		return
	}
	if !value[bool](w, "Boolean(window.axe)") {
		w.js(axe + "; 0")
	}
	found := value[string](w, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
		.then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.target + " " + n.failureSummary).join("; ")).join("\n"))`)
	if found != "" {
		w.t.Errorf("%s, %s: %s", w.name, page, found)
	}
}
