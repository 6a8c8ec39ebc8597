package shc_test

import (
	"strings"
	"testing"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/jws"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/trust"
)

// TestHeaderIsExact signs the good payload under other headers: the signature is good
// each time, so the header alone decides.
func TestHeaderIsExact(t *testing.T) {
	key := testKey(t, 7)
	kid, err := shc.KeyID(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	payload := shc.Deflate([]byte(goodPayload))
	for header, want := range map[string]cert.Outcome{
		`{"zip":"DEF","alg":"ES256","kid":"KID"}`:                 cert.Valid,
		`{"kid":"KID","alg":"ES256","zip":"DEF"}`:                 cert.Valid,
		`{"zip":"DEF","alg":"ES256","kid":"KID","typ":"JWT"}`:     cert.Valid, // RFC 7515 section 4
		`{"zip":"DEF","alg":"ES256","kid":"KID","jwk":{"d":1}}`:   cert.Valid,
		`{"zip":"DEF","alg":"ES256","kid":"KID","a":1,"a":1}`:     cert.Malformed,
		`{"zip":"DEF","alg":"ES256","kid":"KID","crit":["x"]}`:    cert.Malformed,
		`{"zip":"DEF","alg":"ES256","kid":"x","kid":"KID"}`:       cert.Malformed,
		`{"zip":"DEF","ALG":"ES256","kid":"KID"}`:                 cert.Malformed,
		`{"zip":"DEF","alg":"none","kid":"KID"}`:                  cert.Malformed,
		`{"zip":"DEF","alg":"HS256","kid":"KID"}`:                 cert.Malformed,
		`{"zip":"GZ","alg":"ES256","kid":"KID"}`:                  cert.Malformed,
		`{"alg":"ES256","kid":"KID"}`:                             cert.Malformed,
		`{"zip":"DEF","alg":"ES256","kid":""}`:                    cert.Malformed,
		`{"zip":"DEF","alg":"ES256","kid":7}`:                     cert.Malformed,
		`{"zip":"DEF","alg":"ES256","kid":"other"}`:               cert.UnknownKey,
		`{"zip":"DEF","alg":"ES256","kid":"KID"}{}`:               cert.Malformed,
		strings.Repeat(" ", 1000) + `{"zip":"DEF","alg":"ES256"}`: cert.Malformed,
	} {
		compact, err := jws.SignES256(key, []byte(strings.Replace(header, "KID", kid, 1)), payload)
		if err != nil {
			t.Fatal(err)
		}
		if v := shc.VerifyJWS([]byte(compact), believe(t, key), at); v.Outcome != want {
			t.Errorf("%s: %s, want %s (%s)", header, v.Outcome, want, v.Reason)
		}
	}
}

func TestQRReasons(t *testing.T) {
	for text, want := range map[string]string{
		"shc:/1/2/56\nshc:/1/2/56": "a part stands twice",
		"shc:/1/3/56\nshc:/2/3/56": "2 of 3 parts",
		"shc:/1/2/56\nshc:/2/3/56": "2 of 3 parts",
		"shc:/567":                 "an odd count",
		"shc:/5678":                "a pair that is no character",
		"shc:/56-1":                "a pair that is no character",
		"shc:/5/6":                 "an odd count",
		"shc:5676":                 "does not begin with shc:/",
		strings.Repeat("shc:/1/2/56\n", 1+shc.MaxParts): "not 1 to",
	} {
		if v := shc.VerifyQR([]byte(text), trust.Snapshot{}, at); v.Outcome != cert.Malformed || !strings.Contains(v.Reason, want) {
			t.Errorf("%.30q: %s %q, want %q", text, v.Outcome, v.Reason, want)
		}
	}
}
