package houserules

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const prefix = "madoguchi.example/"

// pkg is what `go list` tells of one package.
type pkg struct {
	ImportPath, Name, Dir, Doc                   string
	GoFiles, TestGoFiles, XTestGoFiles, CgoFiles []string
	Imports, TestImports, XTestImports           []string
}

func (p pkg) path() string { return strings.TrimPrefix(p.ImportPath, prefix) }

func root(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOWORK").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Dir,Doc,GoFiles,TestGoFiles,XTestGoFiles,CgoFiles,Imports,TestImports,XTestImports", "work")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list the packages: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("only %d packages were listed", len(all))
	}
	return all
}

// tracked lists the files that git knows or would know, relative to the root.
func tracked(t *testing.T) (string, []string) {
	t.Helper()
	dir := root(t)
	cmd := exec.Command("git", "ls-files", "-co", "--exclude-standard")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list the files: %v", err)
	}
	return dir, strings.Split(strings.TrimSpace(string(out)), "\n")
}

// under tells whether path is the folder or below it.
func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func anyUnder(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return under(path, f) })
}

// mayImport says which sibling folders the code of a module may import.
var mayImport = map[string][]string{
	"shared":          nil,
	"mobile-api":      {"shared"},
	"firmware-config": {"shared"},
	"backend":         {"shared", "mobile-api", "firmware-config/profile"},
	"agent":           {"shared", "firmware-config/updater", "firmware-config/profile"},
	"deploy":          {"shared/wire", "mobile-api/client", "agent/agenttest", "backend/intaketest"},
}

// harnesses let the tests of deploy run what is internal to another module. They take
// clocks, keys and stores as tests do, so only tests may import them.
var harnesses = []string{"agent/agenttest", "backend/intaketest"}

func TestOnlyTestsImportHarnesses(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if slices.Contains(harnesses, strings.TrimPrefix(imported, prefix)) {
				t.Errorf("%s imports %s outside its tests", p.path(), imported)
			}
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			harness := strings.TrimPrefix(imported, prefix)
			if !slices.Contains(harnesses, harness) {
				continue
			}
			seen++
			if !anyUnder(p.path(), "deploy", harness) {
				t.Errorf("the tests of %s import %s: only those of deploy may", p.path(), imported)
			}
		}
	}
	if seen == 0 {
		t.Error("no test imports a harness: the rule sees nothing")
	}
}

// onlyIn says where a library may be imported, with the reason.
var onlyIn = []struct {
	library string
	folders []string
	why     string
}{
	{"github.com/gofiber/", []string{"backend/internal/httpapi"}, "a move to another server touches one package"},
	{"github.com/riverqueue/", []string{"backend/internal/job", "backend/internal/store/migrations"}, "the job engine can be replaced"},
	{"firebase.google.com/", []string{"backend/internal/push/fcm"}, "fifty modules stay out of everything else"},
	{"cel.dev/", []string{"shared/benefit/rule"}, "rules are evaluated in one place"},
	{"go.etcd.io/bbolt", []string{"agent/internal/queue", "agent/internal/vault"}, "storage types stay at the edge"},
	{"github.com/theupdateframework/", []string{"firmware-config/repository", "firmware-config/updater"}, "TUF's traps are closed in one place"},
	{"database/sql", []string{"backend/internal/store", "backend/internal/job", "deploy/faults/witness"}, "SQL stays below the store"},
	{"modernc.org/sqlite", []string{"backend/internal/store", "deploy/faults/witness"}, "SQL stays below the store"},
	{"github.com/jackc/pgx", []string{"backend/internal/store"}, "SQL stays below the store"},
	{"net/http/httptest", []string{}, "tests only"},
	{"go.bug.st/serial", []string{"agent/internal/scanner/serial"}, "ports are opened in one place"},
	{"github.com/fsnotify/", []string{"agent/internal/oqsfolder"}, "one package watches folders"},
}

