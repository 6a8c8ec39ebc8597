package verify

import (
	"bytes"
	"slices"

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

// jsonWith recognises a JSON object that has all of the members. It looks for their names
// anywhere first: most documents are told apart without being read. One that breaks off
// before all of them were met is still of its format, and malformed there.
func jsonWith(members ...string) func([]byte) bool {
	return func(input []byte) bool {
		return input[0] == '{' && mentions(input, members) && isObjectWith(jsonpull.New(string(input)), members)
	}
}

func isObjectWith(r *jsonpull.Reader, members []string) bool {
	return hasMembers(r, members) || r.Err() != nil
}

// jsonOrListWith recognises what jsonWith does, and a list whose first item is such an
// object: some exports wrap the one document that they hold.
func jsonOrListWith(members ...string) func([]byte) bool {
	object := jsonWith(members...)
	return func(input []byte) bool {
		if input[0] != '[' {
			return object(input)
		}
		if !mentions(input, members) {
			return false
		}
		r := jsonpull.New(string(input))
		a := r.Array()
		return a.Next() && r.Kind() == jsonpull.Object && isObjectWith(r, members)
	}
}

func mentions(input []byte, members []string) bool {
	for _, name := range members {
		if !bytes.Contains(input, []byte(`"`+name+`"`)) {
			return false
		}
	}
	return true
}

// hasMembers reads one object until it has met all of the names, or its first fault.
func hasMembers(r *jsonpull.Reader, wanted []string) bool {
	missing := len(wanted)
	for m := r.Object(); missing > 0 && m.Next(); {
		if slices.Contains(wanted, m.Name) {
			missing--
		}
	}
	return missing == 0
}

// isToken tells whether the text begins as a JOSE header does in base64url: with "{" and
// then a quotation mark or a blank.
func isToken(input []byte) bool {
	return bytes.HasPrefix(input, []byte("ey")) || bytes.HasPrefix(input, []byte("ew"))
}

// isJWS recognises the compact form: a header that is a JSON object, and two points.
func isJWS(input []byte) bool { return isToken(input) && bytes.Count(input, []byte(".")) == 2 }

// isSDJWT recognises a JWS with disclosures behind it: also one without any ends in "~".
func isSDJWT(input []byte) bool { return isToken(input) && bytes.IndexByte(input, '~') > 0 }
