package sdjwtvc

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"madoguchi.example/shared/internal/jsonpull"
	"madoguchi.example/shared/trust"
)

// Limits of the status lists in a trust layout.
const (
	maxLists    = 64       // lists of one issuer
	maxInflated = 64 << 20 // bytes of all lists together, inflated
)

// anchors are the pinned issuers with their status lists.
type anchors struct {
	issuers *trust.Issuers
	lists   map[string]lists // by issuer
}

// lists are one issuer's status lists by address. Unlisted tells that the snapshot is
// undated, so that nothing in it is stale, and holds no list of the issuer.
type lists struct {
	by       map[string]StatusList
	unlisted bool
}

type pinnedIssuer struct {
	*trust.Issuer
	lists
}

// find gives a pinned issuer; nil anchors know nobody.
func (a *anchors) find(iss string) (pinnedIssuer, bool) {
	if a == nil {
		return pinnedIssuer{}, false
	}
	issuer, known := a.issuers.Find(iss)
	return pinnedIssuer{issuer, a.lists[iss]}, known
}

// revocation tells what is known of a place on a status list.
func (l lists) revocation(s status, asOf, at time.Time) trust.Revocation {
	if s.uri == "" {
		return trust.NotRevoked
	}
	list, held := l.by[s.uri]
	if !held && l.unlisted {
		return trust.RevocationUnasked
	}
	state, within := list.Status(s.index)
	switch {
	case within && state != 0:
		return trust.IsRevoked
	case !within, !list.fresh(asOf, at):
		return trust.RevocationUnknown
	}
	return trust.NotRevoked
}

// loadAnchors reads the section's files {"iss","jwks","crls","status"}. A status list that
// cannot be used is left out and noted.
func loadAnchors(f *trust.Folder) (*anchors, error) {
	issuers, err := trust.LoadLooseIssuers(f)
	if err != nil {
		return nil, err
	}
	a := &anchors{issuers, map[string]lists{}}
	left := int64(maxInflated)
	for _, name := range f.Names(".json") {
		text, err := f.Read(name, trust.MaxIssuerFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f.Place(name), err)
		}
		iss, tokens, err := readFile(string(text))
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", f.Place(name), err)
		}
		issuer, known := issuers.Find(iss)
		if !known {
			continue
		}
		held := lists{map[string]StatusList{}, !f.Dated() && len(tokens) == 0}
		for i, token := range tokens {
			if err := held.add(token, issuer, &left); err != nil {
				f.Note(fmt.Sprintf("%s status %d", name, i), err)
			}
		}
		a.lists[iss] = held
	}
	return a, nil
}

func (l lists) add(token string, issuer *trust.Issuer, left *int64) error {
	list, err := readStatusList([]byte(token), issuer.ISS, issuer, min(*left, MaxStatusBytes))
	if err != nil {
		return err
	}
	*left -= int64(len(list.states))
	if earlier, twice := l.by[list.URI]; twice && !earlier.IssuedAt.Before(list.IssuedAt) {
		return errors.New("a newer list of its address is there")
	}
	l.by[list.URI] = list
	return nil
}

func readFile(text string) (iss string, tokens []string, err error) {
	r := jsonpull.New(text)
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "iss":
			iss = r.Text()
		case "status":
			for a := r.Array(); a.Next(); {
				if a.Index >= maxLists {
					r.Fault("more than %d status lists", maxLists)
					continue
				}
				tokens = append(tokens, r.Text())
			}
		}
	}
	return iss, tokens, r.End()
}

// TrustFile gives the file of one issuer for the trust layout, with its status lists as
// they are published, and its name within the layout.
func TrustFile(iss string, jwks json.RawMessage, status ...string) (name string, text []byte, err error) {
	name, _, err = trust.IssuerFile(Section.Name, iss, jwks)
	if err != nil {
		return "", nil, err
	}
	if status == nil {
		status = []string{}
	}
	text, err = json.Marshal(struct {
		ISS    string          `json:"iss"`
		JWKS   json.RawMessage `json:"jwks"`
		Status []string        `json:"status"`
	}{iss, jwks, status})
	if err != nil {
		return "", nil, fmt.Errorf("cannot write an issuer: %w", err)
	}
	return path.Clean(name), text, nil
}

// IssuerMetadata gives the document to publish for iss at /.well-known/jwt-vc-issuer, put
// between host and path (SD-JWT VC section "JWT VC Issuer Metadata").
func IssuerMetadata(iss string, keys ...trust.PublishedKey) ([]byte, error) {
	if !trust.ValidIssuer(iss) {
		return nil, errors.New("cannot write the issuer's metadata: iss is not an https address without trailing slash")
	}
	jwks, err := trust.WriteJWKS(keys...)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Issuer string          `json:"issuer"`
		JWKS   json.RawMessage `json:"jwks"`
	}{iss, jwks})
}
