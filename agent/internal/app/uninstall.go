package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"madoguchi.example/agent/internal/config"
	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/outbox"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
)

const (
	uninstallUsage = "uninstall [--config FILE] [--export FILE] --yes"
	uninstallHelp  = "delete this terminal's keys and then all it keeps; refuses (exit 3) while records wait or were not taken, unless they are in an export"
)

// ExitKept is uninstall's exit code where records would be lost, and nothing was deleted.
const ExitKept = 3

// uninstall deletes the terminal's keys and state.
func uninstall(ctx context.Context, w World, args []string) error {
	set, path := flags("uninstall")
	export := set.String("export", "", "file to write an export to before anything is deleted")
	yes := set.Bool("yes", false, "delete")
	if err := parse(set, args); err != nil {
		return err
	}
	c, err := load(w, *path)
	if err != nil {
		return err
	}
	runs, err := running(ctx, c)
	if err != nil {
		return fmt.Errorf("cannot look whether the agent runs, so nothing is deleted: %w", err)
	}
	if runs {
		return fault.New(fault.Conflict, "the agent runs: stop it first")
	}
	if !*yes {
		return usage("say --yes to delete the keys and all that is in %s", c.StateDir)
	}
	if err := nothingWaits(ctx, c, w, *export); err != nil {
		return err
	}
	left, err := wipe(c)
	if err != nil {
		return err
	}
	for _, name := range left {
		fmt.Fprintf(w.Stdout, "left, for it is none of the terminal's: %s\n", name)
	}
	_, err = fmt.Fprintln(w.Stdout, "the keys and the terminal's file are deleted; withdraw the terminal in the office console too")
	return err
}

// nothingWaits makes sure that nothing is lost: nothing waits and no dead letter is there, or
// all of it is in an export. Its error carries ExitKept where something would be lost.
func nothingWaits(ctx context.Context, c config.Config, w World, export string) error {
	b, done, err := openBox(ctx, c, w)
	if err != nil {
		return fmt.Errorf("cannot look whether records wait, so nothing is deleted: %w", err)
	}
	return errors.Join(noStandIn(c, w), exported(ctx, w, b, export), done())
}

// noStandIn makes sure that no stand-in lies there whose records the opening before could not
// take in.
func noStandIn(c config.Config, w World) error {
	path := filepath.Join(c.StateDir, vault.StandInDir)
	_, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot look for a stand-in, so nothing is deleted: %w", err)
	}
	fmt.Fprintf(w.Stderr, "madoguchi-agent: records of a time without the key could not be taken in: nothing was deleted. Start the agent once, or move %s to a safe place\n", path)
	return saidCode(ExitKept)
}

func exported(ctx context.Context, w World, b box, export string) error {
	if export != "" {
		e, err := exportTo(ctx, b, export)
		if err != nil {
			return err
		}
		fmt.Fprintf(w.Stdout, "%d records are in %s, sealed to the office\n", e.Records, export)
	}
	f, err := b.Figures(ctx)
	if err != nil {
		return err
	}
	if atRisk(f) {
		fmt.Fprintf(w.Stderr, "madoguchi-agent: %d records wait to be sent and %d were not taken: nothing was deleted. Connect the line, or say --export FILE\n", f.Pending, f.DeadLetters)
		return saidCode(ExitKept)
	}
	return nil
}

// atRisk tells that records are here alone.
func atRisk(f outbox.Figures) bool { return f.Pending+f.DeadLetters > 0 && !f.Exported }

// What of the state folder is the terminal's own. Keys go first: what a power cut leaves
// behind after them opens no more.
var (
	ownKeys = []string{filepath.Join(vault.StandInDir, vault.KeyFileName), filepath.Join(vault.StandInDir, vault.KeysDir), vault.KeysDir, "vault.key*", "terminal.key", "answers.key", "lan"}
	ownRest = []string{vault.FileName + "*", vault.StandInDir, "terminal.json", "profile.json", "trust", "address", control.SocketName, ".export-*", ".control-*", "madoguchi-open-*.html"}
)

// wipe deletes keys, then the rest, and tells what is in the folder and none of the
// terminal's.
func wipe(c config.Config) (left []string, err error) {
	keys := ownKeys
	if c.Vault.KeyFile != "" {
		keys = append(slices.Clone(keys), c.Vault.KeyFile)
	}
	for _, patterns := range [][]string{keys, ownRest} {
		if err := removeAll(c.StateDir, patterns); err != nil {
			return nil, err
		}
	}
	entries, err := os.ReadDir(c.StateDir)
	if err != nil {
		return nil, fmt.Errorf("cannot look at what is left: %w", err)
	}
	for _, e := range entries {
		left = append(left, filepath.Join(c.StateDir, e.Name()))
	}
	if len(left) > 0 {
		return left, nil
	}
	// An empty folder that stays harms nobody: it may be a mount, or belong to the system.
	if err := os.Remove(c.StateDir); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EBUSY) {
		return nil, fmt.Errorf("cannot remove the terminal's folder: %w", err)
	}
	return nil, nil
}

// removeAll deletes what the patterns name, and makes that durable.
func removeAll(dir string, patterns []string) error {
	for _, p := range patterns {
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		found, err := filepath.Glob(p)
		if err != nil {
			return fmt.Errorf("cannot look for %s: %w", p, err)
		}
		for _, name := range found {
			if err := os.RemoveAll(name); err != nil {
				return fmt.Errorf("cannot delete %s: %w", name, err)
			}
		}
	}
	return syncFolder(dir)
}

// syncFolder makes the names in a folder durable. Windows has no such call.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot open the folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("cannot make the folder durable: %w", err)
	}
	return nil
}
