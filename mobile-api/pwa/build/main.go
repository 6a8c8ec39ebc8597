// Command build writes the citizen app's built files. It promises that mobile-api/pwa/dist
// afterwards holds exactly what mobile-api/pwa/src builds:
//
//	go run ./mobile-api/pwa/build
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"madoguchi.example/mobile-api/pwa/internal/bundle"
)

func main() {
	if err := run("mobile-api/pwa", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run rebuilds root/dist from root/src.
func run(root string, out io.Writer) error {
	if _, err := os.Stat(filepath.Join(root, "src", "main.ts")); err != nil {
		return errors.New("cannot find mobile-api/pwa/src: run this from the folder of go.work")
	}
	files, err := bundle.Build(filepath.Join(root, "src"))
	if err != nil {
		return err
	}
	dist := filepath.Join(root, "dist")
	if err := os.RemoveAll(dist); err != nil {
		return fmt.Errorf("cannot clear dist: %w", err)
	}
	for name, content := range files {
		to := filepath.Join(dist, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("cannot make a folder: %w", err)
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			return fmt.Errorf("cannot write a built file: %w", err)
		}
	}
	fmt.Fprintf(out, "%d files in %s\n", len(files), dist)
	return nil
}