// closed are packages that may not import what is named: parts that promise to reach nothing.
var closed = []struct {
	folder  string
	imports []string
	why     string
}{
	{"agent/internal/rehearsal", []string{"os", "os/exec", "net", "net/http", "syscall", "agent/internal/card/pcsc", "agent/internal/oqsfolder", "agent/internal/terminal", "agent/internal/control"}, "what is practised reaches nothing"},
	{"agent/internal/check", []string{"net", "net/http", "os", "agent/internal/card", "agent/internal/oqsfolder", "agent/internal/door"}, "the act knows no devices, folders or pages"},
	{"agent/internal/casebook", []string{"net", "net/http", "os"}, "rows lie in the vault alone"},
	{"agent/internal/reception", []string{"agent/internal/card/pcsc", "agent/internal/oqsfolder", "agent/internal/vault", "agent/internal/terminal"}, "pages show what check decides"},
	{"shared", []string{"net/http", "os", "os/exec"}, "shared is pure"},
}

func TestWhatIsClosedReachesNothing(t *testing.T) {
	for _, p := range packages(t) {
		for _, rule := range closed {
			for _, imported := range p.Imports {
				imported = strings.TrimPrefix(imported, prefix)
				if under(p.path(), rule.folder) && slices.Contains(rule.imports, imported) {
					t.Errorf("%s imports %s: %s", p.path(), imported, rule.why)
				}
			}
		}
	}
}

// The socket of the PC/SC daemon is known to one package, and so are the element names of
// the 資格確認端末's documents; stand-ins write their own.
func TestProtocolsHaveOneHome(t *testing.T) {
	homes := []struct{ word, home string }{
		{"SCARD_" + "E_", "agent/internal/card/pcsc"}, {"/run/pcscd/" + "pcscd.comm", "agent/internal/card/pcsc"},
		{"OQSsiquc01" + "req", "shared/oqs"}, {"ArbitraryFile" + "Identifier\"", "shared/oqs"}, {"QualificationConfirm" + "SearchInfo", "shared/oqs"},
	}
	source(t, false, func(p pkg, file string, _ *token.FileSet, f *ast.File) {
		if under(p.path(), "deploy") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return true
			}
			for _, h := range homes {
				if strings.Contains(text.Value, h.word) && !under(p.path(), h.home) {
					t.Errorf("%s/%s writes %s: only %s does", p.path(), file, h.word, h.home)
				}
			}
			return true
		})
	})
}

func TestImportDirections(t *testing.T) {
	for _, p := range packages(t) {
		path := p.path()
		module, _, _ := strings.Cut(path, "/")
		for _, imported := range p.Imports {
			if sibling, ours := strings.CutPrefix(imported, prefix); ours {
				if !under(sibling, module) && !anyUnder(sibling, mayImport[module]...) {
					t.Errorf("%s imports %s: %s may import %v only", path, sibling, module, mayImport[module])
				}
				continue
			}
			for _, rule := range onlyIn {
				if (imported == rule.library || strings.HasPrefix(imported, rule.library)) && !anyUnder(path, rule.folders...) {
					t.Errorf("%s imports %s: only %v may, because %s", path, imported, rule.folders, rule.why)
				}
			}
		}
	}
}

