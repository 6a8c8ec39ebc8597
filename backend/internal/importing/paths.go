package importing

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Files makes sources of the paths that an operator named. Of a folder it takes the
// files of Order that lie there; a file is taken as it is.
func Files(paths ...string) ([]Source, error) {
	var out []Source
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("cannot look at the import path: %w", err)
		}
		if !info.IsDir() {
			out = append(out, source(p, info.Size()))
			continue
		}
		for _, name := range Order {
			in := filepath.Join(p, name)
			if info, err := os.Stat(in); err == nil && info.Mode().IsRegular() {
				out = append(out, source(in, info.Size()))
			}
		}
	}
	return out, nil
}

func source(path string, size int64) Source {
	return Source{
		Name: filepath.Base(path), Size: size,
		Open: func() (io.ReadCloser, error) { return os.Open(path) },
	}
}
