package publication

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/shared/cert/sdjwtvc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/trust"
)

// Ages of the trust bundle.
const (
	// TrustRenewal is how often the bundle's day and hour move on, and with them its
	// version: a terminal that asks more often is told that nothing changed.
	TrustRenewal = time.Hour
	// TrustMaxAge is how old a bundle may grow before a terminal calls it stale.
	TrustMaxAge = 7 * 24 * time.Hour
)

// foreignEvery is how often the operator's folder is looked at.
const foreignEvery = time.Minute

// hcertRevocation is the one file of the layout that our lists and the operator's share.
const hcertRevocation = "hcert/revocation.json"

// layoutFiles are files of the trust layout by name.
type layoutFiles = map[string][]byte

// foreign is the operator's folder as it was read.
type foreign struct {
	files  layoutFiles
	print  string // names, sizes and times of the files
	looked time.Time
}

// bundle is the trust bundle as last made.
type bundle struct {
	of   string // what it was made of
	tar  []byte
	name string
}

// TrustBundle gives what terminals check certificates against: a tar in the layout of
// verify's --trust, and a version that changes with its content. It holds our own keys and
// lists beside the operator's.
func (p *Press) TrustBundle(ctx context.Context, _ actor.Terminal, _ audit.Purpose) (tar []byte, version string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, err := p.current(ctx)
	if err != nil {
		return nil, "", err
	}
	p.lookAgain()
	asOf := p.asOf()
	of := fmt.Sprint(asOf.Unix(), "\n", p.foreign.print, "\n", e.content)
	if p.bundle.of == of {
		return p.bundle.tar, p.bundle.name, nil
	}
	files, whole, err := p.layout(ctx, e)
	if err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	b := trust.Bundle{AsOf: asOf, MaxAge: TrustMaxAge, Files: files, Sections: verify.Sections()}
	if err := b.WriteTar(&out); err != nil {
		return nil, "", err
	}
	d := written(out.Bytes())
	if whole {
		p.bundle = bundle{of, d.text, d.version}
	}
	return d.text, d.version, nil
}

// asOf is the bundle's day and hour. It is never after the moment of which the edition
// tells, whichever process made it: a bundle goes stale before a key signs that it does not
// know.
func (p *Press) asOf() time.Time { return p.Now().UTC().Add(-Staleness - Skew).Truncate(TrustRenewal) }

// layout joins our files with the operator's, as far as a format reads them. It is whole
// unless status lists are left out because nobody can sign them: terminals then say of
// credentials that it is not known whether they were revoked.
func (p *Press) layout(ctx context.Context, e *edition) (out layoutFiles, whole bool, err error) {
	out, whole = layoutFiles{}, true
	maps.Copy(out, p.foreign.files)
	for _, s := range verify.Sections() {
		switch keyring.Use(s.Name) {
		case keyring.SHC:
			err = p.addCards(out, e)
		case keyring.HCERT:
			err = p.addHCERT(out, e)
		case keyring.SDJWT:
			whole, err = p.addCredentials(ctx, out, e)
		}
		if err != nil {
			return nil, false, err
		}
	}
	return out, whole, nil
}

func (p *Press) addCards(out layoutFiles, e *edition) error {
	var crls []json.RawMessage
	for _, k := range e.keys[keyring.SHC] {
		crls = append(crls, e.crls[k.ID].text)
	}
	name, text, err := trust.IssuerFile(string(keyring.SHC), p.Issuer, e.jwks.text, crls...)
	out[name] = text
	return err
}

func (p *Press) addHCERT(out layoutFiles, e *edition) error {
	for _, k := range e.keys[keyring.HCERT] {
		sum := sha256.Sum256(k.Certificate)
		out[string(keyring.HCERT)+"/"+hex.EncodeToString(sum[:8])+".pem"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Certificate})
	}
	theirs := out[hcertRevocation]
	if theirs == nil {
		theirs = []byte("[]")
	}
	both, err := joined(theirs, e.hcertRevoked.text)
	if err != nil {
		return fmt.Errorf("cannot join %s: %w", hcertRevocation, err)
	}
	out[hcertRevocation] = both
	return nil
}

