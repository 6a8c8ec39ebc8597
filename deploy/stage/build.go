package stage

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Programs is the folder with the built programs.
type Programs struct{ Dir string }

// The programs' names.
const (
	Backend  = "madoguchi-backend"
	Agent    = "madoguchi-agent"
	Practice = "madoguchi-practice"
	Demo     = "madoguchi-demo"
)

// Path gives the file of one program.
func (p Programs) Path(name string) string { return filepath.Join(p.Dir, name) }

// Check tells which programs are missing.
func (p Programs) Check() error {
	var faults []error
	for _, name := range []string{Backend, Agent, Practice} {
		if _, err := os.Stat(p.Path(name)); err != nil {
			faults = append(faults, fmt.Errorf("cannot find the program %s: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

// Root gives the project's root: the folder of go.work.
func Root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOWORK").Output()
	file := strings.TrimSpace(string(out))
	if err != nil || file == "" || file == "off" {
		return "", fmt.Errorf("cannot find go.work: %w", errors.Join(err, os.ErrNotExist))
	}
	return filepath.Dir(file), nil
}

// practiceTag is the build tag of programs that take their time from a Clock.
const practiceTag = "practice"

// MoveClocks tells whether the programs take their time from a Clock. They do all, or none.
func (p Programs) MoveClocks() (bool, error) {
	tagged := 0
	names := []string{Backend, Agent, Practice}
	for _, name := range names {
		info, err := buildinfo.ReadFile(p.Path(name))
		if err != nil {
			return false, fmt.Errorf("cannot tell how %s was built: %w", name, err)
		}
		for _, s := range info.Settings {
			if s.Key == "-tags" && slices.Contains(strings.Split(s.Value, ","), practiceTag) {
				tagged++
			}
		}
	}
	if tagged != 0 && tagged != len(names) {
		return false, errors.New("cannot use the programs: some were built with the tag practice and some without")
	}
	return tagged > 0, nil
}

// Build builds the programs and the demonstration into dir, without cgo and with the debug
// names left out. tags are build tags.
func Build(ctx context.Context, dir string, tags ...string) (Programs, error) {
	root, err := Root(ctx)
	if err != nil {
		return Programs{}, err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", strings.Join(tags, ","), "-ldflags", "-s -w", "-o", dir+string(filepath.Separator),
		"./backend/cmd/"+Backend, "./agent/cmd/"+Agent, "./deploy/cmd/"+Practice, "./deploy/cmd/"+Demo)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return Programs{}, fmt.Errorf("cannot build the programs: %w\n%s", err, out)
	}
	return Programs{dir}, nil
}

// Where programs that others built lie, instead of building them.
const (
	binVariable         = "MADOGUCHI_BIN"
	practiceBinVariable = "MADOGUCHI_PRACTICE_BIN"
)

var (
	built             = sync.OnceValues(func() (Programs, error) { return once(binVariable) })
	builtForPractice  = sync.OnceValues(func() (Programs, error) { return once(practiceBinVariable, practiceTag) })
	temporary         []string // folders that once made
	guardsOfTemporary sync.Mutex
)

func once(variable string, tags ...string) (Programs, error) {
	if dir := os.Getenv(variable); dir != "" {
		p := Programs{dir}
		return p, p.Check()
	}
	dir, err := os.MkdirTemp("", "madoguchi-bin-")
	if err != nil {
		return Programs{}, fmt.Errorf("cannot make a folder for the programs: %w", err)
	}
	guardsOfTemporary.Lock()
	temporary = append(temporary, dir)
	guardsOfTemporary.Unlock()
	return Build(context.Background(), dir, tags...)
}

// Built gives the programs as they are delivered, built once for this process into a
// temporary folder, or those of the folder MADOGUCHI_BIN.
func Built() (Programs, error) { return built() }

// BuiltForPractice is Built for programs that take their time from the stage's Clock; the
// folder MADOGUCHI_PRACTICE_BIN.
func BuiltForPractice() (Programs, error) { return builtForPractice() }

// Clean removes what Built and BuiltForPractice made.
func Clean() error {
	guardsOfTemporary.Lock()
	defer guardsOfTemporary.Unlock()
	var faults []error
	for _, dir := range temporary {
		faults = append(faults, os.RemoveAll(dir))
	}
	temporary = nil
	return errors.Join(faults...)
}
