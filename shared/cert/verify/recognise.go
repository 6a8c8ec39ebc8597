package verify

import (
	"bytes"

	"madoguchi.example/shared/internal/jsonpull"
)

func starts(prefix string) func([]byte) bool {
	return func(input []byte) bool { return bytes.HasPrefix(input, []byte(prefix)) }
}

// isSHLink also takes the form behind a viewer's address, "https://…#shlink:/…".
func isSHLink(input []byte) bool {
	return bytes.HasPrefix(input, []byte("shlink:")) ||
		(bytes.HasPrefix(input, []byte("https://")) && bytes.Contains(input, []byte("#shlink:/")))
}

// jsonWith recognises a JSON object that has all of the members.
func jsonWith(members ...string) func([]byte) bool {
	return func(input []byte) bool {
		if input[0] != '{' {
			return false
		}
		for _, name := range members {
			if !hasMember(input, name) {
				return false
			}
		}
		return true
	}
}

// hasMember looks up to the first fault: a broken document is still of its format.
func hasMember(input []byte, wanted string) bool {
	found := false
	r := jsonpull.New(string(input))
	for m := r.Object(); m.Next(); {
		found = found || m.Name == wanted
	}
	return found
}

// isJWS recognises the compact form: a header that is a JSON object, and two points.
func isJWS(input []byte) bool {
	return bytes.HasPrefix(input, []byte("ey")) && bytes.Count(input, []byte(".")) == 2
}

// isSDJWT recognises a JWS with disclosures behind it.
func isSDJWT(input []byte) bool {
	return bytes.HasPrefix(input, []byte("ey")) && bytes.IndexByte(input, '~') > 0
}
