package shlink_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/trust"
)

var (
	at  = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	key = shlink.Key{1, 2, 3, 31: 9}
)

const (
	address = "https://files.example/I91rhba3VsuGXGchcnr6VHlQFKxfE28kuZ0ssbEuxno"
	goodKey = "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAk"
	good    = `{"url":"` + address + `","key":"` + goodKey + `"}`
)

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func newLink(t testing.TB, l shlink.Link) shlink.Link {
	t.Helper()
	if l.URL == "" {
		l.URL = address
	}
	out, err := shlink.New(l, key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLinkReadsWhatItWrites(t *testing.T) {
	want := shlink.Link{
		URL: address, Expires: at, LongTerm: true, Passcode: true, Label: strings.Repeat("接", shlink.MaxLabel), Viewer: "https://viewer.example/a",
	}
	l := newLink(t, want)
	again, err := shlink.Parse([]byte("\n " + l.Text() + "\r\n"))
	if err != nil || !reflect.DeepEqual(again, l) {
		t.Fatalf("another link (%v)", err)
	}
	if l.URL != want.URL || !l.Expires.Equal(at) || !l.LongTerm || !l.Passcode || l.Direct || l.Label != want.Label || l.Viewer != want.Viewer {
		t.Error("another content")
	}
	if got := l.Findings(at.Add(-1)); !reflect.DeepEqual(got, []cert.Finding{shlink.Passcode}) {
		t.Errorf("before it expires: %v", got)
	}
	if got := l.Findings(at); !reflect.DeepEqual(got, []cert.Finding{shlink.Expired, shlink.Passcode}) {
		t.Errorf("when it expires: %v", got)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	l := newLink(t, shlink.Link{Label: "ラベル"})
	for _, text := range []string{fmt.Sprint(l), fmt.Sprintf("%+v", l), fmt.Sprint(key), fmt.Sprintf("%#v", key), l.LogValue().String(), key.LogValue().String()} {
		if strings.Contains(text, "files.example") || strings.Contains(text, "ラベル") || strings.Contains(text, "1 2 3") || strings.Contains(text, "0x1") {
			t.Errorf("shown: %s", text)
		}
	}
}

// linkCases change one thing of a good link each.
var linkCases = []struct {
	name, payload string
	outcome       cert.Outcome
	finding       cert.Finding
}{
	{"good", good, cert.Unsupported, cert.NeedsNetwork},
	{"version 1", strings.Replace(good, "{", `{"v":1,`, 1), cert.Unsupported, cert.NeedsNetwork},
	{"unknown members", strings.Replace(good, "{", `{"extension":{},"_x":1,`, 1), cert.Unsupported, cert.NeedsNetwork},
	{"http", strings.Replace(good, "https", "http", 1), cert.Unsupported, shlink.NotHTTPS},
	{"expired", strings.Replace(good, "{", `{"exp":1600000000.5,`, 1), cert.Unsupported, shlink.Expired},
	{"expires in the year 300000", strings.Replace(good, "{", `{"exp":1e13,`, 1), cert.Unsupported, cert.NeedsNetwork},
	{"passcode", strings.Replace(good, "{", `{"flag":"P",`, 1), cert.Unsupported, shlink.Passcode},
	{"all flags that go together", strings.Replace(good, "{", `{"flag":"LU",`, 1), cert.Unsupported, cert.NeedsNetwork},
	{"a later flag", strings.Replace(good, "{", `{"flag":"LX",`, 1), cert.Unsupported, shlink.UnknownFlag},
	{"flags that exclude each other", strings.Replace(good, "{", `{"flag":"PU",`, 1), cert.Malformed, ""},
	{"flags out of order", strings.Replace(good, "{", `{"flag":"UL",`, 1), cert.Malformed, ""},
	{"flag twice", strings.Replace(good, "{", `{"flag":"LL",`, 1), cert.Malformed, ""},
	{"flag in lower case", strings.Replace(good, "{", `{"flag":"l",`, 1), cert.Malformed, ""},
	{"flag no text", strings.Replace(good, "{", `{"flag":1,`, 1), cert.Malformed, ""},
	{"version 2", strings.Replace(good, "{", `{"v":2,`, 1), cert.Unsupported, ""},
	{"version 0", strings.Replace(good, "{", `{"v":0,`, 1), cert.Malformed, ""},
	{"version a text", strings.Replace(good, "{", `{"v":"1",`, 1), cert.Malformed, ""},
	{"no url", strings.Replace(good, `"url"`, `"uri"`, 1), cert.Malformed, ""},
	{"url too long", strings.Replace(good, address, address+strings.Repeat("a", shlink.MaxURL+1-len(address)), 1), cert.Malformed, ""},
	{"url as long as it may be", strings.Replace(good, address, address+strings.Repeat("a", shlink.MaxURL-len(address)), 1), cert.Unsupported, cert.NeedsNetwork},
	{"url of a file", strings.Replace(good, "https://", "file:///", 1), cert.Malformed, ""},
	{"url with a user", strings.Replace(good, "https://", "https://a:b@", 1), cert.Malformed, ""},
	{"url with a fragment", strings.Replace(good, address, address+"#a", 1), cert.Malformed, ""},
	{"url with a blank", strings.Replace(good, address, address+" a", 1), cert.Malformed, ""},
	{"url relative", strings.Replace(good, "https:", "", 1), cert.Malformed, ""},
	{"no key", strings.Replace(good, `"key"`, `"kay"`, 1), cert.Malformed, ""},
	{"key too short", strings.Replace(good, goodKey, goodKey[:42], 1), cert.Malformed, ""},
	{"key too long", strings.Replace(good, goodKey, goodKey+"A", 1), cert.Malformed, ""},
	{"key with loose bits", strings.Replace(good, goodKey, goodKey[:42]+"l", 1), cert.Malformed, ""},
	{"key padded", strings.Replace(good, goodKey, goodKey+"=", 1), cert.Malformed, ""},
	{"key twice", strings.Replace(good, "{", `{"key":"`+goodKey+`",`, 1), cert.Malformed, ""},
	{"exp below", strings.Replace(good, "{", `{"exp":-1,`, 1), cert.Malformed, ""},
	{"exp a text", strings.Replace(good, "{", `{"exp":"1",`, 1), cert.Malformed, ""},
	{"label too long", strings.Replace(good, "{", `{"label":"`+strings.Repeat("a", shlink.MaxLabel+1)+`",`, 1), cert.Malformed, ""},
	{"text behind", good + "{}", cert.Malformed, ""},
	{"a list", "[" + good + "]", cert.Malformed, ""},
	{"nothing", "", cert.Malformed, ""},
}

func TestLinkRules(t *testing.T) {
	for _, c := range linkCases {
		v := shlink.Verify([]byte("shlink:/"+encode(c.payload)), trust.Snapshot{}, at)
		found := c.finding == ""
		for _, f := range v.Findings {
			found = found || f == c.finding
		}
		if v.Outcome != c.outcome || !found || v.Findings == nil || v.Certificate != nil || v.Reason == "" || v.Format != shlink.Format {
			t.Errorf("%s: %s %v %s", c.name, v.Outcome, v.Findings, v.Reason)
		}
		if c.name == "version 2" && len(v.Findings) != 0 {
			t.Errorf("%s: remarks on what was not understood: %v", c.name, v.Findings)
		}
		if strings.Contains(v.Reason, "files.example") || strings.Contains(v.Reason, goodKey) {
			t.Errorf("%s: the reason repeats the link", c.name)
		}
	}
}

func TestViewers(t *testing.T) {
	link := "shlink:/" + encode(good)
	for prefix, ok := range map[string]bool{
		"": true, "https://viewer.example#": true, "https://viewer.example/a?b=c#": true, "http://localhost:8080/#": true,
		"#": false, "viewer#": false, "https://#": false, "https://viewer.example": false, "https://viewer.example#x": false,
		"https://viewer.example##": false, "javascript:alert(1)#": false, "https://user@viewer.example#": false,
	} {
		if _, err := shlink.Parse([]byte(prefix + link)); (err == nil) != ok {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	if _, err := shlink.Parse([]byte(link + strings.Repeat("A", shlink.MaxLink))); err == nil {
		t.Error("too long")
	}
}

func TestRequests(t *testing.T) {
	l := newLink(t, shlink.Link{Passcode: true})
	r := l.ManifestRequest("みなと市 窓口", "1234")
	var body map[string]any
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"recipient": "みなと市 窓口", "passcode": "1234", "embeddedLengthMax": float64(shlink.EmbeddedMax)}
	if r.Method != "POST" || r.URL != address || r.ContentType != "application/json" || !reflect.DeepEqual(body, want) {
		t.Errorf("%s %s %s", r.Method, r.ContentType, r.Body)
	}
	if r := l.ManifestRequest("a", ""); bytes.Contains(r.Body, []byte("passcode")) {
		t.Errorf("%s", r.Body)
	}
	for url, want := range map[string]string{
		"https://a.example/b":     "https://a.example/b?recipient=x+%26+y",
		"https://a.example/b?c=d": "https://a.example/b?c=d&recipient=x+%26+y",
	} {
		r := newLink(t, shlink.Link{URL: url, Direct: true}).DirectRequest("x & y")
		if r.Method != "GET" || r.URL != want || r.Body != nil || r.ContentType != "" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
	}
	if r := (shlink.ManifestFile{Location: "https://a.example/f"}).Request(); r.Method != "GET" || r.URL != "https://a.example/f" {
		t.Errorf("%s %s", r.Method, r.URL)
	}
}

func TestManifest(t *testing.T) {
	m, err := shlink.ParseManifest([]byte(`{"list":{"x":1},"files":[
		{"contentType":"application/smart-health-card","location":"https://a.example/1"},
		{"contentType":"application/fhir+json","embedded":"ey","lastUpdated":"2025-03-09T15:29:46+09:00","status":"can-change","fhirVersion":"4.0.1","x":[]}]}`))
	want := []shlink.ManifestFile{
		{ContentType: shlink.HealthCard, Location: "https://a.example/1"},
		{ContentType: shlink.FHIR, Embedded: "ey", LastUpdated: time.Date(2025, 3, 9, 6, 29, 46, 0, time.UTC), Status: shlink.CanChange, FHIRVersion: "4.0.1"},
	}
	if err != nil || !reflect.DeepEqual(m.Files, want) {
		t.Errorf("%+v %v", m, err)
	}
	if m, err := shlink.ParseManifest([]byte(`{"files":[]}`)); err != nil || len(m.Files) != 0 {
		t.Errorf("no file: %v", err)
	}
	const file = `{"contentType":"x","location":"https://a.example/1"}`
	for name, text := range map[string]string{
		"no files": `{}`, "twice": `{"files":[],"files":[]}`, "a list": `[]`, "behind": `{"files":[]}1`, "no object": `{"files":[1]}`,
		"no type": `{"files":[{"location":"https://a.example/1"}]}`, "no content": `{"files":[{"contentType":"x"}]}`,
		"no address": `{"files":[{"contentType":"x","location":"file:///etc/passwd"}]}`, "bad time": `{"files":[{"contentType":"x","embedded":"e","lastUpdated":"now"}]}`,
		"bad status":  `{"files":[{"contentType":"x","embedded":"e","status":"new"}]}`,
		"long":        `{"files":[{"contentType":"x","location":"https://a.example/` + strings.Repeat("a", shlink.MaxLocation) + `"}]}`,
		"many":        `{"files":[` + strings.Repeat(file+",", shlink.MaxFiles) + file + `]}`,
		"long embed":  `{"files":[{"contentType":"x","embedded":"` + strings.Repeat("a", shlink.MaxJWE+1) + `"}]}`,
		"large":       `{"files":[]}` + strings.Repeat(" ", shlink.MaxManifest),
		"not UTF-8":   "{\"files\":[{\"contentType\":\"\xff\",\"embedded\":\"e\"}]}",
		"broken text": `{"files":[{"contentType":"x`,
	} {
		if _, err := shlink.ParseManifest([]byte(text)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		status      int
		after, body string
		want        shlink.Refusal
	}{
		"wrong passcode":         {401, "", `{"remainingAttempts":3,"x":1}`, shlink.Refusal{Kind: shlink.WrongPasscode, Remaining: 3}},
		"last attempt":           {401, "", `{"remainingAttempts":0}`, shlink.Refusal{Kind: shlink.WrongPasscode}},
		"untold":                 {401, "", `no`, shlink.Refusal{Kind: shlink.WrongPasscode, Remaining: -1}},
		"below":                  {401, "", `{"remainingAttempts":-5}`, shlink.Refusal{Kind: shlink.WrongPasscode, Remaining: -1}},
		"large":                  {401, "", strings.Repeat(" ", 9000) + `{"remainingAttempts":3}`, shlink.Refusal{Kind: shlink.WrongPasscode, Remaining: -1}},
		"gone":                   {404, "60", "", shlink.Refusal{Kind: shlink.Gone, Remaining: -1}},
		"gone for good":          {410, "", "", shlink.Refusal{Kind: shlink.Gone, Remaining: -1}},
		"too many":               {429, "60", "", shlink.Refusal{Kind: shlink.TooMany, Remaining: -1, RetryAfter: time.Minute}},
		"too many, date":         {429, "Sat, 21 Nov 2026 10:05:00 GMT", "", shlink.Refusal{Kind: shlink.TooMany, Remaining: -1, RetryAfter: 5 * time.Minute}},
		"too many, past":         {429, "Sat, 21 Nov 2020 10:05:00 GMT", "", shlink.Refusal{Kind: shlink.TooMany, Remaining: -1}},
		"too many, for ever":     {429, "4000000000", "", shlink.Refusal{Kind: shlink.TooMany, Remaining: -1, RetryAfter: 30 * 24 * time.Hour}},
		"too many, without word": {429, "soon", "", shlink.Refusal{Kind: shlink.TooMany, Remaining: -1}},
		"broken server":          {500, "60", `{"remainingAttempts":3}`, shlink.Refusal{Kind: shlink.OtherRefusal, Remaining: -1}},
	} {
		if got := shlink.ParseRefusal(c.status, c.after, []byte(c.body), at); got != c.want || got.Error() == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
