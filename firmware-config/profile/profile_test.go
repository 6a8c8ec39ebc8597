package profile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
)

const recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

func good() profile.Profile {
	return profile.Profile{
		Schema: 1, Terminal: "trm_01jd00000000000000000000ab", Class: profile.Clinic,
		Office: "ofc_01jd00000000000000000000ab", OfficeName: "みなと内科", Institution: "0110113719",
		Municipality: "990019", AnswerTimeoutMS: 10_000, LockAfterMS: 300_000,
		Payers: []profile.Payer{{ID: "registry", Name: "みなと市国保", Recipient: recipient}},
	}
}

func places(err error) []string {
	var out []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, fault.PlaceOf(e))
		}
	}
	return out
}

func TestValidateTellsEveryFaultAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*profile.Profile)
		places []string
	}{
		"good":            {func(*profile.Profile) {}, nil},
		"empty":           {func(p *profile.Profile) { *p = profile.Profile{} }, []string{"schema", "terminal", "class", "office", "office_name", "municipality", "answer_timeout_ms", "lock_after_ms"}},
		"newer schema":    {func(p *profile.Profile) { p.Schema = 2 }, []string{"schema"}},
		"shelter asks":    {func(p *profile.Profile) { p.Class = profile.Shelter; p.Institution = "" }, []string{"payers"}},
		"counter as firm": {func(p *profile.Profile) { p.Class = profile.Counter; p.Payers = nil }, []string{"institution"}},
		"payer twice":     {func(p *profile.Profile) { p.Payers = append(p.Payers, p.Payers[0]) }, []string{"payers[1].id"}},
		"bad payer": {func(p *profile.Profile) { p.Payers[0] = profile.Payer{ID: "X Y", Recipient: "age1"} },
			[]string{"payers[0].id", "payers[0].name", "payers[0].recipient"}},
		"sync keys": {func(p *profile.Profile) {
			p.ReceiptKeys = []profile.ReceiptKey{{ID: "rcp_1", PublicKey: make([]byte, 32)}, {ID: "rcp_1", PublicKey: make([]byte, 31)}, {ID: "A"}}
			p.ExportRecipient, p.SpreadMS = "age1", profile.MaxSpreadMS+1
		}, []string{"receipt_keys[1].id", "receipt_keys[1].public_key", "receipt_keys[2].id", "receipt_keys[2].public_key", "export_recipient", "spread_ms"}},
		"in sync": {func(p *profile.Profile) {
			p.ReceiptKeys = []profile.ReceiptKey{{ID: "rcp_1", PublicKey: make([]byte, 32)}}
			p.ExportRecipient, p.SpreadMS = recipient, profile.DefaultSpreadMS
		}, nil},
		"slow":     {func(p *profile.Profile) { p.AnswerTimeoutMS = 10_001; p.LockAfterMS = 29_999 }, []string{"answer_timeout_ms", "lock_after_ms"}},
		"many":     {func(p *profile.Profile) { p.Payers = make([]profile.Payer, 17) }, nil},
		"long":     {func(p *profile.Profile) { p.OfficeName = strings.Repeat("あ", 101) }, []string{"office_name"}},
		"not utf8": {func(p *profile.Profile) { p.OfficeName = "\xff" }, []string{"office_name"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := good()
			c.change(&p)
			err := p.Validate()
			if name == "many" {
				if !slices.Contains(places(err), "payers") {
					t.Errorf("too many payers were not told: %v", err)
				}
				return
			}
			if got := places(err); !reflect.DeepEqual(got, c.places) {
				t.Errorf("places %q, want %q", got, c.places)
			}
		})
	}
}

func TestDecodeIsStrict(t *testing.T) {
	doc, err := json.Marshal(good())
	if err != nil {
		t.Fatal(err)
	}
	replace := func(from, to string) []byte { return bytes.Replace(doc, []byte(from), []byte(to), 1) }
	for name, c := range map[string]struct {
		doc   []byte
		code  fault.Code
		place string
	}{
		"good":          {doc, "", ""},
		"empty":         {nil, fault.InvalidArgument, "profile"},
		"cut off":       {doc[:len(doc)/2], fault.InvalidArgument, "profile"},
		"trailing":      {append(slices.Clone(doc), '1'), fault.InvalidArgument, "profile"},
		"other case":    {replace(`"class"`, `"CLASS"`), fault.InvalidArgument, "profile"},
		"unknown name":  {replace(`"class"`, `"secret"`), fault.InvalidArgument, "profile"},
		"twice":         {replace(`{"schema":1`, `{"schema":2,"schema":1`), fault.InvalidArgument, "schema"},
		"wrong type":    {replace(`"schema":1`, `"schema":"1"`), fault.InvalidArgument, "schema"},
		"payer's field": {replace(`"schema":1`, `"schema":1,"id":"x"`), fault.InvalidArgument, "profile"},
		"deep":          {bytes.Repeat([]byte("["), 1000), fault.InvalidArgument, "profile"},
		"oversized":     {bytes.Repeat([]byte(" "), profile.MaxBytes+1), fault.TooLarge, "profile"},
		"list":          {[]byte(`[]`), fault.InvalidArgument, "profile"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := profile.Decode(c.doc)
			if fault.CodeOf(err) != c.code || fault.PlaceOf(err) != c.place {
				t.Fatalf("got %q at %q, want %q at %q", fault.CodeOf(err), fault.PlaceOf(err), c.code, c.place)
			}
			if err == nil && !reflect.DeepEqual(p, good()) {
				t.Errorf("read %+v", p)
			}
		})
	}
}

func TestDecodeDoesNotRepeatWhatItRead(t *testing.T) {
	for _, doc := range []string{`{"seeded-secret":1}`, `{"schema":"seeded-secret"}`, `{"class":{"seeded-secret":1}}`, `seeded-secret`} {
		if _, err := profile.Decode([]byte(doc)); err == nil || strings.Contains(err.Error(), "seeded-secret") {
			t.Errorf("%s: error %v", doc, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	doc, err := json.Marshal(good())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	f.Add([]byte(`{"payers":[{"id":""}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := profile.Decode(b)
		if err != nil {
			if e := (*fault.Error)(nil); !errors.As(err, &e) {
				t.Fatalf("an error without a code: %T", err)
			}
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := profile.Decode(again)
		if err != nil || !reflect.DeepEqual(p.Validate() == nil, q.Validate() == nil) {
			t.Fatalf("read again differently: %v", err)
		}
	})
}
