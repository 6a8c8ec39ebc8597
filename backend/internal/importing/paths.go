package importing

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Documents are the ends of names of files that are no CSV. Of a folder they are read after
// the CSV files, by name.
var Documents = []string{".fhir.json"}

// Files makes sources of the paths that an operator named. Of a folder it takes the
// files of Order and the Documents that lie there; a file is taken as it is.
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
		documents, err := documents(p)
		if err != nil {
			return nil, err
		}
		out = append(out, documents...)
	}
	return out, nil
}

// documents lists those of a folder by name.
func documents(folder string) ([]Source, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot look into the import folder: %w", err)
	}
	var out []Source
	for _, e := range entries {
		if !slices.ContainsFunc(Documents, func(end string) bool { return strings.HasSuffix(e.Name(), end) }) {
			continue
		}
		in := filepath.Join(folder, e.Name())
		if info, err := os.Stat(in); err == nil && info.Mode().IsRegular() {
			out = append(out, source(in, info.Size()))
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