func TestInsideAServiceDataFlowsOneWay(t *testing.T) {
	edges := []string{"backend/internal/httpapi", "backend/internal/worker", "agent/internal/reception"}
	wiring := []string{"backend/internal/app", "agent/internal/app"}
	for _, p := range packages(t) {
		path := p.path()
		for _, imported := range p.Imports {
			imported = strings.TrimPrefix(imported, prefix)
			if anyUnder(imported, wiring...) && !strings.Contains(path, "/cmd/") && !anyUnder(path, wiring...) {
				t.Errorf("%s imports the wiring %s", path, imported)
			}
			if anyUnder(imported, edges...) && !anyUnder(path, append(edges, wiring...)...) {
				t.Errorf("%s imports the edge %s", path, imported)
			}
			if slices.Contains(harnesses, path) {
				continue // it wires what it tests, and looks into the store
			}
			if imported == "backend/internal/store/sqltx" && !anyUnder(path, "backend/internal/store", "backend/internal/job") {
				t.Errorf("%s turns a Tx into SQL; only the store's packages and job may", path)
			}
			if under(imported, "backend/internal/store") && imported != "backend/internal/store/sqltx" &&
				!anyUnder(path, "backend/internal/store", "backend/internal/job", "backend/internal/app") {
				t.Errorf("%s imports %s: use cases know tx, not the store", path, imported)
			}
		}
		if under(path, "deploy/practice") {
			for _, imported := range p.Imports {
				if strings.HasPrefix(imported, prefix) && !strings.HasPrefix(imported, prefix+"deploy/practice") {
					t.Errorf("%s imports %s: a stand-in that shares our code proves nothing", path, imported)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItPromises(t *testing.T) {
	vague := []string{"model", "models", "util", "utils", "common", "manager", "service", "types", "helpers", "misc"}
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && len(strings.Fields(p.Doc)) < 5 {
			t.Errorf("%s has no package comment", p.path())
		}
		if slices.Contains(vague, p.Name) {
			t.Errorf("%s: the name %q says nothing", p.path(), p.Name)
		}
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s needs cgo", p.path())
		}
	}
}

// source calls visit for every Go file of ours.
func source(t *testing.T, tests bool, visit func(p pkg, file string, fset *token.FileSet, f *ast.File)) {
	t.Helper()
	for _, p := range packages(t) {
		files := p.GoFiles
		if tests {
			files = slices.Concat(p.TestGoFiles, p.XTestGoFiles)
		}
		for _, name := range files {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			visit(p, name, fset, f)
		}
	}
}

// uses lists the places where one of the named members of an imported package is mentioned.
func uses(f *ast.File, importPath string, members ...string) []token.Pos {
	name := ""
	for _, s := range f.Imports {
		if s.Path.Value == strconv.Quote(importPath) {
			name = importPath[strings.LastIndex(importPath, "/")+1:]
			if s.Name != nil {
				name = s.Name.Name
			}
		}
	}
	if name == "" {
		return nil
	}
	var found []token.Pos
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == name && (len(members) == 0 || slices.Contains(members, sel.Sel.Name)) {
				found = append(found, sel.Pos())
			}
		}
		return true
	})
	return found
}

func TestTimeAndRandomnessAreInjected(t *testing.T) {
	source(t, false, func(p pkg, file string, fset *token.FileSet, f *ast.File) {
		path := p.path()
		if p.Name == "main" || strings.HasSuffix(path, "/internal/app") || under(path, "deploy/stage") || under(path, "backend/internal/store/storetest") {
			return
		}
		bad := slices.Concat(uses(f, "time", "Now", "Since", "Until"), uses(f, "crypto/rand", "Reader", "Read", "Text"), uses(f, "math/rand"),
			uses(f, "math/rand/v2", "N", "Int", "IntN", "Int64N", "Float64", "Perm", "Shuffle"), uses(f, "github.com/google/uuid", "New", "NewString", "NewV7", "NewRandom"))
		for _, pos := range bad {
			t.Errorf("%s: time and randomness are injected (only main packages and internal/app take them from the machine)", place(fset, pos))
		}
	})
}

// TestThePracticeClockIsInNoDeliveredProgram looks for the variable that moves a program's
// time: only files with the tag practice, the stage that sets it and tests may know it.
func TestThePracticeClockIsInNoDeliveredProgram(t *testing.T) {
	const variable = "MADOGUCHI_PRACTICE_" + "CLOCK"
	dir, files := tracked(t)
	tagged := 0
	for _, file := range files {
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || under(file, "deploy/stage") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !bytes.Contains(text, []byte(variable)) {
			continue
		}
		if !bytes.HasPrefix(text, []byte("//go:build practice\n")) {
			t.Errorf("%s knows %s and is built without the tag practice", file, variable)
		}
		tagged++
	}
	if tagged != 3 {
		t.Errorf("%d files read the practice clock, want one for the backend, the agent and the partners", tagged)
	}
	for _, p := range packages(t) {
		if i := slices.Index(p.GoFiles, "clock_practice.go"); i >= 0 {
			t.Errorf("%s takes %s without the tag", p.path(), p.GoFiles[i])
		}
	}
}

