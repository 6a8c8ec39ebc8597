package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/fault"
)

// shared gives what a link leads to, or why not.
type shared struct {
	files     []shlink.File
	err       error
	passcodes []string
}

func (s *shared) Fetch(_ context.Context, _ []byte, passcode string) ([]shlink.File, error) {
	s.passcodes = append(s.passcodes, passcode)
	return s.files, s.err
}

func (d desk) card() shlink.File {
	d.t.Helper()
	content, err := os.ReadFile(filepath.Join(d.dir, "card"+shc.FileName))
	if err != nil {
		d.t.Fatal(err)
	}
	return shlink.File{ContentType: shlink.HealthCard, Content: content}
}

func (d desk) follow(f inspect.Fetcher) cert.Verdict {
	d.t.Helper()
	snap, err := d.own(d.t.Context(), "")
	if err != nil {
		d.t.Fatal(err)
	}
	return inspect.Link(d.t.Context(), f, []byte(link), "1234", snap, clockfloor.Reading{At: at})
}

func TestTheWorstCardOfALinkIsTold(t *testing.T) {
	d := newDesk(t)
	good := d.card()
	broken := good
	broken.Content = bytes.Replace(good.Content, []byte(`"ey`), []byte(`"ez`), 1)
	for name, c := range map[string]struct {
		files    []shlink.File
		want     cert.Outcome
		findings []cert.Finding
	}{
		"one":      {[]shlink.File{good}, cert.Valid, []cert.Finding{inspect.FromLink}},
		"two":      {[]shlink.File{good, {ContentType: shlink.FHIR, Content: []byte("{}")}, good}, cert.Valid, []cert.Finding{inspect.FromLink, cert.SeveralCertificates}},
		"a bad":    {[]shlink.File{good, broken}, cert.Malformed, []cert.Finding{inspect.FromLink, cert.SeveralCertificates}},
		"nothing":  {nil, cert.Unsupported, []cert.Finding{inspect.FromLink, inspect.NoCertificate}},
		"unsigned": {[]shlink.File{{ContentType: shlink.FHIR, Content: good.Content}}, cert.Unsupported, []cert.Finding{inspect.FromLink, inspect.NoCertificate}},
	} {
		if v := d.follow(&shared{files: c.files}); v.Outcome != c.want || !slices.Equal(v.Findings, c.findings) {
			t.Errorf("%s: %s %v %s", name, v.Outcome, v.Findings, v.Reason)
		}
	}
}

func TestALinkThatCannotBeFollowedSaysWhy(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		err     error
		finding cert.Finding
		says    string
	}{
		{shlink.Refusal{Kind: shlink.WrongPasscode, Remaining: 4}, inspect.WrongPasscode, "attempts left: 4"},
		{shlink.Refusal{Kind: shlink.WrongPasscode, Remaining: 0}, inspect.LinkLocked, "no attempt is left"},
		{shlink.Refusal{Kind: shlink.WrongPasscode, Remaining: -1}, inspect.WrongPasscode, "the passcode is wrong"},
		{shlink.Refusal{Kind: shlink.Gone}, inspect.LinkGone, "nowhere"},
		{shlink.Refusal{Kind: shlink.TooMany, RetryAfter: 90 * time.Second}, inspect.LinkBusy, "1m30s"},
		{shlink.Refusal{Kind: shlink.TooMany}, inspect.LinkBusy, "pause"},
		{shlink.Refusal{Kind: shlink.OtherRefusal}, inspect.LinkRefused, "refuses"},
		{fault.New(fault.Unavailable, "x"), inspect.LinkUnreachable, "cannot be reached"},
		{fault.New(fault.Forbidden, "x"), inspect.LinkForbidden, "no link is followed"},
		{fault.New(fault.TooLarge, "x"), inspect.LinkRefused, "more than is read"},
		{fault.Wrap(fault.InvalidArgument, errors.New("secret"), "a passcode is missing"), shlink.Passcode, "a passcode is missing"},
		{errors.New("secret"), shlink.Passcode, "cannot be followed"},
	} {
		v := d.follow(&shared{err: c.err})
		if v.Format != shlink.Format || v.Outcome != cert.Unsupported || !slices.Contains(v.Findings, c.finding) ||
			!slices.Contains(v.Findings, cert.NeedsNetwork) || !strings.Contains(v.Reason, c.says) || strings.Contains(v.Reason, "secret") {
			t.Errorf("%v: %s %v %q", c.err, v.Outcome, v.Findings, v.Reason)
		}
	}
}

// The command follows a link only when it is told to, and asks for the passcode.
func TestCommandFollowsALinkWhenTold(t *testing.T) {
	d := newDesk(t)
	file := filepath.Join(d.dir, "link.txt")
	if err := os.WriteFile(file, []byte("https://viewer.example/#"+link+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args     []string
		stdin    string
		code     int
		passcode []string
	}{
		"not told":  {[]string{file}, "", inspect.ExitOther, nil},
		"asked":     {[]string{"--fetch", file}, "1234\n", inspect.ExitValid, []string{"1234"}},
		"given":     {[]string{"--fetch", "--passcode", "0 0", file}, "", inspect.ExitValid, []string{"0 0"}},
		"no answer": {[]string{"--fetch", file}, "", inspect.ExitValid, []string{""}},
		"no link":   {[]string{"--fetch", filepath.Join(d.dir, "card.txt")}, "", inspect.ExitValid, nil},
		"exact":     {[]string{"--fetch", "--at", at.Add(-time.Second).Format(time.RFC3339), "--passcode", "1", file}, "", inspect.ExitOther, []string{"1"}},
	} {
		s := &shared{files: []shlink.File{d.card()}}
		var out, errs bytes.Buffer
		code := inspect.Command{
			Stdin: strings.NewReader(c.stdin), Stdout: &out, Stderr: &errs, Now: func() time.Time { return at }, Snapshot: d.own,
			Links: func(string) (inspect.Fetcher, error) { return s, nil },
		}.Run(t.Context(), append([]string{"--json"}, c.args...))
		if code != c.code || !slices.Equal(s.passcodes, c.passcode) || !json.Valid(out.Bytes()) || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Errorf("%s: exit %d, passcodes %q, %s %s", name, code, s.passcodes, out.String(), errs.String())
		}
	}
}

func TestJSONTellsTheTrustListsAge(t *testing.T) {
	d := newDesk(t)
	_, out, _ := d.run(d.qrText, "--json", "--at", at.Add(90*time.Second).Format(time.RFC3339), "-")
	if !strings.Contains(out, `"trust_as_of":"2026-11-21T10:00:00Z","trust_age":"1m30s"}`) {
		t.Error(out)
	}
}