func (p *Press) addCredentials(ctx context.Context, out layoutFiles, e *edition) (whole bool, err error) {
	jwks, err := e.credentialKeys()
	if err != nil {
		return false, err
	}
	status, missing := p.bundledStatus(ctx, e)
	if missing != nil {
		p.Log.Error("terminals get no status lists", "cause", missing)
	}
	name, text, err := sdjwtvc.TrustFile(p.Issuer, jwks, status...)
	out[name] = text
	return missing == nil, err
}

// joined puts two JSON lists one behind the other.
func joined(lists ...[]byte) ([]byte, error) {
	all := []json.RawMessage{}
	for _, text := range lists {
		var some []json.RawMessage
		if err := json.Unmarshal(text, &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return json.Marshal(all)
}

// lookAgain reads the operator's folder again where it changed. A fault keeps what was
// read before, and is logged each time.
func (p *Press) lookAgain() {
	now := p.Now()
	if p.TrustDir == "" || !now.Before(p.foreign.looked) && now.Sub(p.foreign.looked) < foreignEvery {
		return
	}
	f, err := p.readForeign()
	if err != nil {
		p.Log.Error("cannot use certificates.trust_dir: terminals get what it held before", "cause", err)
		p.foreign.looked = now
		return
	}
	p.foreign = f
}

// readForeign reads the operator's folder as a terminal would. The faults name the files.
func (p *Press) readForeign() (foreign, error) {
	f := foreign{looked: p.Now()}
	if p.TrustDir == "" {
		return f, nil
	}
	var err error
	if f.files, f.print, err = read(os.DirFS(p.TrustDir)); err == nil {
		err = p.check(f)
	}
	if err != nil {
		return foreign{}, fmt.Errorf("cannot use certificates.trust_dir: %w", err)
	}
	return f, nil
}

// check refuses what a terminal would leave out, and what is ours.
func (p *Press) check(f foreign) error {
	b := trust.Bundle{AsOf: p.Now(), MaxAge: TrustMaxAge, Files: f.files, Sections: verify.Sections()}
	if _, err := b.FS(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		switch text := f.files[name]; {
		case p.ofOurs(text):
			return fault.At(fault.InvalidArgument, name, "is of this backend's own issuer, whose keys it publishes itself")
		case ofSpecimen(text):
			return fault.At(fault.InvalidArgument, name, "is a specimen's, which proves nothing")
		}
	}
	return nil
}

// ofOurs tells whether an issuer's file is of our own issuer.
func (p *Press) ofOurs(text []byte) bool {
	var file struct {
		ISS string `json:"iss"`
	}
	return json.Unmarshal(text, &file) == nil && file.ISS == p.Issuer
}

// ofSpecimen tells whether a file of certificates holds a specimen's signer or its authority.
func ofSpecimen(text []byte) bool {
	ders := [][]byte{text}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		ders = append(ders, block.Bytes)
	}
	for _, der := range ders {
		c, err := x509.ParseCertificate(der) // explicit curve parameters cannot be read: no specimen has them
		if err == nil && c.Issuer.CommonName == keyring.SpecimenAuthority {
			return true
		}
	}
	return false
}

// read takes the files of the folders that a format reads, with their names, sizes and times.
func read(dir fs.FS) (layoutFiles, string, error) {
	if _, err := fs.Stat(dir, "."); err != nil {
		return nil, "", err
	}
	files, print, total := layoutFiles{}, strings.Builder{}, int64(0)
	for _, section := range verify.Sections() {
		entries, err := fs.ReadDir(dir, section.Name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, "", err
		}
		for _, entry := range entries {
			name := path.Join(section.Name, entry.Name())
			info, err := fs.Stat(dir, name)
			if err != nil {
				return nil, "", err
			}
			if !info.Mode().IsRegular() || strings.HasPrefix(entry.Name(), ".") {
				continue
			}
			if total += info.Size(); total > trust.MaxTotal || len(files) >= trust.MaxFiles {
				return nil, "", fault.At(fault.TooLarge, name, "the folder holds more than %d bytes or %d files", trust.MaxTotal, trust.MaxFiles)
			}
			if files[name], err = fs.ReadFile(dir, name); err != nil {
				return nil, "", err
			}
			fmt.Fprintf(&print, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return files, print.String(), nil
}
