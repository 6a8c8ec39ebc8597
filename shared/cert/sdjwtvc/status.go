package sdjwtvc

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"madoguchi.example/shared/cert/internal/jws"
	"madoguchi.example/shared/internal/base64url"
	"madoguchi.example/shared/internal/jsonpull"
	"madoguchi.example/shared/trust"
)

// Limits of a status list.
const (
	MaxStatusToken = 4 << 20            // characters of one token
	MaxStatusBytes = 2 << 20            // bytes of one inflated list
	MaxStatusSize  = MaxStatusBytes * 8 // credentials of one list that we issue: one bit each
)

// StatusList is what an issuer published about many credentials (draft-ietf-oauth-status-
// list, "Status List Token"). It never changes.
type StatusList struct {
	URI       string
	IssuedAt  time.Time
	ExpiresAt time.Time     // zero: it does not say
	TTL       time.Duration // how long a copy may be used; zero: it does not say
	bits      int64
	states    []byte
}

// Len gives the number of places.
func (l StatusList) Len() int64 {
	if l.bits == 0 {
		return 0
	}
	return int64(len(l.states)) * 8 / l.bits
}

// Status gives the state at a place: 0 valid, 1 revoked, 2 suspended, others the issuer's
// own. It tells whether the list has the place.
func (l StatusList) Status(index int64) (state byte, within bool) {
	if index < 0 || index >= l.Len() {
		return 0, false
	}
	bit := index * l.bits
	return l.states[bit/8] >> (bit % 8) & byte(1<<l.bits-1), true
}

// fresh tells whether a copy taken at asOf (zero: when it was issued) may still be used.
func (l StatusList) fresh(asOf, at time.Time) bool {
	if !l.ExpiresAt.IsZero() && !at.Before(l.ExpiresAt) {
		return false
	}
	if asOf.Before(l.IssuedAt) {
		asOf = l.IssuedAt
	}
	return l.TTL == 0 || !at.After(asOf.Add(l.TTL))
}

// ReadStatusList reads the token of the issuer iss, signed by one of its keys.
func ReadStatusList(token []byte, iss string, keys ...trust.Key) (StatusList, error) {
	return readStatusList(token, iss, keySet(keys), MaxStatusBytes)
}

// keyring finds an issuer's keys.
type keyring interface {
	Key(kid string) (trust.Key, bool)
	Keys() []trust.Key
}

type keySet []trust.Key

func (s keySet) Keys() []trust.Key { return s }

func (s keySet) Key(kid string) (trust.Key, bool) {
	for _, key := range s {
		if key.ID == kid {
			return key, true
		}
	}
	return trust.Key{}, false
}

func readStatusList(token []byte, iss string, keys keyring, limit int64) (StatusList, error) {
	l, err := parseStatusList(token, iss, keys, limit)
	if err != nil {
		return StatusList{}, fmt.Errorf("cannot read the status list: %w", err)
	}
	return l, nil
}

func parseStatusList(token []byte, iss string, keys keyring, limit int64) (StatusList, error) {
	if len(token) > MaxStatusToken {
		return StatusList{}, fmt.Errorf("longer than %d characters", MaxStatusToken)
	}
	t, err := parseJWT(token)
	switch {
	case err != nil:
		return StatusList{}, err
	case t.unsupported != "":
		return StatusList{}, errors.New(t.unsupported)
	case t.head.typ != typeStatusList:
		return StatusList{}, errors.New("typ is not statuslist+jwt")
	}
	if _, signed := t.signer(t.head.candidates(keys)); !signed {
		return StatusList{}, errors.New("none of its issuer's keys signed it")
	}
	payload, err := new(store).parse(t.payload)
	if err != nil {
		return StatusList{}, err
	}
	if named := payload.get("iss"); named != nil && named.str() != iss {
		return StatusList{}, errors.New("it names another issuer")
	}
	var l StatusList
	if err := l.readClaims(payload); err != nil {
		return StatusList{}, err
	}
	return l, l.readStates(payload.get("status_list"), limit)
}

