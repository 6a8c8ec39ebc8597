// Package bundle builds the citizen app from its sources. It promises the same bytes for
// the same sources, wherever they lie, and needs no npm package.
package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

const base = "/app/" // where the files are served

// languages of the catalogues below src/words.
var languages = []string{"ja", "ja-easy", "en"}

// icons of src/icons that are served.
var icons = []string{"icon.svg", "icon-192.png", "icon-512.png"}

// Build gives the files of dist by name, from the sources in dir.
func Build(dir string) (map[string][]byte, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot find the sources: %w", err)
	}
	b := builder{dir: dir, files: map[string][]byte{}, served: map[string]string{}}
	steps := []func() error{b.page, b.icons, b.templates, b.worker}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.files, nil
}

type builder struct {
	dir    string
	files  map[string][]byte
	served map[string]string // address in a template → address with its hash
}

// page bundles main.ts with its styles.
func (b *builder) page() error {
	out, err := b.esbuild("main.ts", "assets/[name]-[hash]", nil)
	if err != nil {
		return err
	}
	for name, content := range out {
		b.files[name] = content
		b.served[base+"main"+path.Ext(name)] = base + name
	}
	return nil
}

func (b *builder) icons() error {
	for _, name := range icons {
		content, err := os.ReadFile(filepath.Join(b.dir, "icons", name))
		if err != nil {
			return fmt.Errorf("cannot read an icon: %w", err)
		}
		ext := path.Ext(name)
		hashed := "assets/" + strings.TrimSuffix(name, ext) + "-" + digest(content)[:8] + ext
		b.files[hashed] = content
		b.served[base+"icons/"+name] = base + hashed
	}
	return nil
}

// templates puts the hashed names into the files whose names stay.
func (b *builder) templates() error {
	for _, name := range []string{"index.html", "manifest.webmanifest"} {
		content, err := os.ReadFile(filepath.Join(b.dir, name))
		if err != nil {
			return fmt.Errorf("cannot read a page: %w", err)
		}
		text := string(content)
		for from, to := range b.served {
			text = strings.ReplaceAll(text, `"`+from+`"`, `"`+to+`"`)
		}
		b.files[name] = []byte(text)
	}
	return nil
}

// worker bundles sw.ts last: it holds the names of all others and the hash of it all.
func (b *builder) worker() error {
	words, err := b.pushWords()
	if err != nil {
		return err
	}
	shell := []string{base}
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		if name != "index.html" {
			shell = append(shell, base+name)
		}
	}
	define := map[string]string{}
	for key, value := range map[string]any{
		"VERSION": b.version(), "SHELL": shell, "PUSH_WORDS": words, "ICON": b.served[base+"icons/icon-192.png"],
	} {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("cannot define %s: %w", key, err)
		}
		define[key] = string(text)
	}
	out, err := b.esbuild("sw.ts", "[name]", define)
	if err != nil {
		return err
	}
	maps.Copy(b.files, out)
	return nil
}

// version is the hash of all files so far.
func (b *builder) version() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		fmt.Fprintf(h, "%s %d\n", name, len(b.files[name]))
		h.Write(b.files[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

var furigana = regexp.MustCompile(`\{([^{}|]+)\|[^{}|]+\}`)

// pushWords gives the notification's one sentence by language, without furigana: a
// notification can hold none.
func (b *builder) pushWords() (map[string]string, error) {
	out := map[string]string{}
	for _, language := range languages {
		content, err := os.ReadFile(filepath.Join(b.dir, "words", language+".json"))
		if err != nil {
			return nil, fmt.Errorf("cannot read the words: %w", err)
		}
		words := map[string]string{}
		if err := json.Unmarshal(content, &words); err != nil {
			return nil, fmt.Errorf("cannot decode the words of %s: %w", language, err)
		}
		out[language] = furigana.ReplaceAllString(words["push.neutral"], "$1")
	}
	return out, nil
}

func (b *builder) esbuild(entry, names string, define map[string]string) (map[string][]byte, error) {
	outdir := filepath.Join(b.dir, "out")
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:     b.dir,
		EntryPoints:       []string{entry},
		EntryNames:        names,
		Outdir:            outdir,
		Define:            define,
		Bundle:            true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		Charset:           api.CharsetUTF8,
		LegalComments:     api.LegalCommentsNone,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		TsconfigRaw:       `{"compilerOptions":{"target":"ES2022"}}`,
		LogLevel:          api.LogLevelSilent,
	})
	var faults []error
	for _, m := range append(result.Errors, result.Warnings...) {
		where := entry
		if m.Location != nil {
			where = fmt.Sprintf("%s:%d", m.Location.File, m.Location.Line)
		}
		faults = append(faults, fmt.Errorf("cannot bundle %s: %s", where, m.Text))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, f := range result.OutputFiles {
		name, err := filepath.Rel(outdir, f.Path)
		if err != nil {
			return nil, fmt.Errorf("cannot name an output: %w", err)
		}
		out[filepath.ToSlash(name)] = f.Contents
	}
	return out, nil
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
