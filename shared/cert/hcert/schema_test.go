package hcert_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
)

func schema(t testing.TB, dir string) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "schema", "DCC.combined-schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("dcc.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("dcc.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// toCBOR writes a JSON value with numbers as integers.
func toCBOR(t testing.TB, value any) []byte {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		var out [][]byte
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out = append(out, text(name), toCBOR(t, v[name]))
		}
		return dict(out...)
	case []any:
		var out [][]byte
		for _, item := range v {
			out = append(out, toCBOR(t, item))
		}
		return array(out...)
	case string:
		return text(v)
	case float64:
		return i(int64(v))
	case nil:
		return []byte{0xf6}
	}
	t.Fatalf("no CBOR for %T", value)
	return nil
}

// token puts a DCC in a token that is in force.
func token(dcc []byte) []byte {
	return dict(i(1), text("NL"), i(6), i(at.Unix()), i(4), i(expires.Unix()), i(-260), dict(i(1), dcc))
}

// TestSameWordAsTheSchema gives the schema's own examples to it and to us.
func TestSameWordAsTheSchema(t *testing.T) {
	dir, ok := vectors(t)
	if !ok {
		return
	}
	s := schema(t, dir)
	dsc := newDSC(t, testKey(t, 7))
	snap := believe(t, dsc)
	for folder, want := range map[string]bool{"valid": true, "invalid": false} {
		files, err := filepath.Glob(filepath.Join(dir, "schema", folder, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatal(folder, err)
		}
		for _, file := range files {
			var value any
			readJSON(t, &value, file)
			if err := s.Validate(value); (err == nil) != want {
				t.Errorf("%s: the schema says %v", file, err)
			}
			v := hcert.Verify(seal(t, dsc, token(toCBOR(t, value))), snap, at)
			if (v.Outcome == cert.Valid) != want || (!want && v.Outcome != cert.Malformed) {
				t.Errorf("%s: %s %s", file, v.Outcome, v.Reason)
			}
		}
		t.Logf("%s: %d files", folder, len(files))
	}
}

// refusedBySchema are the published certificates that we read with findings: OUTCOMES.md.
var refusedBySchema = map[string]bool{"BG-1": true, "BG-2": true}

func TestPublishedCertificatesAgainstTheSchema(t *testing.T) {
	dir, ok := vectors(t)
	if !ok {
		return
	}
	s := schema(t, dir)
	var cases []vector
	readJSON(t, &cases, dir, "cases.json")
	compared := 0
	for _, c := range cases {
		hc1, snap := c.load(t, dir)
		v := hcert.Verify(hc1, snap, c.Clock)
		if v.Certificate == nil {
			continue
		}
		compared++
		if err := s.Validate(contentOf(t, string(hc1))); (err != nil) != refusedBySchema[c.ID] {
			t.Errorf("%s: here %s, the schema says %v", c.ID, v.Outcome, err)
		}
	}
	t.Logf("%d certificates compared", compared)
}

// contentOf reads the DCC of a text with readers that are not ours, as JSON.
func contentOf(t testing.TB, hc1 string) any {
	t.Helper()
	var claims map[int]cbor.RawMessage
	if err := cbor.Unmarshal(payloadOf(t, hc1), &claims); err != nil {
		t.Fatal(err)
	}
	mode, err := cbor.DecOptions{DefaultMapType: nil, TimeTagToAny: cbor.TimeTagToRFC3339Nano}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	var contents map[int]map[string]any
	if err := mode.Unmarshal(claims[-260], &contents); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(plain(contents[1]))
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// plain gives maps the keys that JSON has.
func plain(value any) any {
	switch v := value.(type) {
	case map[any]any:
		out := map[string]any{}
		for key, item := range v {
			out[key.(string)] = plain(item)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, item := range v {
			out[key] = plain(item)
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			out = append(out, plain(item))
		}
		return out
	}
	return value
}

func TestIssuedDCCKeepsTheSchema(t *testing.T) {
	dir, ok := vectors(t)
	if !ok {
		return
	}
	s := schema(t, dir)
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	ran := 0
	for _, code := range []string{"207", "208", "210", "211", "212", "217", "218", "219", "221", "228", "229", "230", "300", "301", "302", "308", "309", "310", "311", "312", "313"} {
		for number := 1; number <= 4; number++ {
			c := change(func(c *cert.Certificate) { c.Doses[0].Code, c.Doses[0].Number = code, number })
			if err := s.Validate(contentOf(t, issue(t, key, dsc, c, hcert.Options{}))); err != nil {
				t.Errorf("%s dose %d: %v", code, number, err)
			}
			ran++
		}
	}
	t.Logf("%d certificates validated", ran)
}

// TestIssuedIsDeterministic writes what we issue again by the other encoder's rules.
func TestIssuedIsDeterministic(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []hcert.Options{{}, {Kind: hcert.DVC}} {
		payload := payloadOf(t, issue(t, key, dsc, claims(), o))
		var value any
		if err := cbor.Unmarshal(payload, &value); err != nil {
			t.Fatal(err)
		}
		if again, err := mode.Marshal(value); err != nil || !bytes.Equal(again, payload) {
			t.Errorf("kind %d: %v\n got %x\nwant %x", o.Kind, err, payload, again)
		}
	}
}
