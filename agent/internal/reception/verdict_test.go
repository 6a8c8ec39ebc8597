package reception_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/civil"
)

var outcomes = []cert.Outcome{
	cert.Valid, cert.Malformed, cert.Unsupported, cert.UnknownKey, cert.UntrustedIssuer, cert.BadSignature, cert.KeyUsageMismatch,
	cert.Revoked, cert.NotYetValid, cert.Expired, cert.StaleTrust, cert.StaleRevocation,
}

// declared reads the findings that the sources below the folders may give.
func declared(t *testing.T, roots ...string) []cert.Finding {
	t.Helper()
	form := regexp.MustCompile(`(?m)^\s+[A-Z]\w*\s+(?:cert\.)?Finding\s+=\s+"([a-z_0-9]+)"`)
	var all []cert.Finding
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, m := range form.FindAllSubmatch(source, -1) {
				all = append(all, cert.Finding(m[1]))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// What every format may give, and what the terminal itself finds, has words. A format's own
// findings need none: a format is a package and a row, and the desk tells them as asides.
func TestEveryFindingHasItsWords(t *testing.T) {
	all := declared(t, "../../../shared/cert", "../")
	common, told := declared(t, "../../../shared/cert/cert.go", "../"), reception.Findings()
	if len(all) < 40 || len(common) < 15 {
		t.Fatalf("only %d findings, %d of them of every format, were read from the sources", len(all), len(common))
	}
	for _, f := range common {
		if !slices.Contains(told, f) {
			t.Errorf("the desk has no words for %s", f)
		}
	}
	for _, f := range told {
		if !slices.Contains(all, f) {
			t.Errorf("the desk has words for %s, which nobody gives", f)
		}
	}
}

var missing = regexp.MustCompile(`\[[a-z]+\.[a-z_.]+\]|%!`)

// Every outcome with every finding and every content is said in every language.
func TestEveryVerdictHasItsWords(t *testing.T) {
	findings := append(reception.Findings(), "unknown_member", "of_tomorrow")
	contents := map[cert.Content]cert.Certificate{
		cert.Vaccination: {Doses: []cert.Dose{{Number: 1, Of: 2, Code: "208", CodeSystem: cert.CVX, On: civil.In(noon)}, {Number: 2, Code: "EU/1/20/1528", CodeSystem: cert.EU}}},
		cert.Test:        {Tests: []cert.TestResult{{Sampled: noon}, {Sampled: noon, Detected: true}}},
		cert.Recovery:    {Recoveries: []cert.Recovered{{FirstPositive: civil.In(noon), Until: civil.In(noon)}}},
		"other":          {ExpiresAt: noon, HolderBound: true, TravelDocument: "TZ0000001", BirthText: "1990"},
	}
	for _, lang := range []string{"ja", "ja-easy", "en"} {
		s := open(t)
		for _, outcome := range outcomes {
			for content, c := range contents {
				c.Content, c.Issuer, c.HolderRaw = content, "https://madoguchi.example", "見本 花子"
				s.reader.verdict = cert.Verdict{Format: shc.Format, Outcome: outcome, Certificate: &c, Reason: "why"}
				s.judged(t, lang)
			}
			for _, f := range findings {
				if lang != "ja" { // the keys are the same in every language
					break
				}
				s.reader.verdict = cert.Verdict{Format: shc.Format, Outcome: outcome, Findings: []cert.Finding{f}}
				s.judged(t, lang)
			}
			s.reader.verdict = cert.Verdict{Outcome: outcome, Findings: findings}
			s.judged(t, lang)
		}
	}
}

// judged gives the verdict's part of the page.
func (s *stage) judged(t *testing.T, lang string) string {
	t.Helper()
	_, body := s.post(t, "/verify?lang="+lang, url.Values{"text": {"shc:/567"}}, "HX-Request", "true")
	_, verdict, shown := strings.Cut(body, `id="verdict"`)
	if bad := missing.FindString(body); bad != "" || !shown {
		t.Errorf("%s, %s %v: %q has no words", lang, s.reader.verdict.Outcome, s.reader.verdict.Findings, bad)
	}
	return verdict
}

func TestAVerdictSaysWhatUntilWhenAndByWhom(t *testing.T) {
	s := open(t)
	s.reader.verdict = cert.Verdict{Format: shc.Format, Outcome: cert.Valid, Findings: []cert.Finding{"not_minimal", "null_group"}, Certificate: &cert.Certificate{
		Content: cert.Vaccination, Issuer: "https://madoguchi.example", HolderRaw: "見本 花子", IssuedAt: noon, ExpiresAt: noon.AddDate(1, 0, 0),
		Doses: []cert.Dose{{Number: 1, Code: "208", CodeSystem: cert.CVX, On: civil.Date{Year: 2021, Month: 7, Day: 1}}},
	}}
	verdict := s.judged(t, "ja")
	for _, want := range []string{
		"banner good", "有効な証明書です", "署名と期限を確かめました", "そのまま受け付けてください", "1回目 2021年7月1日（木）", "コミナティ筋注",
		"2027年11月21日", "https://madoguchi.example", "SMART Health Card", "2日前の情報", "書き方のちがい", "not minimal, null group", "＊＊＊（F8で表示）",
	} {
		if !strings.Contains(verdict, want) {
			t.Errorf("%q is not said", want)
		}
	}
	if en := s.judged(t, "en"); !strings.Contains(en, "Comirnaty") {
		t.Error("the product has no English name")
	}
}

// An issuer whose signature was not proven is only named by the certificate.
func TestAnIssuerIsNamedUntilItsSignatureIsProven(t *testing.T) {
	s := open(t)
	for outcome, want := range map[cert.Outcome]bool{
		cert.UnknownKey: true, cert.UntrustedIssuer: true, cert.BadSignature: true,
		cert.Revoked: false, cert.Expired: false, cert.KeyUsageMismatch: false, cert.Valid: false,
	} {
		s.reader.verdict = cert.Verdict{Format: shc.Format, Outcome: outcome, Certificate: vaccinated(cert.Vaccination), Findings: []cert.Finding{}}
		if verdict := s.judged(t, "ja"); strings.Contains(verdict, "名乗っている発行者") != want || !strings.Contains(verdict, "発行者") {
			t.Errorf("%s: named only: not %v", outcome, want)
		}
	}
}

// A good signature over something else than a vaccination, or over a specimen, never looks
// like a certificate to be accepted.
func TestWhatIsNoProofIsNotShownAsOne(t *testing.T) {
	for name, c := range map[string]struct {
		content  cert.Content
		outcome  cert.Outcome
		findings []cert.Finding
		want     string
		tone     string
	}{
		"a test":           {cert.Test, cert.Valid, []cert.Finding{cert.NoVaccination}, "接種の証明書ではありません", "attention"},
		"a recovery":       {cert.Recovery, cert.Valid, []cert.Finding{cert.NoVaccination}, "回復の証明書です", "attention"},
		"something":        {cert.OtherContent, cert.StaleTrust, nil, "接種の証明書ではありません", "attention"},
		"a specimen":       {cert.Vaccination, cert.Valid, []cert.Finding{cert.Specimen}, "見本です。証明にはなりません", "stop"},
		"an old specimen":  {cert.Vaccination, cert.Expired, []cert.Finding{cert.Specimen}, "見本です。証明にはなりません", "stop"},
		"nobody's":         {cert.Vaccination, cert.UntrustedIssuer, []cert.Finding{cert.Specimen}, "見本です。証明にはなりません", "stop"},
		"a forged test":    {cert.Test, cert.BadSignature, nil, "署名が正しくありません", "stop"},
		"an old list":      {cert.Vaccination, cert.StaleRevocation, nil, "取り消しの情報が古くなっています", "attention"},
		"not a vaccine":    {cert.Test, cert.Revoked, nil, "取り消された証明書です", "stop"},
		"a wrong key's":    {cert.Test, cert.KeyUsageMismatch, nil, "この鍵では発行できない種類", "stop"},
		"a vaccination":    {cert.Vaccination, cert.Valid, nil, "有効な証明書です", "good"},
		"several of many":  {cert.Vaccination, cert.Valid, []cert.Finding{cert.HoldersDiffer}, "持ち主が同じではありません", "good"},
		"a clock set back": {cert.Vaccination, cert.Valid, []cert.Finding{inspect.ClockSetBack}, "最後に確かだった時刻で判定しました", "attention"},
	} {
		s := open(t)
		s.reader.verdict = cert.Verdict{Format: shc.Format, Outcome: c.outcome, Findings: c.findings, Certificate: &cert.Certificate{Content: c.content}}
		verdict := s.judged(t, "ja")
		if !strings.Contains(verdict, c.want) || !strings.Contains(verdict, "banner "+c.tone) {
			t.Errorf("%s: not %q in %s", name, c.want, c.tone)
		}
		if valid := strings.Contains(verdict, "有効な証明書です") || strings.Contains(verdict, "そのまま受け付けて"); valid != (c.tone == "good" || slices.Contains(c.findings, inspect.ClockSetBack)) {
			t.Errorf("%s: told to be accepted: %v", name, valid)
		}
	}
}

func TestALinkIsOpenedByAPersonAndOnlineAlone(t *testing.T) {
	const link = "shlink:/eyJ1cmwiOiJ4In0"
	s := open(t)
	s.reader.verdict = cert.Verdict{Format: shlink.Format, Outcome: cert.Unsupported, Findings: []cert.Finding{cert.NeedsNetwork, shlink.Passcode}}
	status, body := s.post(t, "/verify", url.Values{"text": {link}})
	if status != http.StatusOK || !strings.Contains(body, `id="open-link" class="main" disabled`) || !strings.Contains(body, "いまは開けません") || !strings.Contains(body, "リンクです") {
		t.Errorf("offline: %d, the button is not there or not disabled", status)
	}
	if status, _ := s.post(t, "/links", url.Values{"link": {link}}); status != http.StatusServiceUnavailable || s.reader.fetched != nil {
		t.Errorf("offline: %d, fetched %q", status, s.reader.fetched)
	}
	s = open(t, func(s *stage) { s.line = uplink.Line{Up: true, Since: noon} })
	s.reader.verdict = cert.Verdict{Format: shlink.Format, Outcome: cert.Unsupported, Findings: []cert.Finding{cert.NeedsNetwork, shlink.Passcode}}
	_, body = s.post(t, "/verify", url.Values{"text": {link}})
	if strings.Contains(body, "disabled") || !strings.Contains(body, `value="`+link+`"`) || !strings.Contains(body, `name="passcode"`) || s.reader.fetched != nil {
		t.Errorf("online: no button, or fetched %q", s.reader.fetched)
	}
	s.reader.verdict = cert.Verdict{Format: shc.Format, Outcome: cert.Valid, Findings: []cert.Finding{inspect.FromLink}}
	_, body = s.post(t, "/links", url.Values{"link": {link}, "passcode": {"1234"}})
	if !slices.Equal(s.reader.fetched, []string{link + " 1234"}) || !strings.Contains(body, "リンクの先から読みました") || strings.Contains(body, `id="open-link"`) {
		t.Errorf("fetched %q", s.reader.fetched)
	}
	for finding, again := range map[cert.Finding]bool{inspect.WrongPasscode: true, inspect.LinkBusy: true, inspect.LinkLocked: false, inspect.LinkGone: false} {
		s.reader.verdict = cert.Verdict{Format: shlink.Format, Outcome: cert.Unsupported, Findings: []cert.Finding{cert.NeedsNetwork, finding}}
		if _, body := s.post(t, "/links", url.Values{"link": {link}}); strings.Contains(body, `id="open-link"`) != again {
			t.Errorf("%s: may be opened again: %v", finding, !again)
		}
	}
	if !slices.Contains(s.desk.verified, "shc/valid") {
		t.Errorf("counted %v", s.desk.verified)
	}
}

// A clock that was set back is said in the bar and does not hold up recording.
func TestAClockSetBackIsSaidAndHoldsNothingUp(t *testing.T) {
	s := open(t)
	s.reader.clock = clockfloor.Reading{At: noon, SetBack: 3 * time.Hour}
	for _, lang := range []string{"ja", "ja-easy", "en"} {
		if _, bar := s.get(t, "/parts/bar?lang="+lang); missing.MatchString(bar) || !strings.Contains(bar, "trouble") {
			t.Errorf("%s: the bar does not say it", lang)
		}
	}
	if _, bar := s.get(t, "/parts/bar?lang=ja"); !strings.Contains(bar, "3時間0分以上おくれています。時計を合わせてください。記録は続けられます") {
		t.Error("the bar does not say what to do")
	}
	if status, _ := s.post(t, "/checks", typed); status != http.StatusCreated {
		t.Errorf("recording: %d", status)
	}
}
