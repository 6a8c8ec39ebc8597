package verify_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// decodesNothing are the packages of certificates that read no bytes from outside.
var decodesNothing = map[string]bool{"cert": true, "qr": true, "vaccine": true, "ecsig": true}

// TestEveryDecoderIsFuzzed wants a fuzz target in every package that reads what a person
// brings or a trust list holds, and a committed corpus for every target.
func TestEveryDecoderIsFuzzed(t *testing.T) {
	target := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	corpora := 0
	for _, root := range []string{"..", "../../trust", "../../internal/jsonpull", "../../internal/base64url"} {
		targets := map[string]int{}
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			dir := filepath.Dir(path)
			targets[dir] += 0
			source, err := os.ReadFile(path)
			for _, m := range target.FindAllSubmatch(source, -1) {
				targets[dir]++
				corpus, _ := os.ReadDir(filepath.Join(dir, "testdata", "fuzz", string(m[1])))
				if corpora += len(corpus); len(corpus) == 0 {
					t.Errorf("%s: %s has no corpus", dir, m[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for dir, n := range targets {
			if absolute, _ := filepath.Abs(dir); n == 0 && !decodesNothing[filepath.Base(absolute)] {
				t.Errorf("%s has no fuzz target", dir)
			}
		}
	}
	t.Logf("%d inputs in the corpora", corpora)
}
