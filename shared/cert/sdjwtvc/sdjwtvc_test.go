package sdjwtvc_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/sdjwtvc"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/trust"
)

func TestIssuedCredentialVerifies(t *testing.T) {
	want := claims(3)
	want.ExpiresAt = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	unbound := func(o *sdjwtvc.Options) { o.Holder = nil }
	text := issue(t, want, unbound)
	if again := issue(t, want, unbound); again != text {
		t.Error("the same call with the same salts gives another credential")
	}
	want.Format, want.Content, want.Issuer, want.IssuedAt, want.HolderRaw = sdjwtvc.Format, cert.Vaccination, iss, at, "MIHON HANAKO"
	v := sdjwtvc.Verify([]byte(text), believe(t), at)
	if v.Outcome != cert.Valid || !sameFindings(v.Findings) {
		t.Fatalf("%s %v %s", v.Outcome, v.Findings, v.Reason)
	}
	if !reflect.DeepEqual(*v.Certificate, want) {
		t.Errorf("\n got %#v\nwant %#v", *v.Certificate, want)
	}
	v = sdjwtvc.Verify([]byte(issue(t, want, nil)), believe(t), at)
	if v.Outcome != cert.Valid || !sameFindings(v.Findings, sdjwtvc.HolderUnproven) || v.Certificate.HolderBound {
		t.Errorf("without proof: %s %v", v.Outcome, v.Findings)
	}
	t.Logf("%d characters with 3 doses", len(text))
}

func TestKanjiAloneIsTheName(t *testing.T) {
	c := claims(1)
	c.Holder = identity.PersonName{FamilyKanji: "見本", GivenKanji: "花子"}
	v := sdjwtvc.Verify([]byte(issue(t, c, nil)), believe(t), at)
	if v.Certificate.Holder != c.Holder || v.Certificate.HolderRaw != "見本 花子" {
		t.Error("another name than was issued")
	}
}

func TestPresentation(t *testing.T) {
	credential := issue(t, claims(3), nil)
	want := sdjwtvc.Expect{Nonce: nonce, Audience: audience}
	v := sdjwtvc.VerifyPresentation([]byte(present(t, credential, all)), believe(t), at, want)
	if v.Outcome != cert.Valid || !sameFindings(v.Findings) || !v.Certificate.HolderBound {
		t.Errorf("whole: %s %v %s", v.Outcome, v.Findings, v.Reason)
	}
	part := present(t, credential, func(d sdjwtvc.Disclosure) bool {
		return d.Name == "birthdate" || strings.Contains(d.Value, "EW0001")
	})
	v = sdjwtvc.Verify([]byte(part), believe(t), at)
	if v.Outcome != cert.Valid || !sameFindings(v.Findings, sdjwtvc.DosesWithheld, cert.NoHolderName, sdjwtvc.BindingUnasked) {
		t.Errorf("part: %s %v %s", v.Outcome, v.Findings, v.Reason)
	}
	c := v.Certificate
	if len(c.Doses) != 1 || c.Doses[0].Number != 2 || c.BirthDate != claims(1).BirthDate || c.HolderRaw != "" || c.ID != "" || c.Sex != "" || !c.HolderBound {
		t.Errorf("shown: %+v", c.Doses)
	}
	v = sdjwtvc.Verify([]byte(present(t, credential, func(sdjwtvc.Disclosure) bool { return false })), believe(t), at)
	if v.Outcome != cert.Valid || !slices.Contains(v.Findings, cert.NoVaccination) || !slices.Contains(v.Findings, sdjwtvc.DosesWithheld) {
		t.Errorf("nothing: %s %v %s", v.Outcome, v.Findings, v.Reason)
	}
}

