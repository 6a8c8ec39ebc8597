package trust

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"time"
)

// Bundle is a snapshot to be written. Its documents are published as they are: JWKS and
// CRLs are the texts that the issuer serves.
type Bundle struct {
	AsOf   time.Time
	MaxAge time.Duration // zero: never stale
	SHC    []SHCIssuer
}

// SHCIssuer is one pinned issuer of SMART Health Cards.
type SHCIssuer struct {
	ISS  string            `json:"iss"`
	JWKS json.RawMessage   `json:"jwks"`
	CRLs []json.RawMessage `json:"crls"`
}

// Files gives the layout as file names and contents. It refuses what Load would refuse,
// and what Load would only note: a bundle is our own.
func (b Bundle) Files() (map[string][]byte, error) {
	files := map[string][]byte{}
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
	for _, issuer := range b.SHC {
		if issuer.CRLs == nil {
			issuer.CRLs = []json.RawMessage{}
		}
		text, err := json.Marshal(issuer)
		if err != nil {
			return nil, fmt.Errorf("cannot write an issuer: %w", err)
		}
		files[issuerName(issuer.ISS)] = text
	}
	return files, check(files, len(b.SHC))
}

// check reads the layout as a terminal would.
func check(files map[string][]byte, issuers int) error {
	s, err := Load(memory(files))
	if err != nil {
		return err
	}
	if len(s.shc) != issuers {
		return errors.New("cannot write the layout: an issuer stands twice")
	}
	if len(s.notes) > 0 {
		return fmt.Errorf("cannot write the layout: %s: %s", s.notes[0].Place, s.notes[0].Reason)
	}
	return nil
}

func issuerName(iss string) string {
	sum := sha256.Sum256([]byte(iss))
	return shcFolder + "/" + hex.EncodeToString(sum[:8]) + ".json"
}

// WriteTar writes the layout as a tar. The same bundle gives the same bytes.
func (b Bundle) WriteTar(w io.Writer) error {
	files, err := b.Files()
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
	files, err := b.Files()
	if err != nil {
		return nil, err
	}
	return memory(files), nil
}
