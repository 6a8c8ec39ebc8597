package publication

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/shared/cert/sdjwtvc"
	"madoguchi.example/shared/fault"
)

// Status lists of SD-JWT VC.
const (
	// StatusSize is how many credentials one list tells of: 128 KiB of zeros at first, 150
	// bytes when compressed.
	StatusSize = 1 << 20
	// StatusLists is the most lists there are: what a trust layout holds.
	StatusLists = 64
	// StatusLife is how long a list is good for: a terminal that knows it from the oldest
	// trust bundle that is not stale may still use it.
	StatusLife = TrustMaxAge + 24*time.Hour
	// StatusPath is where the lists are below the issuer; the number follows.
	StatusPath = "/.well-known/status/"
)

// StatusPlace gives the list of a credential's status index, and the place in it.
func StatusPlace(index int64) (n, place int64) { return index / StatusSize, index % StatusSize }

// StatusURI names a list, as a credential does.
func StatusURI(issuer string, n int64) string { return issuer + StatusPath + strconv.FormatInt(n, 10) }

// Place gives the list of a credential's status index, as the credential names it, and the
// place in it.
func (p *Press) Place(index int64) (uri string, place int64) {
	n, place := StatusPlace(index)
	return StatusURI(p.Issuer, n), place
}

// statusList is a list as it was signed.
type statusList struct {
	places string // names the revoked ones
	by     string // the hour and the key
	until  time.Time
	text   document
}

// StatusList gives the status list n, signed by the key in force; NotFound where there is
// no such list.
func (p *Press) StatusList(ctx context.Context, n int64) (doc []byte, version string, err error) {
	if n < 0 || n >= StatusLists {
		return nil, "", fault.New(fault.NotFound, "there is no such status list")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e, err := p.current(ctx)
	if err != nil {
		return nil, "", err
	}
	d, err := p.sign(ctx, e, n)
	return d.text, d.version, err
}

// sign gives a list of the edition for a caller that holds mu. The same content gives the
// same text for an hour, from every process that has the key in a file. While nobody can
// sign, the last text with the same content serves for half its life.
func (p *Press) sign(ctx context.Context, e *edition, n int64) (document, error) {
	at := p.Now().UTC()
	last, places := p.status[n], e.placesName[n]
	fresh, err := p.signed(ctx, e, n, at)
	switch {
	case err == nil:
		p.status[n] = fresh
		return fresh.text, nil
	case last.until.After(at) && last.places == places:
		p.Log.Error("cannot sign a status list: the last one serves meanwhile", "cause", err)
		return last.text, nil
	}
	return document{}, err
}

// signed signs a list, unless the last one is what would come out.
func (p *Press) signed(ctx context.Context, e *edition, n int64, at time.Time) (statusList, error) {
	key, signer, err := p.Keys.Signer(ctx, keyring.SDJWT, at)
	if err != nil {
		return statusList{}, err
	}
	issued := at.Truncate(TrustRenewal)
	l := statusList{places: e.placesName[n], by: fmt.Sprint(issued.Unix(), " ", key.ID), until: issued.Add(StatusLife / 2)}
	if last := p.status[n]; last.places == l.places && last.by == l.by {
		return last, nil
	}
	text, err := sdjwtvc.IssueStatusList(signer, key.ID, sdjwtvc.Statuses{
		Issuer: p.Issuer, URI: StatusURI(p.Issuer, n), IssuedAt: issued, ExpiresAt: issued.Add(StatusLife), Size: StatusSize, Revoked: e.revokedPlaces[n],
	})
	l.text = written([]byte(text))
	return l, err
}

// placeRevoked sorts the revoked credentials by list. It drops an index that no credential
// can have.
func (e *edition) placeRevoked() {
	e.revokedPlaces = map[int64][]int64{}
	for _, k := range e.keys[keyring.SDJWT] {
		for _, token := range e.lists[listOf(keyring.SDJWT, k.ID)].tokens {
			index, err := strconv.ParseInt(token, 10, 64)
			if n, place := StatusPlace(index); err == nil && index >= 0 && n < StatusLists {
				e.revokedPlaces[n] = append(e.revokedPlaces[n], place)
			}
		}
	}
	e.placesName = map[int64]string{}
	for n, places := range e.revokedPlaces {
		h := sha256.New()
		for _, place := range places {
			_ = binary.Write(h, binary.BigEndian, place) // a hash takes everything
		}
		e.placesName[n] = string(h.Sum(nil))
	}
}

// bundledStatus gives the lists that terminals get: up to the one behind the last that
// names somebody, for credentials of which none was revoked yet.
func (p *Press) bundledStatus(ctx context.Context, e *edition) ([]string, error) {
	last := int64(0)
	for n := range e.revokedPlaces {
		last = max(last, n)
	}
	var out []string
	for n := range min(last+2, StatusLists) {
		d, err := p.sign(ctx, e, n)
		if err != nil {
			return nil, err
		}
		out = append(out, string(d.text))
	}
	return out, nil
}