func TestPresentationIsHeldAgainstTheRequest(t *testing.T) {
	credential := issue(t, claims(2), nil)
	good := present(t, credential, all)
	less := present(t, credential, func(d sdjwtvc.Disclosure) bool { return d.Name != "sex" })
	proof := good[strings.LastIndexByte(good, '~')+1:]
	stolen, err := sdjwtvc.Present(credential, all, testKey(t, otherKey), nonce, audience, at)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := sdjwtvc.Present(credential, all, nil, "", "", at)
	if err != nil || bare != credential {
		t.Errorf("shown whole without proof it is another text (%v)", err)
	}
	unbound := present(t, issue(t, claims(2), func(o *sdjwtvc.Options) { o.Holder = nil }), all)
	want := sdjwtvc.Expect{Nonce: nonce, Audience: audience}
	for name, c := range map[string]struct {
		text    string
		want    sdjwtvc.Expect
		after   time.Duration
		outcome cert.Outcome
	}{
		"good":              {good, want, 0, cert.Valid},
		"less":              {less, want, 0, cert.Valid},
		"other nonce":       {good, sdjwtvc.Expect{Nonce: nonce + "x", Audience: audience}, 0, cert.BadSignature},
		"no nonce asked":    {good, sdjwtvc.Expect{Audience: audience}, 0, cert.BadSignature},
		"other audience":    {good, sdjwtvc.Expect{Nonce: nonce, Audience: iss}, 0, cert.BadSignature},
		"no proof":          {bare, want, 0, cert.BadSignature},
		"another's proof":   {stolen, want, 0, cert.BadSignature},
		"proof of another":  {less[:strings.LastIndexByte(less, '~')+1] + proof, want, 0, cert.BadSignature},
		"no holder":         {unbound, want, 0, cert.BadSignature},
		"fresh enough":      {good, want, 5*time.Minute - time.Second, cert.Valid},
		"old":               {good, want, 5 * time.Minute, cert.Expired},
		"old and permitted": {good, sdjwtvc.Expect{Nonce: nonce, Audience: audience, MaxAge: time.Hour}, 5 * time.Minute, cert.Valid},
	} {
		v := sdjwtvc.VerifyPresentation([]byte(c.text), believe(t), at.Add(c.after), c.want)
		if v.Outcome != c.outcome || v.Findings == nil || (v.Outcome == cert.Valid) != (v.Reason == "") {
			t.Errorf("%s: %s %s", name, v.Outcome, v.Reason)
		}
		if v.Outcome != cert.Valid && v.Outcome != cert.Expired && v.Certificate.HolderBound {
			t.Errorf("%s: bound though it is not", name)
		}
	}
	ahead, err := sdjwtvc.Present(credential, all, testKey(t, walletKey), nonce, audience, at.Add(2*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if v := sdjwtvc.VerifyPresentation([]byte(ahead), believe(t), at, want); v.Outcome != cert.NotYetValid {
		t.Errorf("a proof of the future: %s", v.Outcome)
	}
	if v := sdjwtvc.Verify([]byte(ahead), believe(t), at); v.Outcome != cert.NotYetValid {
		t.Errorf("unasked, ahead: %s", v.Outcome)
	}
	if v := sdjwtvc.VerifyPresentation([]byte(ahead), believe(t), at.Add(time.Minute), want); v.Outcome != cert.Valid {
		t.Errorf("a proof by a clock that is a minute ahead: %s %s", v.Outcome, v.Reason)
	}
	for _, text := range []string{stolen, unbound, less[:strings.LastIndexByte(less, '~')+1] + proof} {
		if v := sdjwtvc.Verify([]byte(text), believe(t), at); v.Outcome != cert.BadSignature {
			t.Errorf("a wrong proof that nobody asked for: %s", v.Outcome)
		}
	}
}

func TestDisclosuresAreListed(t *testing.T) {
	credential := issue(t, claims(2), nil)
	list, err := sdjwtvc.Disclosures(credential)
	if err != nil || len(list) != 12 {
		t.Fatalf("%d disclosures, %v", len(list), err)
	}
	if d := list[0]; d.Name != "family_name" || d.Element || d.Value != `"MIHON"` {
		t.Errorf("first: %+v", d)
	}
	if d := list[11]; d.Name != "" || !d.Element || !strings.HasPrefix(d.Value, `{"number":2,"date":"2021-02-02","code":"208"`) {
		t.Errorf("last: %+v", d)
	}
	if _, err := sdjwtvc.Disclosures(present(t, credential, all)); err == nil {
		t.Error("a presentation was taken for a credential")
	}
	if _, err := sdjwtvc.Present("x", all, nil, "", "", at); err == nil {
		t.Error("anything was presented")
	}
}

func TestNestedDisclosuresBringTheirParents(t *testing.T) {
	inner := encode(`["s","lot","EW1"]`)
	outer := encode(`["t","vaccine",{"_sd":["` + digest(inner) + `"]}]`)
	text := sign(t, `{"alg":"ES256","typ":"dc+sd-jwt"}`, `{"iss":"`+iss+`","vct":"x","_sd":["`+digest(outer)+`"]}`, issuerKey) + "~" + inner + "~" + outer + "~"
	out, err := sdjwtvc.Present(text, func(d sdjwtvc.Disclosure) bool { return d.Name == "lot" }, nil, "", "", at)
	if err != nil || out != text {
		t.Errorf("without the parent (%v)", err)
	}
	out, err = sdjwtvc.Present(text, func(d sdjwtvc.Disclosure) bool { return d.Name == "vaccine" }, nil, "", "", at)
	if err != nil || strings.Contains(out, inner) || !strings.Contains(out, outer) {
		t.Errorf("the parent alone (%v)", err)
	}
}

func TestIssueRefuses(t *testing.T) {
	key := testKey(t, issuerKey)
	change := func(f func(*cert.Certificate)) cert.Certificate {
		c := claims(2)
		f(&c)
		return c
	}
	good := sdjwtvc.Options{Salt: &salts{}}
	for name, c := range map[string]struct {
		c     cert.Certificate
		opts  sdjwtvc.Options
		code  fault.Code
		place string
	}{
		"no dose":       {claims(0), good, fault.NoRecord, ""},
		"too many":      {claims(65), good, fault.TooLarge, sdjwtvc.PlaceDoses},
		"no name":       {change(func(c *cert.Certificate) { c.Holder = identity.PersonName{FamilyKana: "ミホン"} }), good, fault.InvalidArgument, sdjwtvc.PlaceHolder},
		"no birth date": {change(func(c *cert.Certificate) { c.BirthDate = civil.Date{} }), good, fault.InvalidArgument, sdjwtvc.PlaceBirthDate},
		"no code":       {change(func(c *cert.Certificate) { c.Doses[1].Code = "" }), good, fault.InvalidArgument, sdjwtvc.PlaceDoses},
		"expired":       {change(func(c *cert.Certificate) { c.ExpiresAt = at }), good, fault.InvalidArgument, sdjwtvc.PlaceDoses},
		"no salt":       {claims(1), sdjwtvc.Options{}, fault.Internal, ""},
		"salt ends":     {claims(1), sdjwtvc.Options{Salt: bytes.NewReader(make([]byte, 20))}, fault.Internal, ""},
		"other type":    {claims(1), sdjwtvc.Options{Salt: &salts{}, VCT: "https://a.example/b"}, fault.InvalidArgument, sdjwtvc.PlaceType},
		"index alone":   {claims(1), sdjwtvc.Options{Salt: &salts{}, StatusIndex: 3}, fault.InvalidArgument, sdjwtvc.PlaceStatus},
	} {
		text, err := sdjwtvc.Issue(key, "k", iss, at, c.c, c.opts)
		if text != "" || fault.CodeOf(err) != c.code || fault.PlaceOf(err) != c.place {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "見本") || strings.Contains(err.Error(), "1990")) {
			t.Errorf("%s: the fault tells a personal value: %v", name, err)
		}
	}
	if _, err := sdjwtvc.Issue(nil, "k", iss, at, claims(1), good); err == nil {
		t.Error("issued without key")
	}
	if _, err := sdjwtvc.Issue(key, "k", iss+"/", at, claims(1), good); fault.PlaceOf(err) != sdjwtvc.PlaceIssuer {
		t.Errorf("a trailing slash: %v", err)
	}
}

// TestEveryFlippedBitIsRefused tampers with a presentation everywhere: token, disclosures
// and proof.
func TestEveryFlippedBitIsRefused(t *testing.T) {
	text := []byte(present(t, issue(t, claims(1), nil), func(d sdjwtvc.Disclosure) bool { return d.Element || d.Name == "birthdate" }))
	snap := believe(t)
	if v := sdjwtvc.Verify(text, snap, at); v.Outcome != cert.Valid {
		t.Fatal(v.Outcome, v.Reason)
	}
	told := map[cert.Outcome]int{}
	for i := range text {
		for bit := range 8 {
			changed := slices.Clone(text)
			changed[i] ^= 1 << bit
			v := sdjwtvc.Verify(changed, snap, at)
			told[v.Outcome]++
			if v.Outcome == cert.Valid {
				t.Errorf("valid with bit %d of byte %d flipped", bit, i)
			}
		}
	}
	for i := range text {
		if v := sdjwtvc.Verify(text[:i], snap, at); v.Outcome == cert.Valid && text[i-1] != '~' {
			t.Errorf("valid when cut at %d", i)
		}
	}
	t.Logf("%d flips: %v", 8*len(text), told)
	for i, part := range strings.Split(string(text), "~") {
		without := strings.Replace(string(text), part, "", 1)
		if v := sdjwtvc.Verify([]byte(without), snap, at); v.Outcome == cert.Valid && part != "" && i < 3 {
			t.Errorf("valid without part %d", i)
		}
	}
}

// TestPrecedence adds one fault at a time, the weakest first.
func TestPrecedence(t *testing.T) {
	c := claims(1)
	c.ExpiresAt = at.Add(time.Hour)
	credential := issue(t, c, func(o *sdjwtvc.Options) { o.StatusURI, o.StatusIndex = statusURI, 5 })
	text := present(t, credential, all)
	l := layout{asOf: at, maxAge: 24 * time.Hour, status: []string{statusList(t, sdjwtvc.Statuses{Size: 8})}}
	now := at
	want := sdjwtvc.Expect{Nonce: nonce, Audience: audience, MaxAge: time.Hour * 1000}
	for _, step := range []struct {
		outcome cert.Outcome
		worsen  func()
	}{
		{cert.Valid, func() {}},
		{cert.StaleRevocation, func() { l.status = nil }},
		{cert.StaleTrust, func() { l.maxAge, now = time.Minute, at.Add(2*time.Minute) }},
		{cert.Expired, func() { now = c.ExpiresAt }},
		{cert.Revoked, func() { l.status = []string{statusList(t, sdjwtvc.Statuses{Size: 8, Revoked: []int64{5}})} }},
		{cert.BadSignature, func() { want.Nonce = "other" }},
		{cert.UnknownKey, func() { l.keys, l.status = append(l.keys, testKey(t, otherKey)), nil }},
		{cert.Malformed, func() { text = strings.Replace(text, "~", "~~", 1) }},
	} {
		step.worsen()
		v := sdjwtvc.VerifyPresentation([]byte(text), l.load(t), now, want)
		if v.Outcome != step.outcome {
			t.Fatalf("%s, want %s (%s)", v.Outcome, step.outcome, v.Reason)
		}
	}
	if v := sdjwtvc.Verify([]byte(credential), trust.Snapshot{}, at); v.Outcome != cert.UntrustedIssuer || v.Certificate == nil {
		t.Errorf("without anchors: %s", v.Outcome)
	}
}

// TestEveryClaimIsDescribed holds what is issued against the type's metadata.
func TestEveryClaimIsDescribed(t *testing.T) {
	doc, err := sdjwtvc.TypeMetadata(iss + sdjwtvc.TypePath)
	if err != nil {
		t.Fatal(err)
	}
	var meta struct {
		VCT    string
		Claims []struct {
			Path []any
			SD   string
		}
	}
	if err := json.Unmarshal(doc, &meta); err != nil || meta.VCT != iss+sdjwtvc.TypePath {
		t.Fatalf("%v %s", err, meta.VCT)
	}
	described := map[string]string{}
	for _, c := range meta.Claims {
		key, err := json.Marshal(c.Path)
		if err != nil {
			t.Fatal(err)
		}
		described[string(key)] = c.SD
	}
	c := claims(1)
	c.Doses[0].Of = 2
	list, err := sdjwtvc.Disclosures(issue(t, c, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if !d.Element {
			if described[`["`+d.Name+`"]`] != "always" {
				t.Errorf("%s is not described as one that may be withheld", d.Name)
			}
			continue
		}
		var dose map[string]any
		if err := json.Unmarshal([]byte(d.Value), &dose); err != nil {
			t.Fatal(err)
		}
		for name := range dose {
			if described[`["vaccinations",null,"`+name+`"]`] != "never" {
				t.Errorf("%s of a dose is not described", name)
			}
		}
	}
	if described[`["vaccinations",null]`] != "always" || described[`["vaccinations"]`] != "never" {
		t.Error("the list of doses is described otherwise than it is issued")
	}
}

func TestIssuerMetadata(t *testing.T) {
	key := testKey(t, issuerKey)
	doc, err := sdjwtvc.IssuerMetadata(iss, trust.PublishedKey{Public: &key.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Issuer string
		JWKS   json.RawMessage
	}
	if err := json.Unmarshal(doc, &got); err != nil || got.Issuer != iss {
		t.Errorf("%s %v", doc, err)
	}
	if keys, err := trust.ParseLooseJWKS(got.JWKS, iss); err != nil || len(keys) != 1 || keys[0].ID != keyID(t, key) {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if _, err := sdjwtvc.IssuerMetadata("http://a.example"); err == nil {
		t.Error("an issuer without https")
	}
}
