package publication

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/trust"
)

// document is a text with the version of its content.
type document struct {
	text    []byte
	version string
}

func written(text []byte) document {
	sum := sha256.Sum256(text)
	return document{text, base64.RawURLEncoding.EncodeToString(sum[:16])}
}

// list is what was revoked under one key.
type list struct {
	tokens  []string
	version int64
}

// edition is every document as of one moment. Its documents never change.
type edition struct {
	at      time.Time
	content string // names keys and lists: equal content, equal documents
	keys    map[keyring.Use][]keyring.Key
	lists   map[string]list // by use and key
	// revokedPlaces are the places of revoked SD-JWT VC, by status list.
	revokedPlaces map[int64][]int64
	placesName    map[int64]string // equal places, equal names

	jwks         document
	crls         map[string]document // by kid
	vcIssuer     document
	hcertRevoked document
	signers      map[keyring.Use]document
}

func listOf(use keyring.Use, keyID string) string { return string(use) + " " + keyID }

// revocable are the uses whose documents can be revoked one by one. A VDS-NC cannot: its
// readers know lists of signers alone.
var revocable = []keyring.Use{keyring.SHC, keyring.HCERT, keyring.SDJWT}

// gather reads keys and lists.
func (p *Press) gather(ctx context.Context, now time.Time) (*edition, error) {
	e := &edition{at: now, keys: map[keyring.Use][]keyring.Key{}, lists: map[string]list{}}
	var content strings.Builder
	for _, use := range keyring.Uses() {
		keys, err := p.Keys.Published(ctx, use, now)
		if err != nil {
			return nil, err
		}
		e.keys[use] = keys
		for _, k := range keys {
			l, err := p.list(ctx, use, k.ID)
			if err != nil {
				return nil, err
			}
			e.lists[listOf(use, k.ID)] = l
			fmt.Fprintf(&content, "%s %s %d\n", use, k.ID, l.version)
		}
	}
	e.content = content.String()
	return e, nil
}

func (p *Press) list(ctx context.Context, use keyring.Use, keyID string) (list, error) {
	if !slices.Contains(revocable, use) {
		return list{version: 1}, nil
	}
	if p.last != nil { // a list is read again when it changed
		if l, known := p.last.lists[listOf(use, keyID)]; known {
			version, err := p.Deps.Revocations.ListVersion(ctx, use, keyID)
			if err != nil || version == l.version {
				return l, err
			}
		}
	}
	revoked, version, err := p.Deps.Revocations.List(ctx, use, keyID)
	if err != nil {
		return list{}, err
	}
	l := list{version: version}
	for _, r := range revoked {
		l.tokens = append(l.tokens, r.Token)
	}
	slices.Sort(l.tokens) // nobody reads from it who was revoked when
	return l, nil
}

// write makes the documents.
func (e *edition) write(issuer string) error {
	if err := e.writeCards(); err != nil {
		return err
	}
	if err := e.writeCredentials(issuer); err != nil {
		return err
	}
	e.placeRevoked()
	e.writeSigners()
	return e.writeHCERT()
}

func (e *edition) writeCards() error {
	var keys []trust.PublishedKey
	e.crls = map[string]document{}
	for _, k := range e.keys[keyring.SHC] {
		l := e.lists[listOf(keyring.SHC, k.ID)]
		text, err := trust.WriteCRL(k.ID, l.version, l.tokens)
		if err != nil {
			return err
		}
		e.crls[k.ID] = written(text)
		keys = append(keys, trust.PublishedKey{Public: k.Public, CRLVersion: l.version})
	}
	text, err := trust.WriteJWKS(keys...)
	e.jwks = written(text)
	return err
}

func (e *edition) writeCredentials(issuer string) error {
	jwks, err := e.credentialKeys()
	if err != nil {
		return err
	}
	text, err := json.Marshal(struct {
		Issuer string          `json:"issuer"`
		JWKS   json.RawMessage `json:"jwks"`
	}{issuer, jwks})
	e.vcIssuer = written(text)
	return err
}

func (e *edition) writeSigners() {
	e.signers = map[keyring.Use]document{}
	for _, use := range []keyring.Use{keyring.HCERT, keyring.VDSNC} {
		var out bytes.Buffer
		for _, k := range e.keys[use] {
			if !k.Specimen {
				out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Certificate}))
			}
		}
		e.signers[use] = written(out.Bytes())
	}
}

func (e *edition) writeHCERT() error {
	var lists []hcert.RevocationList
	for _, k := range e.keys[keyring.HCERT] {
		if l := e.lists[listOf(keyring.HCERT, k.ID)]; len(l.tokens) > 0 {
			lists = append(lists, hcert.RevocationList{KeyID: k.ID, Type: hcert.ByUCI, Hashes: l.tokens})
		}
	}
	text, err := hcert.WriteRevocations(lists)
	e.hcertRevoked = written(text)
	return err
}

// credentialKeys is the key set of SD-JWT VC.
func (e *edition) credentialKeys() (json.RawMessage, error) {
	var keys []trust.PublishedKey
	for _, k := range e.keys[keyring.SDJWT] {
		keys = append(keys, trust.PublishedKey{Public: k.Public})
	}
	return trust.WriteJWKS(keys...)
}