func (l *StatusList) readClaims(payload *node) error {
	if l.URI = payload.get("sub").str(); l.URI == "" {
		return errors.New("no sub")
	}
	var err error
	if l.IssuedAt, err = readTime(payload.get("iat")); err != nil {
		return fmt.Errorf("iat: %w", err)
	}
	if n := payload.get("exp"); n != nil {
		if l.ExpiresAt, err = readTime(n); err != nil {
			return fmt.Errorf("exp: %w", err)
		}
	}
	if n := payload.get("ttl"); n != nil {
		const most = 100 * 365 * 24 * 60 * 60
		seconds, err := strconv.ParseFloat(n.text, 64)
		if err != nil || !n.is(jsonpull.Number) || seconds <= 0 {
			return errors.New("ttl is not a positive number")
		}
		l.TTL = time.Duration(min(seconds, most) * float64(time.Second))
	}
	return nil
}

func (l *StatusList) readStates(n *node, limit int64) error {
	bits := n.get("bits")
	if !bits.is(jsonpull.Number) || !n.get("lst").is(jsonpull.String) {
		return errors.New("no status_list")
	}
	switch bits.text {
	case "1", "2", "4", "8":
		l.bits = int64(bits.text[0] - '0')
	default:
		return errors.New("bits is not 1, 2, 4 or 8")
	}
	compressed, err := base64url.Decode([]byte(n.get("lst").text))
	if err != nil {
		return fmt.Errorf("lst: %w", err)
	}
	l.states, err = inflate(compressed, limit)
	return err
}

// inflate reads zlib data (RFC 1950) of at most limit bytes, with nothing after it.
func inflate(compressed []byte, limit int64) ([]byte, error) {
	in := bytes.NewReader(compressed)
	z, err := zlib.NewReader(in)
	if err != nil {
		return nil, errors.New("lst: not zlib data")
	}
	out, err := io.ReadAll(io.LimitReader(z, limit+1))
	switch {
	case err != nil:
		return nil, errors.New("lst: not zlib data")
	case int64(len(out)) > limit:
		return nil, fmt.Errorf("lst: larger than %d bytes when inflated", limit)
	case in.Len() != 0:
		return nil, errors.New("lst: data after the compressed list")
	}
	return out, nil
}

// Statuses is a status list to be published at its URI.
type Statuses struct {
	Issuer    string
	URI       string
	IssuedAt  time.Time
	ExpiresAt time.Time     // zero: open, which leaves it to each reader when a copy is too old
	TTL       time.Duration // whole seconds; zero: open
	Size      int64         // places; at most MaxStatusSize. Never less than before
	Revoked   []int64       // places, in any order
}

// IssueStatusList writes and signs a status list of one bit for each credential. The same
// call with a key in memory gives the same text.
func IssueStatusList(signer crypto.Signer, kid string, s Statuses) (string, error) {
	if s.Size < 1 || s.Size > MaxStatusSize || s.URI == "" || s.IssuedAt.IsZero() {
		return "", fmt.Errorf("cannot write the status list: no address, no time, or not 1 to %d places", MaxStatusSize)
	}
	states := make([]byte, (s.Size+7)/8)
	for _, i := range s.Revoked {
		if i < 0 || i >= s.Size {
			return "", errors.New("cannot write the status list: a place outside of it")
		}
		states[i/8] |= 1 << (i % 8)
	}
	compressed, err := deflate(states)
	if err != nil {
		return "", fmt.Errorf("cannot write the status list: %w", err)
	}
	type list struct {
		Bits int    `json:"bits"`
		List string `json:"lst"`
	}
	claims := struct {
		Issuer string `json:"iss,omitempty"`
		URI    string `json:"sub"`
		Issued int64  `json:"iat"`
		Exp    int64  `json:"exp,omitempty"`
		TTL    int64  `json:"ttl,omitempty"`
		List   list   `json:"status_list"`
	}{Issuer: s.Issuer, URI: s.URI, Issued: s.IssuedAt.Unix(), TTL: int64(s.TTL / time.Second), List: list{1, base64url.Encode(compressed)}}
	if !s.ExpiresAt.IsZero() {
		claims.Exp = s.ExpiresAt.Unix()
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("cannot write the status list: %w", err)
	}
	return jws.SignES256(signer, writeHeader(typeStatusList, kid), payload)
}

func deflate(states []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := zlib.NewWriterLevel(&out, zlib.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(states); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
