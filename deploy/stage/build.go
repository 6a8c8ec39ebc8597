package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// Build builds the programs and the demonstration into dir, without cgo and with the debug names left out.
func Build(ctx context.Context, dir string) (Programs, error) {
	root, err := Root(ctx)
	if err != nil {
		return Programs{}, err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+string(filepath.Separator),
		"./backend/cmd/"+Backend, "./agent/cmd/"+Agent, "./deploy/cmd/"+Practice, "./deploy/cmd/"+Demo)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return Programs{}, fmt.Errorf("cannot build the programs: %w\n%s", err, out)
	}
	return Programs{dir}, nil
}

var built = sync.OnceValues(func() (Programs, error) {
	if dir := os.Getenv("MADOGUCHI_BIN"); dir != "" {
		p := Programs{dir}
		return p, p.Check()
	}
	dir, err := os.MkdirTemp("", "madoguchi-bin-")
	if err != nil {
		return Programs{}, fmt.Errorf("cannot make a folder for the programs: %w", err)
	}
	return Build(context.Background(), dir)
})

// Built gives the programs, built once for this process into a temporary folder, or those
// of the folder MADOGUCHI_BIN.
func Built() (Programs, error) { return built() }

// Clean removes what Built made.
func Clean() error {
	p, err := built()
	if err != nil || os.Getenv("MADOGUCHI_BIN") != "" {
		return nil // there is nothing of ours
	}
	return os.RemoveAll(p.Dir)
}
