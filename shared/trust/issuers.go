package trust

import (
	"errors"
	"fmt"
	"time"

	"madoguchi.example/shared/internal/jsonpull"
)

// Issuers are the pinned issuers of one format whose keys come as JWK sets, by name.
type Issuers struct{ by map[string]*Issuer }

// Issuer is one pinned issuer.
type Issuer struct {
	ISS  string
	keys map[string]Key
	crls map[string]CRL
	// unlisted: the snapshot is undated, so nothing in it is stale, and it holds no list of
	// this issuer, good or bad.
	unlisted bool
}

// Len gives the number of issuers.
func (x *Issuers) Len() int { return len(x.by) }

// Find gives the pinned issuer with exactly this name. A nil Issuers knows nobody.
func (x *Issuers) Find(iss string) (*Issuer, bool) {
	if x == nil {
		return nil, false
	}
	issuer, ok := x.by[iss]
	return issuer, ok
}

// Keys gives the issuer's keys in no particular order, for a format whose documents need
// not name one.
func (i *Issuer) Keys() []Key {
	out := make([]Key, 0, len(i.keys))
	for _, key := range i.keys {
		out = append(out, key)
	}
	return out
}

// Key gives the issuer's own key with this kid. A key is valid for its own issuer alone.
func (i *Issuer) Key(kid string) (Key, bool) {
	key, ok := i.keys[kid]
	return key, ok
}

// Revocation is what a snapshot knows of one card's revocation.
type Revocation int

// The answers.
const (
	NotRevoked        Revocation = iota // the list in force does not name it, or there is no list to ask
	IsRevoked                           // a list of its key names it
	RevocationUnknown                   // the issuer keeps a list, and the snapshot has not that version of it
	RevocationUnasked                   // the issuer keeps a list; the snapshot is undated and made without lists
)

// Revocation tells what is known of the card with this rid (may be empty), signed by key
// at nbf. A card without a rid can be on no list.
func (i *Issuer) Revocation(key Key, rid string, nbf time.Time) Revocation {
	if rid == "" {
		return NotRevoked
	}
	crl, held := i.crls[key.ID]
	switch {
	case held && crl.Revokes(rid, nbf):
		return IsRevoked
	case key.CRLVersion == 0, held && crl.Version == key.CRLVersion:
		return NotRevoked
	case i.unlisted:
		return RevocationUnasked
	default:
		return RevocationUnknown
	}
}

// LoadIssuers reads a section of files {"iss","jwks","crls"}, each one issuer by the rules
// of ParseJWKS and ParseCRL. It fails where a file cannot be read as that; a bad key or
// list inside a readable file is left out and noted.
func LoadIssuers(f *Folder) (*Issuers, error) { return loadIssuers(f, ParseJWKS) }

// LoadLooseIssuers is LoadIssuers for formats that leave a key's id to the issuer: see
// ParseLooseJWKS.
func LoadLooseIssuers(f *Folder) (*Issuers, error) { return loadIssuers(f, ParseLooseJWKS) }

func loadIssuers(f *Folder, parse func([]byte, string) ([]Key, error)) (*Issuers, error) {
	x := &Issuers{by: map[string]*Issuer{}}
	for _, name := range f.Names(".json") {
		if err := x.read(f, name, parse); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f.Place(name), err)
		}
	}
	return x, nil
}

func (x *Issuers) read(f *Folder, name string, parse func([]byte, string) ([]Key, error)) error {
	text, err := f.Read(name, MaxIssuerFile)
	if err != nil {
		return err
	}
	file, err := parseIssuer(string(text))
	if err != nil {
		return err
	}
	if _, twice := x.by[file.iss]; twice {
		return errors.New("its issuer has another file")
	}
	issuer := &Issuer{ISS: file.iss, keys: map[string]Key{}, crls: map[string]CRL{}}
	x.by[file.iss] = issuer
	keys, err := parse([]byte(file.jwks), file.iss)
	if err != nil {
		f.Note(name+" jwks", err)
	}
	for _, key := range keys {
		issuer.keys[key.ID] = key
	}
	issuer.readLists(f, name, file.crls)
	issuer.unlisted = !f.Dated() && len(file.crls) == 0
	return nil
}

func (i *Issuer) readLists(f *Folder, name string, lists []string) {
	twice := map[string]bool{}
	for n, text := range lists {
		place := fmt.Sprintf("%s crls %d", name, n)
		crl, err := ParseCRL([]byte(text))
		if err != nil {
			f.Note(place, err)
			continue
		}
		key, known := i.keys[crl.KeyID]
		_, held := i.crls[crl.KeyID]
		switch {
		case !known:
			f.Note(place, errors.New("no usable key has its kid"))
		case held || twice[crl.KeyID]:
			f.Note(place, errors.New("a second list for its kid: neither is used"))
			delete(i.crls, crl.KeyID)
			twice[crl.KeyID] = true
		default:
			if key.CRLVersion != 0 && crl.Version != key.CRLVersion {
				f.Note(place, errors.New("ctr is not the key's crlVersion"))
			}
			i.crls[crl.KeyID] = crl
		}
	}
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
