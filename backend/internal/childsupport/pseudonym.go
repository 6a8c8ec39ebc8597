package childsupport

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"madoguchi.example/shared/identity"
)

// sourceKeys derives one key for each source from the secret: who holds the items of one
// source, or one source's key, learns nothing of another.
func sourceKeys(secret []byte, sources []Source) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, s := range sources {
		key, err := hkdf.Key(sha256.New, secret, nil, "madoguchi child support source "+s.ID, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("cannot derive the key of the source %s: %w", s.ID, err)
		}
		out[s.ID] = key
	}
	return out, nil
}

// pseudonym names a child within one source: HMAC-SHA256 under the source's key, as text.
func (x *Desk) pseudonym(source string, child identity.CitizenID) string {
	h := hmac.New(sha256.New, x.keys[source])
	h.Write([]byte(child))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
