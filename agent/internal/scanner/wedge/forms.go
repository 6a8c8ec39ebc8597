package wedge

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"madoguchi.example/shared/cert/shc"
)

// form is a kind of text with a beginning of its own. A text may be taken for mended only
// when the whole of it is as the form wants.
type form struct {
	begins  string
	whole   func(text string) bool
	oneCase bool // capitals and small letters cannot both occur, so Caps Lock shows
	noLine  bool // has no underscore, so none can be missing
}

var forms = []form{
	{begins: "shc:/", whole: isCard, oneCase: true, noLine: true},
	{begins: "HC1:", whole: isHC1, oneCase: true, noLine: true},
	{begins: "shlink:/", whole: isShortLink},
	{begins: `{"`, whole: isObject},
	{begins: "mdoc:", whole: isShortLink},
	{begins: "openid4vp://", whole: isAddress}, {begins: "mdoc-openid4vp://", whole: isAddress},
	{begins: "eudi-openid4vp://", whole: isAddress}, {begins: "haip://", whole: isAddress},
	{begins: "haip-vp://", whole: isAddress}, {begins: "haip-vci://", whole: isAddress},
	{begins: "openid://", whole: isAddress}, {begins: "openid-vc://", whole: isAddress},
	{begins: "openid-credential-offer://", whole: isAddress}, {begins: "openid-initiate-issuance://", whole: isAddress},
	{begins: "https://", whole: isAddress}, {begins: "http://", whole: isAddress},
}

// formOf gives the form whose beginning the text has, or nil.
func formOf(text string) *form {
	for i := range forms {
		if strings.HasPrefix(text, forms[i].begins) {
			return &forms[i]
		}
	}
	return nil
}

// wellFormed tells whether the reading is whole and of a known form.
func wellFormed(r reading) bool {
	if f := formOf(r.text); f != nil {
		return f.whole(r.text) && (f.noLine || !r.lossy)
	}
	return isDigits(r.text) || (isToken(r.text) && (!r.lossy || strings.Contains(r.text, "~")))
}

var (
	digits    = regexp.MustCompile(`^[0-9]+(-[0-9]+)*$`)
	cardForm  = regexp.MustCompile(`^shc:/([0-9]+/[0-9]+/)?[0-9]+$`)
	linkForm  = regexp.MustCompile(`^[a-z]+:/?[A-Za-z0-9_-]+$`)
	addresses = regexp.MustCompile(`^[a-z0-9+.-]+://([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$`)
)

func isDigits(text string) bool { return digits.MatchString(text) }

func isCard(text string) bool {
	if !cardForm.MatchString(text) {
		return false
	}
	_, err := shc.ParsePart(text)
	return err == nil
}

func isShortLink(text string) bool { return linkForm.MatchString(text) }

// isObject takes JSON whose round brackets close: the closing one may have been lost.
func isObject(text string) bool { return balanced(text) && json.Valid([]byte(text)) }

func isAddress(text string) bool {
	if !balanced(text) || !addresses.MatchString(text) {
		return false
	}
	_, err := url.Parse(text)
	return err == nil
}

func balanced(text string) bool { return strings.Count(text, "(") == strings.Count(text, ")") }

const base45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// isHC1 wants Base45 (RFC 9285) behind the beginning, each group within what it can hold.
func isHC1(text string) bool {
	text = strings.TrimPrefix(text, "HC1:")
	if text == "" || len(text)%3 == 1 {
		return false
	}
	for ; text != ""; text = text[min(3, len(text)):] {
		value, weight := 0, 1
		for i := range min(3, len(text)) {
			at := strings.IndexByte(base45, text[i])
			if at < 0 {
				return false
			}
			value += at * weight
			weight *= len(base45)
		}
		if value > 0xffff || (len(text) == 2 && value > 0xff) {
			return false
		}
	}
	return true
}

var raw = base64.RawURLEncoding.Strict()

// jose is what is read of a token's header.
type jose struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
}

// header reads the first part of a token.
func header(part string) (h jose, ok bool) {
	text, err := raw.DecodeString(part)
	if err != nil || json.Unmarshal(text, &h) != nil {
		return jose{}, false
	}
	return h, h.Algorithm != ""
}

