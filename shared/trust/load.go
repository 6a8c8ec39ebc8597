package trust

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"madoguchi.example/shared/internal/jsonpull"
)

// Limits of the layout.
const (
	MaxIssuer     = 512      // characters of an issuer's name
	MaxFiles      = 4096     // files of one section
	MaxIssuerFile = 16 << 20 // bytes of one issuer's file
	MaxTotal      = 64 << 20 // bytes of the whole layout
	maxSnapshot   = 64 << 10 // bytes of snapshot.json
	snapshotFile  = "snapshot.json"
)

// Section is the part of a layout that one format reads: the folder of its name. Load gives
// the format's anchors, which Snapshot.Section hands back; the folder may be empty or
// absent. It fails where a file cannot be read as what it is, and notes what it leaves out.
type Section struct {
	Name string
	Load func(f *Folder) (anchors any, err error)
}

// Folder is one section's folder while it is loaded.
type Folder struct {
	fsys   fs.FS
	name   string
	names  []string
	dated  bool
	budget *int64 // bytes that the layout may still hold
	note   func(Note)
}

// Names lists the files whose names end in one of the suffixes, sorted.
func (f *Folder) Names(suffixes ...string) []string {
	var out []string
	for _, name := range f.names {
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) }) {
			out = append(out, name)
		}
	}
	return out
}

// Read gives a file of at most limit bytes. Files absent are fs.ErrNotExist.
func (f *Folder) Read(name string, limit int64) ([]byte, error) {
	text, err := readBounded(f.fsys, path.Join(f.name, name), min(limit, *f.budget))
	*f.budget -= int64(len(text))
	return text, err
}

// Dated tells whether the layout says when it was made. One that does not is never stale.
func (f *Folder) Dated() bool { return f.dated }

// Place names a file of the folder within the layout.
func (f *Folder) Place(name string) string { return path.Join(f.name, name) }

// Note tells of something that was left out of the file.
func (f *Folder) Note(name string, err error) {
	f.note(Note{Place: f.Place(name), Reason: err.Error()})
}

// Load reads the layout: snapshot.json {"as_of","max_age"} (a Go duration or seconds;
// absent: never stale) and one folder for each of the sections. Other files and folders
// are left alone.
func Load(fsys fs.FS, sections []Section) (Snapshot, error) {
	s := Snapshot{sections: map[string]any{}, loaded: new(byte)}
	if _, err := fs.Stat(fsys, "."); err != nil {
		return Snapshot{}, fmt.Errorf("cannot read the trust folder: %w", err)
	}
	if err := s.readAge(fsys); err != nil {
		return Snapshot{}, fmt.Errorf("cannot read %s: %w", snapshotFile, err)
	}
	budget := int64(MaxTotal)
	for _, section := range sections {
		f := &Folder{fsys: fsys, name: section.Name, dated: !s.asOf.IsZero(), budget: &budget, note: func(n Note) { s.notes = append(s.notes, n) }}
		if err := f.list(); err != nil {
			return Snapshot{}, fmt.Errorf("cannot read the folder %s: %w", section.Name, err)
		}
		anchors, err := section.Load(f)
		if err != nil {
			return Snapshot{}, err
		}
		s.sections[section.Name] = anchors
	}
	return s, nil
}

func (f *Folder) list() error {
	entries, err := fs.ReadDir(f.fsys, f.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			f.names = append(f.names, entry.Name())
		}
	}
	if len(f.names) > MaxFiles {
		return fmt.Errorf("more than %d files", MaxFiles)
	}
	return nil
}

func (s *Snapshot) readAge(fsys fs.FS) error {
	text, err := readBounded(fsys, snapshotFile, maxSnapshot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.asOf, s.maxAge, err = parseAge(text)
	return err
}

func parseAge(text []byte) (asOf time.Time, maxAge time.Duration, err error) {
	r := jsonpull.New(string(text))
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "as_of":
			if asOf, err = time.Parse(time.RFC3339, r.Text()); err != nil {
				r.Fault("as_of is not a time of RFC 3339")
			}
		case "max_age":
			maxAge = readDuration(r)
		}
	}
	switch {
	case r.End() != nil:
		return time.Time{}, 0, r.End()
	case maxAge > 0 && asOf.IsZero():
		return time.Time{}, 0, errors.New("max_age without as_of")
	}
	return asOf, maxAge, nil
}

func readDuration(r *jsonpull.Reader) time.Duration {
	const most = 100 * 365 * 24 * time.Hour
	var d time.Duration
	switch r.Kind() {
	case jsonpull.String:
		var err error
		if d, err = time.ParseDuration(r.Text()); err != nil {
			r.Fault("max_age is not a duration")
		}
	default:
		seconds := r.Float()
		if seconds > most.Seconds() {
			seconds = 0
			r.Fault("max_age is out of range")
		}
		d = time.Duration(seconds * float64(time.Second))
	}
	if d <= 0 || d > most {
		r.Fault("max_age is out of range")
	}
	return d
}

// byteOrderMark is what editors put before a text in UTF-8 (RFC 8259 section 8.1 lets a
// reader pass over it; nothing in DER begins so).
var byteOrderMark = []byte("\ufeff")

// readBounded reads a file of at most limit bytes, without a byte order mark before it.
func readBounded(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return bytes.TrimPrefix(text, byteOrderMark), nil
}
