package trust

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"madoguchi.example/shared/internal/jsonpull"
)

// Limits of the layout.
const (
	MaxIssuer     = 512      // characters of an issuer's name
	MaxIssuers    = 4096     // files below shc
	MaxIssuerFile = 16 << 20 // bytes of one file below shc
	MaxTotal      = 64 << 20 // bytes of the whole layout
	maxSnapshot   = 64 << 10 // bytes of snapshot.json
	snapshotFile  = "snapshot.json"
	shcFolder     = "shc"
)

// Load reads the layout: shc/*.json, each {"iss","jwks","crls"}, and snapshot.json
// {"as_of","max_age"} (a Go duration or seconds; absent: never stale). Other files and
// folders are left to the formats that know them. It fails where a file cannot be read as
// what it is; a bad key or list inside a readable file is left out and noted.
func Load(fsys fs.FS) (Snapshot, error) {
	s := Snapshot{shc: map[string]*Issuer{}}
	if _, err := fs.Stat(fsys, "."); err != nil {
		return Snapshot{}, fmt.Errorf("cannot read the trust folder: %w", err)
	}
	if err := s.readAge(fsys); err != nil {
		return Snapshot{}, fmt.Errorf("cannot read %s: %w", snapshotFile, err)
	}
	entries, err := fs.ReadDir(fsys, shcFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Snapshot{}, fmt.Errorf("cannot read the folder %s: %w", shcFolder, err)
	}
	total, files := int64(0), 0
	for _, entry := range entries {
		if entry.IsDir() || !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		if files++; files > MaxIssuers {
			return Snapshot{}, fmt.Errorf("cannot read the folder %s: more than %d issuers", shcFolder, MaxIssuers)
		}
		name := shcFolder + "/" + entry.Name()
		size, err := s.readIssuer(fsys, name, MaxTotal-total)
		if err != nil {
			return Snapshot{}, fmt.Errorf("cannot read %s: %w", name, err)
		}
		total += size
	}
	return s, nil
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

func (s *Snapshot) readIssuer(fsys fs.FS, name string, budget int64) (int64, error) {
	text, err := readBounded(fsys, name, min(MaxIssuerFile, budget))
	if err != nil {
		return 0, err
	}
	file, err := parseIssuer(string(text))
	if err != nil {
		return 0, err
	}
	if _, twice := s.shc[file.iss]; twice {
		return 0, errors.New("its issuer has another file")
	}
	issuer := &Issuer{ISS: file.iss, keys: map[string]Key{}, crls: map[string]CRL{}}
	s.shc[file.iss] = issuer
	keys, err := ParseJWKS([]byte(file.jwks), file.iss)
	if err != nil {
		s.note(name+" jwks", err)
	}
	for _, key := range keys {
		issuer.keys[key.ID] = key
	}
	s.readLists(issuer, name, file.crls)
	issuer.unlisted = s.asOf.IsZero() && len(file.crls) == 0
	return int64(len(text)), nil
}

func (s *Snapshot) readLists(issuer *Issuer, name string, lists []string) {
	twice := map[string]bool{}
	for i, text := range lists {
		place := fmt.Sprintf("%s crls %d", name, i)
		crl, err := ParseCRL([]byte(text))
		if err != nil {
			s.note(place, err)
			continue
		}
		key, known := issuer.keys[crl.KeyID]
		_, held := issuer.crls[crl.KeyID]
		switch {
		case !known:
			s.note(place, errors.New("no usable key has its kid"))
		case held || twice[crl.KeyID]:
			s.note(place, errors.New("a second list for its kid: neither is used"))
			delete(issuer.crls, crl.KeyID)
			twice[crl.KeyID] = true
		default:
			if key.CRLVersion != 0 && crl.Version != key.CRLVersion {
				s.note(place, errors.New("ctr is not the key's crlVersion"))
			}
			issuer.crls[crl.KeyID] = crl
		}
	}
}

func (s *Snapshot) note(place string, err error) {
	s.notes = append(s.notes, Note{Place: place, Reason: err.Error()})
}

type issuerFile struct {
	iss  string
	jwks string
	crls []string
}

func parseIssuer(text string) (issuerFile, error) {
	var f issuerFile
	r := jsonpull.New(text)
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "iss":
			f.iss = r.Text()
		case "jwks":
			f.jwks = r.Raw()
		case "crls":
			if r.Kind() == jsonpull.Null {
				continue
			}
			for a := r.Array(); a.Next(); {
				if a.Index >= MaxKeys {
					r.Fault("more than %d lists", MaxKeys)
					continue
				}
				f.crls = append(f.crls, r.Raw())
			}
		}
	}
	switch {
	case r.End() != nil:
		return f, r.End()
	case !ValidIssuer(f.iss):
		return f, errors.New("iss is not an https address without trailing slash")
	case f.jwks == "":
		return f, errors.New("no jwks")
	}
	return f, nil
}

// readBounded reads a file of at most limit bytes.
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
	return text, nil
}