// signatureChars are the lengths of the signatures of each algorithm, in characters.
var signatureChars = map[string]int{"ES256": 86, "EdDSA": 86, "Ed25519": 86, "ES384": 128, "ES512": 176}

// selective tells a token whose disclosures stand behind it.
func (h jose) selective() bool { return strings.HasSuffix(h.Type, "sd-jwt") }

// isToken tells a JWS in its compact form, or an SD-JWT with every disclosure.
func isToken(text string) bool {
	parts := strings.Split(text, "~")
	h, ok := jws(parts[0])
	if !ok || h.selective() == (len(parts) == 1) {
		return false
	}
	if len(parts) == 1 {
		return true
	}
	last := parts[len(parts)-1]
	if _, ok := jws(last); last != "" && !ok {
		return false
	}
	for _, d := range parts[1 : len(parts)-1] {
		if !isDisclosure(d) {
			return false
		}
	}
	return true
}

// jws reads header.payload.signature. The payload may be compressed: only its characters
// are looked at.
func jws(text string) (jose, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return jose{}, false
	}
	h, ok := header(parts[0])
	if !ok {
		return jose{}, false
	}
	payload, err := raw.DecodeString(parts[1])
	if err != nil || (h.selective() && !json.Valid(payload)) {
		return jose{}, false
	}
	signature, err := raw.DecodeString(parts[2])
	if chars, known := signatureChars[h.Algorithm]; known && len(parts[2]) != chars {
		return jose{}, false
	}
	return h, err == nil && len(signature) > 0
}

// isDisclosure tells the Base64url of a JSON array of two or three elements.
func isDisclosure(text string) bool {
	array, err := raw.DecodeString(text)
	var elements []json.RawMessage
	return err == nil && json.Unmarshal(array, &elements) == nil && (len(elements) == 2 || len(elements) == 3)
}

// Bounds of the search for the ends of disclosures.
const (
	maxDisclosures = 64
	maxEnds        = 64 // places in one disclosure that may be its end
)

// rejoin puts back the separators of an SD-JWT whose key wrote nothing. Each disclosure is a
// JSON array, so where one ends is sure; a text that does not come out even has no reading.
func rejoin(text string) (string, bool) {
	parts := strings.Split(text, ".")
	if (len(parts) != 3 && len(parts) != 5) || strings.Contains(text, "~") {
		return "", false
	}
	h, ok := header(parts[0])
	chars := signatureChars[h.Algorithm]
	if !ok || chars == 0 || !h.selective() || len(parts[2]) < chars {
		return "", false
	}
	out := strings.Join(parts[:2], ".") + "." + parts[2][:chars] + "~"
	rest := parts[2][chars:]
	for range maxDisclosures {
		if _, isHeader := header(rest); isHeader && len(parts) == 5 {
			out += strings.Join(append([]string{rest}, parts[3:]...), ".")
			return out, isToken(out)
		}
		if rest == "" {
			return out, len(parts) == 3 && isToken(out)
		}
		end := disclosureEnd(rest)
		if end == 0 {
			return "", false
		}
		out += rest[:end] + "~"
		rest = rest[end:]
	}
	return "", false
}

// disclosureEnd gives how long the disclosure is that text begins with; 0: it begins with
// none.
func disclosureEnd(text string) int {
	tries := 0
	for end := 4; end <= len(text) && tries < maxEnds; end++ {
		tail := end % 4
		if tail == 1 {
			continue
		}
		if tail == 0 {
			tail = 4
		}
		last, err := raw.DecodeString(text[end-tail : end])
		if err != nil || last[len(last)-1] != ']' {
			continue
		}
		tries++
		if isDisclosure(text[:end]) {
			return end
		}
	}
	return 0
}

var tokenLike = regexp.MustCompile(`^ey[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+\.[A-Za-z0-9_=+.~-]+$`)

// brokenToken tells a token in which a layout has left its marks: a = where none is, or an
// SD-JWT that has lost its separators and does not come out even.
func brokenToken(text string) bool {
	if !tokenLike.MatchString(text) {
		return false
	}
	h, ok := header(text[:strings.IndexByte(text, '.')])
	return strings.Contains(text, "=") || (ok && h.selective() && !strings.Contains(text, "~"))
}
