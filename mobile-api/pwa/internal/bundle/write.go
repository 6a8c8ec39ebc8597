package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write rebuilds root/dist from root/src and gives the number of files. What was in dist
// before is removed.
func Write(root string) (int, error) {
	if _, err := os.Stat(filepath.Join(root, "src", "main.ts")); err != nil {
		return 0, errors.New("cannot find the app's sources: run this from the folder of go.work")
	}
	files, err := Build(filepath.Join(root, "src"))
	if err != nil {
		return 0, err
	}
	dist := filepath.Join(root, "dist")
	if err := os.RemoveAll(dist); err != nil {
		return 0, fmt.Errorf("cannot clear dist: %w", err)
	}
	for name, content := range files {
		to := filepath.Join(dist, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return 0, fmt.Errorf("cannot make a folder: %w", err)
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			return 0, fmt.Errorf("cannot write a built file: %w", err)
		}
	}
	return len(files), nil
}
