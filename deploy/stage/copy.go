package stage

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Copy makes a second terminal out of one that does not run, as restoring one disk image on
// two machines does: the same identity, keys and queue.
func (s *Stage) Copy(of *Terminal) (*Terminal, error) {
	s.mu.Lock()
	name := fmt.Sprintf("agent-%d", len(s.terminals)+1)
	s.mu.Unlock()
	t := &Terminal{Office: of.Office, Dir: s.path(name), stage: s}
	if err := copyTree(filepath.Join(of.Dir, "state"), filepath.Join(t.Dir, "state")); err != nil {
		return nil, fmt.Errorf("cannot copy a terminal: %w", err)
	}
	var err error
	if t.Config, err = s.config(name, s.terminalConfig(t, Equipment{})); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.terminals = append(s.terminals, t)
	s.mu.Unlock()
	return t, nil
}

// copyTree copies folders and files with their permissions. Sockets stay behind.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, name); {
		case e.IsDir():
			return os.MkdirAll(target, info.Mode().Perm()|0o700)
		case info.Mode().IsRegular():
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(target, raw, info.Mode().Perm())
		}
		return nil
	})
}
