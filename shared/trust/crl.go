package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/shared/internal/base64url"
	"madoguchi.example/shared/internal/jsonpull"
)

// Limits of a revocation list.
const (
	MaxCRL         = 8 << 20 // bytes of one list
	MaxRevoked     = 400_000 // rids of one list
	MaxRID         = 24      // characters of a rid (specification section "Revocation")
	maxUntilDigits = 12      // of the .T suffix, in seconds
)

// CRL is the list of revoked cards of one key ("Card Revocation List").
type CRL struct {
	KeyID   string
	Version int64            // ctr: 1 at first, +1 with each change
	until   map[string]int64 // rid to T in unix seconds; 0: every card with it
}

// Revokes tells whether the card with this rid, issued at nbf, is on the list: an entry
// "rid.T" revokes only cards issued before T.
func (c CRL) Revokes(rid string, nbf time.Time) bool {
	until, listed := c.until[rid]
	return listed && (until == 0 || nbf.Before(time.Unix(until, 0)))
}

// Len gives the number of entries.
func (c CRL) Len() int { return len(c.until) }

// ValidRID tells whether rid can name a card: base64url characters, 1 to MaxRID.
func ValidRID(rid string) bool {
	return rid != "" && len(rid) <= MaxRID && base64url.Alphabet(rid)
}

// ParseCRL reads a revocation list and refuses a method other than rid, ctr below 1, and
// rids that are too long, outside the alphabet or repeated.
func ParseCRL(text []byte) (CRL, error) {
	if len(text) > MaxCRL {
		return CRL{}, fmt.Errorf("cannot read the revocation list: larger than %d bytes", MaxCRL)
	}
	crl, err := readCRL(string(text))
	if err != nil {
		return CRL{}, fmt.Errorf("cannot read the revocation list: %w", err)
	}
	return crl, nil
}

func readCRL(text string) (CRL, error) {
	c := CRL{until: map[string]int64{}}
	var method string
	rids := false
	r := jsonpull.New(text)
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "kid":
			c.KeyID = r.Text()
		case "method":
			method = r.Text()
		case "ctr":
			c.Version = r.Int()
		case "rids":
			rids = true
			for a := r.Array(); a.Next(); {
				if err := c.add(a.Index, r.Text()); err != nil {
					r.Fault("entry %d: %w", a.Index, err)
				}
			}
		}
	}
	switch {
	case r.End() != nil:
		return c, r.End()
	case c.KeyID == "":
		return c, errors.New("no kid")
	case method != "rid":
		return c, errors.New("method is not rid")
	case c.Version < 1:
		return c, errors.New("ctr is below 1")
	case !rids:
		return c, errors.New("no rids")
	}
	return c, nil
}

func (c *CRL) add(i int, entry string) error {
	rid, suffix, dated := strings.Cut(entry, ".")
	var until int64
	if dated {
		n, err := strconv.ParseUint(suffix, 10, 63)
		if err != nil || n == 0 || len(suffix) > maxUntilDigits {
			return errors.New("the time after the point is not in seconds")
		}
		until = int64(n)
	}
	switch _, repeated := c.until[rid]; {
	case i >= MaxRevoked:
		return fmt.Errorf("more than %d entries", MaxRevoked)
	case !ValidRID(rid):
		return errors.New("not a rid")
	case repeated:
		return errors.New("a rid that stands twice")
	}
	c.until[rid] = until
	return nil
}

// WriteCRL gives the text of a revocation list to publish at
// iss + "/.well-known/crl/KID.json". Entries are a rid, or "rid.T" (see CRL.Revokes).
func WriteCRL(kid string, version int64, entries []string) ([]byte, error) {
	if entries == nil {
		entries = []string{}
	}
	text, err := json.Marshal(struct {
		KeyID   string   `json:"kid"`
		Method  string   `json:"method"`
		Version int64    `json:"ctr"`
		RIDs    []string `json:"rids"`
	}{kid, "rid", version, entries})
	if err != nil {
		return nil, fmt.Errorf("cannot write the revocation list: %w", err)
	}
	if _, err := ParseCRL(text); err != nil {
		return nil, fmt.Errorf("cannot write the revocation list: %w", err)
	}
	return text, nil
}
