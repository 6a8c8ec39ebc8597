package trust

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"
)

// Bundle is a snapshot to be written. Its files are published as they are: the texts that
// the issuers serve.
type Bundle struct {
	AsOf   time.Time
	MaxAge time.Duration     // zero: never stale
	Files  map[string][]byte // by name within the layout, "shc/….json"
	// Sections read the files back before they are written: a bundle holds nothing that a
	// terminal would refuse or leave out. Files outside of them are refused.
	Sections []Section
}

// IssuerFile gives the file of one issuer in the section whose folder is given, as
// LoadIssuers reads it, and its name within the layout.
func IssuerFile(folder, iss string, jwks json.RawMessage, crls ...json.RawMessage) (name string, text []byte, err error) {
	if crls == nil {
		crls = []json.RawMessage{}
	}
	text, err = json.Marshal(struct {
		ISS  string            `json:"iss"`
		JWKS json.RawMessage   `json:"jwks"`
		CRLs []json.RawMessage `json:"crls"`
	}{iss, jwks, crls})
	if err != nil {
		return "", nil, fmt.Errorf("cannot write an issuer: %w", err)
	}
	sum := sha256.Sum256([]byte(iss))
	return folder + "/" + hex.EncodeToString(sum[:8]) + ".json", text, nil
}

// files gives the whole layout, read back as a terminal would.
func (b Bundle) files() (map[string][]byte, error) {
	files := maps.Clone(b.Files)
	if files == nil {
		files = map[string][]byte{}
	}
	for name := range files {
		if !slices.ContainsFunc(b.Sections, func(s Section) bool { return path.Dir(name) == s.Name }) {
			return nil, fmt.Errorf("cannot write the trust bundle: %s is of no format that is read", name)
		}
	}
	if !b.AsOf.IsZero() {
		age := struct {
			AsOf   time.Time `json:"as_of"`
			MaxAge string    `json:"max_age,omitempty"`
		}{AsOf: b.AsOf.UTC()}
		if b.MaxAge > 0 {
			age.MaxAge = b.MaxAge.String()
		}
		text, err := json.Marshal(age)
		if err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", snapshotFile, err)
		}
		files[snapshotFile] = text
	}
	s, err := Load(memory(files), b.Sections)
	if err != nil {
		return nil, err
	}
	if len(s.notes) > 0 {
		return nil, fmt.Errorf("cannot write the trust bundle: %s: %s", s.notes[0].Place, s.notes[0].Reason)
	}
	return files, nil
}

// WriteTar writes the layout as a tar. The same bundle gives the same bytes.
func (b Bundle) WriteTar(w io.Writer) error {
	files, err := b.files()
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		head := tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), ModTime: b.AsOf.UTC().Truncate(time.Second), Format: tar.FormatUSTAR}
		if err := t.WriteHeader(&head); err != nil {
			return fmt.Errorf("cannot write the trust bundle: %w", err)
		}
		if _, err := t.Write(files[name]); err != nil {
			return fmt.Errorf("cannot write the trust bundle: %w", err)
		}
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("cannot write the trust bundle: %w", err)
	}
	return nil
}

// FS gives the layout as a file system in memory, for Load.
func (b Bundle) FS() (fs.FS, error) {
	files, err := b.files()
	if err != nil {
		return nil, err
	}
	return memory(files), nil
}
