package inspect_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/qr"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/trust"
)

const iss = "https://madoguchi.example"

var at = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// desk is a folder with a card in several forms and the trust layout for it.
type desk struct {
	t      testing.TB
	dir    string
	qrText string
	bundle trust.Bundle
}

func newDesk(t testing.TB) desk {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := shc.Issue(key, iss, at, cert.Certificate{
		Holder:    identity.PersonName{FamilyKanji: "見本", GivenKanji: "花子"},
		BirthDate: civil.Date{Year: 1990, Month: 4, Day: 1},
		Doses:     []cert.Dose{{Number: 1, Code: "208", On: civil.Date{Year: 2021, Month: 7, Day: 1}}},
	}, shc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := shc.JWKS(shc.Published(&key.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	name, text, err := trust.IssuerFile("shc", iss, jwks)
	if err != nil {
		t.Fatal(err)
	}
	d := desk{t: t, dir: t.TempDir(), bundle: trust.Bundle{AsOf: at, MaxAge: time.Hour, Files: map[string][]byte{name: text}, Sections: verify.Sections()}}
	if d.qrText, err = shc.QRText(jws); err != nil {
		t.Fatal(err)
	}
	picture, err := qr.PNG(d.qrText, 4)
	if err != nil {
		t.Fatal(err)
	}
	file, err := shc.File(jws)
	if err != nil {
		t.Fatal(err)
	}
	d.write("trust/"+name, text)
	age, err := json.Marshal(map[string]string{"as_of": at.Format(time.RFC3339), "max_age": "1h"})
	if err != nil {
		t.Fatal(err)
	}
	d.write("trust/snapshot.json", age)
	d.write("card.txt", []byte(d.qrText+"\n"))
	d.write("card.png", picture)
	d.write("card"+shc.FileName, file)
	d.write("bad.txt", []byte(d.qrText[:200]))
	d.write("broken/shc/a.json", []byte("{"))
	return d
}

func (d desk) write(name string, text []byte) {
	d.t.Helper()
	path := filepath.Join(d.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// link leads nowhere: it must not be followed without --fetch.
var link = func() string {
	l, err := shlink.New(shlink.Link{URL: "https://links.example/m", Passcode: true}, shlink.Key{1})
	if err != nil {
		panic(err)
	}
	return l.Text()
}()

// own is the terminal's own snapshot.
func (d desk) own(_ context.Context, config string) (trust.Snapshot, error) {
	if config == "broken.toml" {
		return trust.Snapshot{}, errors.New("not enrolled")
	}
	fsys, err := d.bundle.FS()
	if err != nil {
		return trust.Snapshot{}, err
	}
	return verify.LoadTrust(fsys)
}

// reader is the desk's reader with the trust list as the floor of its clock.
func (d desk) reader(now func() time.Time) *inspect.Reader {
	return inspect.NewReader(inspect.ReaderConfig{
		Snapshot: func(ctx context.Context) (trust.Snapshot, error) { return d.own(ctx, "") },
		Clock:    func() clockfloor.Reading { return clockfloor.Read(now(), d.bundle.AsOf) },
	})
}

func (d desk) run(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	for i, arg := range args {
		if strings.HasPrefix(arg, "@") {
			args[i] = filepath.Join(d.dir, arg[1:])
		}
	}
	c := inspect.Command{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Now: func() time.Time { return at }, Snapshot: d.own}
	code = c.Run(context.Background(), args)
	return code, out.String(), errs.String()
}

func TestCommand(t *testing.T) {
	d := newDesk(t)
	for name, c := range map[string]struct {
		args  []string
		stdin string
		code  int
		says  string
	}{
		"text":              {[]string{"--trust", "@trust", "@card.txt"}, "", 0, "valid: SMART Health Card of " + iss},
		"flags behind":      {[]string{"@card.txt", "--trust", "@trust", "--json"}, "", 0, `{"format":"shc","outcome":"valid","findings":[],"certificate":{`},
		"picture":           {[]string{"--trust", "@trust", "@card.png"}, "", 0, "valid: "},
		"file":              {[]string{"--trust", "@trust", "@card.smart-health-card"}, "", 0, "valid: "},
		"standard input":    {[]string{"--trust", "@trust", "-"}, d.qrText, 0, "valid: "},
		"own snapshot":      {[]string{"-"}, d.qrText, 0, "valid: "},
		"byte order mark":   {[]string{"-"}, "\ufeff" + d.qrText, 0, "valid: "},
		"stale":             {[]string{"--at", "2026-11-21T12:00:00Z", "-"}, d.qrText, 1, "stale_trust: "},
		"before":            {[]string{"--at", "2020-01-01T00:00:00Z", "-"}, d.qrText, 1, "not_yet_valid: "},
		"cut":               {[]string{"@bad.txt"}, "", 1, "malformed: "},
		"nobody trusted":    {[]string{"--trust", "@", "@card.txt"}, "", 1, "untrusted_issuer: "},
		"unsupported":       {[]string{"-"}, "https://a.example", 1, "unsupported: input"},
		"a link":            {[]string{"-"}, link, 1, "unsupported: SMART Health Link"},
		"a passcode alone":  {[]string{"--passcode", "1", "@card.txt"}, "", 2, ""},
		"picture of none":   {[]string{"--json", "-"}, "\x89PNG\r\n\x1a\n", 1, `"outcome":"malformed","findings":[]`},
		"no file":           {[]string{"--trust", "@trust"}, "", 2, ""},
		"two files":         {[]string{"@card.txt", "@card.png"}, "", 2, ""},
		"file absent":       {[]string{"@absent"}, "", 2, ""},
		"trust absent":      {[]string{"--trust", "@absent", "@card.txt"}, "", 2, ""},
		"trust broken":      {[]string{"--trust", "@broken", "@card.txt"}, "", 2, ""},
		"time":              {[]string{"--at", "yesterday", "@card.txt"}, "", 2, ""},
		"flag":              {[]string{"--what", "@card.txt"}, "", 2, ""},
		"too large":         {[]string{"-"}, strings.Repeat("x", inspect.MaxInput+1), 2, ""},
		"not enrolled":      {[]string{"--config", "broken.toml", "@card.txt"}, "", 2, ""},
		"text beyond bound": {[]string{"-"}, strings.Repeat("shc:/56\n", shc.MaxInput/4), 1, "malformed: "},
	} {
		code, stdout, stderr := d.run(c.stdin, c.args...)
		if code != c.code || !strings.Contains(stdout, c.says) || strings.Count(stdout, "\n") != map[bool]int{true: 0, false: 1}[code == 2] {
			t.Errorf("%s: exit %d, %q, %q", name, code, stdout, stderr)
		}
		if (code == 2) != (stderr != "") {
			t.Errorf("%s: exit %d says %q", name, code, stderr)
		}
	}
}

// Whoever asks for help gets every flag, and nothing is judged.
func TestHelp(t *testing.T) {
	d := newDesk(t)
	for _, args := range [][]string{{"--help"}, {"-h", "absent"}, {"absent", "--json", "--help"}} {
		code, stdout, stderr := d.run("", args...)
		if code != 0 || stderr != "" {
			t.Errorf("%v: exit %d, %q", args, code, stderr)
		}
		for _, word := range []string{"--trust DIR", "--at RFC3339", "--json", "--fetch", "--passcode", "--config", "snapshot.json"} {
			if !strings.Contains(stdout, word) {
				t.Errorf("%v: no %s", args, word)
			}
		}
	}
}

// TestTamperedPictureIsRefused redraws the card with each of some digits changed.
func TestTamperedPictureIsRefused(t *testing.T) {
	d := newDesk(t)
	snap, err := d.own(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	for i := len("shc:/"); i < len(d.qrText); i += 101 {
		text := []byte(d.qrText)
		text[i] = '0' + (text[i]-'0'+1)%10
		picture, err := qr.PNG(string(text), 3)
		if err != nil {
			t.Fatal(err)
		}
		if v := inspect.Bytes(picture, snap, at); v.Outcome == cert.Valid || v.Format != shc.Format {
			t.Errorf("digit %d changed: %s %s", i, v.Outcome, v.Reason)
		}
	}
}
