package sdjwtvc_test

import (
	"slices"
	"strings"
	"testing"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/sdjwtvc"
)

func check(t *testing.T, v cert.Verdict) {
	t.Helper()
	if v.Findings == nil || v.Format != sdjwtvc.Format || v.Outcome == "" || (v.Outcome != cert.Valid && v.Reason == "") {
		t.Errorf("a verdict without its words: %+v", v)
	}
}

// FuzzVerify gives any text: valid is only what our keys signed, shown whole or in part.
func FuzzVerify(f *testing.F) {
	snap := believe(f)
	credential := issue(f, claims(2), nil)
	listed := issue(f, claims(1), func(o *sdjwtvc.Options) { o.StatusURI, o.StatusIndex = statusURI, 5 })
	signed := []string{token(credential), token(listed)}
	f.Add([]byte(credential))
	f.Add([]byte(listed))
	f.Add([]byte(present(f, credential, all)))
	f.Fuzz(func(t *testing.T, input []byte) {
		v := sdjwtvc.Verify(input, snap, at)
		check(t, v)
		if v.Outcome == cert.Valid && !slices.Contains(signed, token(string(input))) {
			t.Error("valid, though nobody signed it")
		}
	})
}

// FuzzPayload signs any payload and gives any disclosure and proof with it.
func FuzzPayload(f *testing.F) {
	snap := believe(f)
	f.Add(fill(`{"iss":"`+iss+`","vct":"v","_sd":["$1"],"l":[{"...":"$3"}]}`), d1, `{"nonce":"n","aud":"a","iat":1,"sd_hash":"h"}`)
	f.Add(`{"iss":"`+iss+`","vct":"v`+sdjwtvc.TypePath+`","vaccinations":[]}`, d2, `{}`)
	f.Add(`{"issuer":{"id":"x"},"credentialSubject":{"vaccine":{},"order":"1/2"},"cnf":{},"status":{"status_list":{"idx":1,"uri":"u"}}}`, d3, `[]`)
	f.Fuzz(func(t *testing.T, payload, disclosure, proof string) {
		signed := sign(t, plainHeader, payload, issuerKey)
		check(t, sdjwtvc.Verify([]byte(signed+"~"), snap, at))
		check(t, sdjwtvc.Verify([]byte(signed+"~"+encode(disclosure)+"~"), snap, at))
		text := signed + "~" + encode(disclosure) + "~" + sign(t, `{"alg":"ES256","typ":"kb+jwt"}`, proof, walletKey)
		check(t, sdjwtvc.VerifyPresentation([]byte(text), snap, at, sdjwtvc.Expect{Nonce: "n", Audience: "a"}))
	})
}

// FuzzStatusList signs any claims, with any bytes as the compressed list.
func FuzzStatusList(f *testing.F) {
	compressed, err := sdjwtvc.Deflate([]byte{1, 2, 3})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"sub":"u","iat":1,"ttl":2,"exp":3,"status_list":{"bits":1,"lst":"LIST"}}`, compressed)
	f.Fuzz(func(t *testing.T, payload string, compressed []byte) {
		payload = replaceList(payload, compressed)
		l, err := sdjwtvc.ReadStatusList([]byte(sign(t, `{"alg":"ES256","typ":"statuslist+jwt"}`, payload, issuerKey)), iss, pinned(t)...)
		if err != nil {
			return
		}
		for _, i := range []int64{-1, 0, 7, l.Len() - 1, l.Len()} {
			if _, within := l.Status(i); within != (i >= 0 && i < l.Len()) {
				t.Errorf("place %d of %d", i, l.Len())
			}
		}
	})
}

// token gives what the issuer signed of a presentation.
func token(text string) string {
	out, _, _ := strings.Cut(text, "~")
	return out
}

func replaceList(payload string, compressed []byte) string {
	return strings.ReplaceAll(payload, "LIST", encode(string(compressed)))
}