func TestNothingSleeps(t *testing.T) {
	for _, tests := range []bool{true, false} {
		source(t, tests, func(p pkg, file string, fset *token.FileSet, f *ast.File) {
			for _, pos := range uses(f, "time", "Sleep") {
				if tests && imports(f, "testing/synctest") {
					continue // the bubble's clock, not the machine's
				}
				t.Errorf("%s: wait for the event, not for the clock", place(fset, pos))
			}
		})
	}
}

func imports(f *ast.File, path string) bool {
	return slices.ContainsFunc(f.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == strconv.Quote(path) })
}

func TestMainIsShort(t *testing.T) {
	for _, p := range packages(t) {
		if p.Name != "main" {
			continue
		}
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(text, []byte("\n")); name == "main.go" && n >= 40 {
				t.Errorf("%s/main.go has %d lines", p.path(), n)
			}
		}
	}
}

func place(fset *token.FileSet, pos token.Pos) string {
	where := fset.Position(pos)
	return filepath.Base(filepath.Dir(where.Filename)) + "/" + filepath.Base(where.Filename) + ":" + strconv.Itoa(where.Line)
}

func TestModulesNameNoSiblingAndReplaceNothing(t *testing.T) {
	dir := root(t)
	files, _ := filepath.Glob(filepath.Join(dir, "*", "go.mod"))
	files = append(files, filepath.Join(dir, "go.work"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel(dir, file)
		if regexp.MustCompile(`(?m)^\s*replace\b`).Match(text) {
			t.Errorf("%s has a replace", rel)
		}
		if regexp.MustCompile(`(?m)^\s*(require )?` + regexp.QuoteMeta(prefix) + `\S+ v`).Match(text) {
			t.Errorf("%s names a sibling", rel)
		}
		if !regexp.MustCompile(`(?m)^go 1\.26\.0$`).Match(text) {
			t.Errorf("%s does not say go 1.26.0", rel)
		}
	}
}

// generated are files whose digits are made by machines.
var generated = regexp.MustCompile(`(^|/)(go\.sum|go\.work\.sum|package-lock\.json|openapi\.json)$|/dist/|\.min\.js$|/testdata/fuzz/|\.(png|woff2|ico|zst)$`)

var twelve = regexp.MustCompile(`\d{12,}`)

func TestNoMyNumberInAnyFile(t *testing.T) {
	const published = "123456789018" // the worked example of the check digit
	eachText(t, func(file, text string) {
		for _, run := range twelve.FindAllString(text, -1) {
			if len(run) == 12 && run != published && myNumber(run) {
				t.Errorf("%s: a run of twelve digits passes the My Number check", file)
			}
		}
	})
}

// myNumber is the check of 総務省令 第85号 第5条, written here a second time on purpose.
func myNumber(s string) bool {
	sum := 0
	for n := 1; n <= 11; n++ {
		q := n + 1
		if n > 6 {
			q = n - 5
		}
		sum += int(s[11-n]-'0') * q
	}
	check := 0
	if r := sum % 11; r > 1 {
		check = 11 - r
	}
	return int(s[11]-'0') == check
}

func TestTheCheckOfMyNumbersCanFail(t *testing.T) {
	if !myNumber("123456789018") || myNumber("123456789012") {
		t.Fatal("the published example is not told from a wrong one")
	}
}

func TestNoUnfinishedBusinessAndNoForeignHosts(t *testing.T) {
	words := regexp.MustCompile(`\b(` + "TO" + "DO|FIX" + "ME|XX" + `X)\b`)
	hosts := regexp.MustCompile(`proxy\.go` + `lang\.org|registry\.npm` + `js\.org|deb\.deb` + `ian\.org`)
	eachText(t, func(file, text string) {
		if words.MatchString(text) && !strings.HasSuffix(file, ".min.js") {
			t.Errorf("%s: unfinished business", file)
		}
		if hosts.MatchString(text) {
			t.Errorf("%s names a package registry's host", file)
		}
	})
}

func eachText(t *testing.T, visit func(file, text string)) {
	t.Helper()
	dir, files := tracked(t)
	for _, file := range files {
		if generated.MatchString(file) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			continue // deleted in the working tree, or not text
		}
		visit(file, string(text))
	}
}
