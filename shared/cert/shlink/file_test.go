package shlink_test

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/trust"
)

// counter gives nonces that never repeat, the same in each test.
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	c.n++
	clear(p)
	p[0] = c.n
	return len(p), nil
}

const card = `{"verifiableCredential":["ey"]}`

func seal(t testing.TB, content string, kind shlink.ContentType) string {
	t.Helper()
	jwe, err := shlink.Seal(key, []byte(content), kind, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	return jwe
}

// sealWith encrypts under any header, uncompressed by itself.
func sealWith(t testing.TB, header string, plain []byte) string {
	t.Helper()
	block, err := aes.NewCipher(key[:])
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, 12)
	sealed := gcm.Seal(nil, nonce, plain, []byte(encode(header)))
	cut := len(sealed) - 16
	return strings.Join([]string{encode(header), "", encode(string(nonce)), encode(string(sealed[:cut])), encode(string(sealed[cut:]))}, ".")
}

func deflate(t testing.TB, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFileOpens(t *testing.T) {
	l := newLink(t, shlink.Link{})
	f, err := l.Open([]byte(seal(t, card, shlink.HealthCard) + "\n"))
	if err != nil || string(f.Content) != card || f.ContentType != shlink.HealthCard {
		t.Errorf("%s %s %v", f.ContentType, f.Content, err)
	}
	if _, err := shlink.Seal(key, nil, "", bytes.NewReader(nil)); err == nil {
		t.Error("sealed without nonce")
	}
	other, err := shlink.New(shlink.Link{URL: address}, shlink.Key{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open([]byte(seal(t, card, shlink.HealthCard))); !errors.Is(err, shlink.ErrDecrypt) {
		t.Errorf("another link's key: %v", err)
	}
}

func TestFileHeaders(t *testing.T) {
	l := newLink(t, shlink.Link{})
	for name, c := range map[string]struct {
		header, plain string
		kind          shlink.ContentType
		unsupported   bool // false with an empty kind and refused: of a wrong form
		refused       bool
	}{
		"whole":           {`{"alg":"dir","enc":"A256GCM","cty":"application/fhir+json"}`, `{}`, shlink.FHIR, false, false},
		"short":           {`{"alg":"dir","enc":"A256GCM","cty":"smart-health-card"}`, `{}`, shlink.HealthCard, false, false},
		"parameter":       {`{"alg":"dir","enc":"A256GCM","cty":"application/fhir+json; fhirVersion=4.0.1"}`, `{}`, shlink.FHIR, false, false},
		"capitals":        {`{"alg":"dir","enc":"A256GCM","cty":"application/FHIR+json"}`, `{}`, shlink.FHIR, false, false},
		"another":         {`{"alg":"dir","enc":"A256GCM","cty":"text/plain"}`, `{}`, "text/plain", false, false},
		"untold card":     {`{"alg":"dir","enc":"A256GCM","kid":"x"}`, card, shlink.HealthCard, false, false},
		"untold bundle":   {`{"alg":"dir","enc":"A256GCM"}`, `{"x":1,"resourceType":"Bundle"}`, shlink.FHIR, false, false},
		"untold access":   {`{"alg":"dir","enc":"A256GCM"}`, `{"access_token":"x"}`, shlink.APIAccess, false, false},
		"untold, unknown": {`{"alg":"dir","enc":"A256GCM"}`, `[1]`, "", false, false},
		"no type":         {`{"alg":"dir","enc":"A256GCM","cty":"a b/c d"}`, `{}`, "", false, true},
		"other key":       {`{"alg":"A256KW","enc":"A256GCM"}`, `{}`, "", true, true},
		"other cipher":    {`{"alg":"dir","enc":"A128GCM"}`, `{}`, "", true, true},
		"no cipher":       {`{"alg":"dir"}`, `{}`, "", true, true},
		"must understand": {`{"alg":"dir","enc":"A256GCM","crit":["x"]}`, `{}`, "", true, true},
		"other zip":       {`{"alg":"dir","enc":"A256GCM","zip":"GZ"}`, `{}`, "", true, true},
		"empty zip":       {`{"alg":"dir","enc":"A256GCM","zip":""}`, `{}`, "", false, true},
		"twice":           {`{"alg":"dir","enc":"A256GCM","enc":"A256GCM"}`, `{}`, "", false, true},
		"no object":       {`[]`, `{}`, "", false, true},
		"long":            {`{"alg":"dir","enc":"A256GCM","x":"` + strings.Repeat("a", 4096) + `"}`, `{}`, "", false, true},
		"not compressed":  {`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, `{}`, "", false, true},
		"data behind":     {`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, string(deflate(t, []byte(card))) + "x", "", false, true},
		"compressed":      {`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, string(deflate(t, []byte(card))), shlink.HealthCard, false, false},
		"large inflated":  {`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, string(deflate(t, make([]byte, shlink.MaxContent+1))), "", false, true},
		"as large as may": {`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, string(deflate(t, make([]byte, shlink.MaxContent))), "", false, false},
	} {
		f, err := l.Open([]byte(sealWith(t, c.header, []byte(c.plain))))
		if (err != nil) != c.refused || errors.Is(err, shlink.ErrUnsupported) != c.unsupported || f.ContentType != c.kind {
			t.Errorf("%s: %q %v", name, f.ContentType, err)
		}
	}
}

func TestFileForms(t *testing.T) {
	l := newLink(t, shlink.Link{})
	jwe := seal(t, card, shlink.HealthCard)
	parts := strings.Split(jwe, ".")
	with := func(i int, text string) string {
		changed := append([]string(nil), parts...)
		changed[i] = text
		return strings.Join(changed, ".")
	}
	for name, text := range map[string]string{
		"nothing": "", "four parts": strings.Join(parts[:4], "."), "six parts": jwe + ".", "a key": with(1, "AAAA"), "long": strings.Repeat("a", shlink.MaxJWE+1),
		"padded": jwe + "=", "short nonce": with(2, "AAAA"), "no nonce": with(2, ""), "short tag": with(4, "AAAA"), "blank within": with(3, parts[3][:4]+" "+parts[3][4:]),
		"no content": with(3, ""), "no header": with(0, ""),
	} {
		if _, err := l.Open([]byte(text)); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	for i := range jwe {
		for bit := range 8 {
			changed := []byte(jwe)
			changed[i] ^= 1 << bit
			if _, err := l.Open(changed); err == nil {
				t.Errorf("opened with bit %d of byte %d flipped", bit, i)
			}
		}
		if _, err := l.Open([]byte(jwe[:i])); err == nil {
			t.Errorf("opened when cut at %d", i)
		}
	}
}

// TestFlippedLink flips each bit of a link: it is refused or another link, never the same.
func TestFlippedLink(t *testing.T) {
	l := newLink(t, shlink.Link{Direct: true, Expires: at})
	text := []byte(l.Text())
	for i := range text {
		for bit := range 8 {
			changed := bytes.Clone(text)
			changed[i] ^= 1 << bit
			got, err := shlink.Parse(changed)
			if err == nil && got.Text() == string(text) {
				t.Errorf("the same link with bit %d of byte %d flipped", bit, i)
			}
		}
	}
}

func TestVectors(t *testing.T) {
	dir := os.Getenv("MADOGUCHI_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	dir = filepath.Join(dir, "shl")
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if _, err := os.Stat(filepath.Join(dir, "cases.json")); err != nil {
		t.Log("vectors: folder absent, 0 cases ran")
		return
	}
	var cases []struct {
		ID, Expect string
		Files      []string
	}
	if err := json.Unmarshal(read("cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("OUTCOMES.md")
	if err != nil {
		t.Fatal(err)
	}
	table := string(text)
	for _, c := range cases {
		gives := map[string]func(*testing.T, func(string) []byte) string{"parse": vectorLink, "viewer": vectorLink, "manifest": vectorManifest, "ips": vectorFile}[c.ID]
		if gives == nil {
			t.Errorf("%s: a case without test", c.ID)
			continue
		}
		row := "| " + c.ID + " | " + c.Expect + " | " + gives(t, func(suffix string) []byte {
			for _, name := range c.Files {
				if strings.HasSuffix(name, suffix) {
					return read(name)
				}
			}
			return nil
		}) + " |\n"
		if !strings.Contains(table, row) {
			t.Errorf("OUTCOMES.md has another row; now it is\n%s", row)
		}
	}
	t.Logf("vectors: %d cases ran", len(cases))
}

func verdict(text []byte) string {
	v := shlink.Verify(text, trust.Snapshot{}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	words := []string{}
	for _, f := range v.Findings {
		words = append(words, string(f))
	}
	return string(v.Outcome) + " | " + strings.Join(words, ", ")
}

// vectorLink reads a link and holds it against its payload where the case has that.
func vectorLink(t *testing.T, file func(string) []byte) string {
	text := file("link.txt")
	if text == nil {
		text = file("viewer.txt")
	}
	l, err := shlink.Parse(text)
	if err != nil {
		t.Error(err)
	}
	if payload := file("payload.txt"); payload != nil {
		var want struct {
			URL, Flag, Key, Label string
			Exp                   int64
		}
		if err := json.Unmarshal(payload, &want); err != nil {
			t.Fatal(err)
		}
		if l.URL != want.URL || l.Label != want.Label || l.Expires.Unix() != want.Exp || !l.Passcode || l.LongTerm || l.Direct {
			t.Errorf("another payload than %s", payload)
		}
	}
	return verdict(text)
}

func vectorManifest(t *testing.T, file func(string) []byte) string {
	m, err := shlink.ParseManifest(file("manifest.txt"))
	if err != nil || len(m.Files) != 2 {
		t.Errorf("%d files, %v", len(m.Files), err)
	}
	for _, f := range m.Files {
		if f.ContentType != shlink.HealthCard || f.Location == "" {
			t.Errorf("%+v", f)
		}
	}
	return "manifest read | "
}

func vectorFile(t *testing.T, file func(string) []byte) string {
	text := file("shl.txt")
	l, err := shlink.Parse(text)
	if err != nil || !l.Direct || !l.LongTerm {
		t.Fatal(err)
	}
	f, err := l.Open(file("enc.txt"))
	if err != nil || f.ContentType != shlink.FHIR {
		t.Fatalf("%q %v", f.ContentType, err)
	}
	var got, want any
	if json.Unmarshal(f.Content, &got) != nil || json.Unmarshal(file("bundle-01.json"), &want) != nil {
		t.Fatal("not JSON")
	}
	if a, b := mustJSON(t, got), mustJSON(t, want); !bytes.Equal(a, b) {
		t.Errorf("another content than was encrypted: %d and %d bytes", len(a), len(b))
	}
	return verdict(text) + ", file opened"
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(newLink(f, shlink.Link{LongTerm: true, Expires: at, Label: "a", Viewer: "https://v.example/"}).Text()))
	f.Fuzz(func(t *testing.T, input []byte) {
		l, err := shlink.Parse(input)
		v := shlink.Verify(input, trust.Snapshot{}, at)
		if v.Findings == nil || v.Reason == "" || v.Certificate != nil || (v.Outcome != cert.Malformed && v.Outcome != cert.Unsupported) {
			t.Errorf("%+v", v)
		}
		if err != nil {
			return
		}
		if again, err := shlink.Parse([]byte(l.Text())); err != nil || again.Text() != l.Text() {
			t.Errorf("not the link it wrote: %v", err)
		}
	})
}

func FuzzParsePayload(f *testing.F) {
	for _, c := range linkCases {
		f.Add([]byte(c.payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		l, err := shlink.Parse([]byte("shlink:/" + encode(string(payload))))
		if err == nil && (len(l.URL) > shlink.MaxURL || (l.Passcode && l.Direct)) {
			t.Error("a link against its rules")
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"files":[{"contentType":"application/fhir+json","embedded":"ey","lastUpdated":"2025-03-09T15:29:46Z","status":"finalized","fhirVersion":"4.0.1"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := shlink.ParseManifest(text)
		for _, file := range m.Files {
			if err != nil || file.ContentType == "" || (file.Location == "" && file.Embedded == "") {
				t.Error("a file that cannot be had")
			}
		}
		shlink.ParseRefusal(401, "1", text, at)
	})
}

// FuzzOpen encrypts any content under any header, and gives any text as a file.
func FuzzOpen(f *testing.F) {
	l := newLink(f, shlink.Link{})
	f.Add([]byte(seal(f, card, shlink.HealthCard)), `{"alg":"dir","enc":"A256GCM","zip":"DEF","cty":"a"}`, deflate(f, []byte(card)))
	f.Fuzz(func(t *testing.T, jwe []byte, header string, plain []byte) {
		for _, text := range [][]byte{jwe, []byte(sealWith(t, header, plain))} {
			if file, err := l.Open(text); err == nil && len(file.Content) > shlink.MaxContent {
				t.Error("larger than its bound")
			}
		}
	})
}
