package trust

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing/fstest"
)

// maxFiles bounds what ReadTar unpacks.
const maxFiles = 2 * MaxFiles

// ReadTar unpacks a layout that WriteTar wrote into memory, for Load and for keeping.
// Only regular files with plain relative names are taken.
func ReadTar(r io.Reader) (fs.FS, error) {
	files := map[string][]byte{}
	t := tar.NewReader(io.LimitReader(r, MaxTotal))
	total := int64(0)
	for {
		head, err := t.Next()
		if errors.Is(err, io.EOF) {
			return memory(files), nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the trust bundle: %w", err)
		}
		total += head.Size
		_, twice := files[head.Name]
		switch {
		case head.Typeflag == tar.TypeDir:
			continue
		case head.Typeflag != tar.TypeReg || !fs.ValidPath(head.Name) || head.Name == "." || twice:
			return nil, errors.New("cannot read the trust bundle: an entry that is no plain file")
		case total > MaxTotal || len(files) >= maxFiles:
			return nil, errors.New("cannot read the trust bundle: too large")
		}
		if files[head.Name], err = io.ReadAll(t); err != nil {
			return nil, fmt.Errorf("cannot read the trust bundle: %w", err)
		}
	}
}

// memory serves files from a map; the library's map-backed file system is enough.
func memory(files map[string][]byte) fs.FS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: text, Mode: 0o444}
	}
	return m
}
