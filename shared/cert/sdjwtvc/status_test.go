package sdjwtvc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/sdjwtvc"
	"madoguchi.example/shared/trust"
)

// statusList signs a list as the issuer, at its address and issued at the tests' time.
func statusList(t testing.TB, s sdjwtvc.Statuses) string {
	t.Helper()
	if s.URI == "" {
		s.Issuer, s.URI = iss, statusURI
	}
	if s.IssuedAt.IsZero() {
		s.IssuedAt = at
	}
	key := testKey(t, issuerKey)
	token, err := sdjwtvc.IssueStatusList(key, keyID(t, key), s)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func pinned(t testing.TB) []trust.Key {
	key := testKey(t, issuerKey)
	return []trust.Key{{ID: keyID(t, key), Public: &key.PublicKey}}
}

func TestStatusListSaysWhatWasPut(t *testing.T) {
	const size = 100_003
	token := statusList(t, sdjwtvc.Statuses{Size: size, Revoked: []int64{99_999, 0, 7, 8, 7}, ExpiresAt: at.Add(time.Hour), TTL: time.Minute})
	l, err := sdjwtvc.ReadStatusList([]byte(token), iss, pinned(t)...)
	if err != nil {
		t.Fatal(err)
	}
	if l.URI != statusURI || !l.IssuedAt.Equal(at) || !l.ExpiresAt.Equal(at.Add(time.Hour)) || l.TTL != time.Minute || l.Len() < size {
		t.Errorf("%+v", l.URI)
	}
	revoked := 0
	for i := range l.Len() {
		if state, within := l.Status(i); !within || state > 1 {
			t.Fatalf("place %d: %d %v", i, state, within)
		} else if state == 1 {
			revoked++
		}
	}
	if state, _ := l.Status(99_999); revoked != 4 || state != 1 {
		t.Errorf("%d revoked", revoked)
	}
	for _, i := range []int64{-1, l.Len(), 1 << 62} {
		if _, within := l.Status(i); within {
			t.Errorf("%d is within", i)
		}
	}
	t.Logf("%d places, 4 revoked: %d characters", size, len(token))
}

// TestStatusListOfTheDraft reads the two short lists of the draft's section "Status List".
func TestStatusListOfTheDraft(t *testing.T) {
	for name, c := range map[string]struct {
		list string
		want []byte
	}{
		"one bit":  {`{"bits":1,"lst":"eNrbuRgAAhcBXQ"}`, []byte{1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1}},
		"two bits": {`{"bits":2,"lst":"eNo76fITAAPfAgc"}`, []byte{1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3}},
	} {
		token := sign(t, `{"alg":"ES256","typ":"statuslist+jwt"}`, `{"sub":"u","iat":1,"status_list":`+c.list+`}`, issuerKey)
		l, err := sdjwtvc.ReadStatusList([]byte(token), iss, pinned(t)...)
		if err != nil || l.Len() != int64(len(c.want)) {
			t.Errorf("%s: %d places, %v", name, l.Len(), err)
			continue
		}
		for i, want := range c.want {
			if state, _ := l.Status(int64(i)); state != want {
				t.Errorf("%s: place %d is %d, want %d", name, i, state, want)
			}
		}
	}
}

func TestStatusListRefused(t *testing.T) {
	const head, body = `{"alg":"ES256","typ":"statuslist+jwt","kid":"KID"}`, `{"iss":"https://madoguchi.example","sub":"u","iat":1,"exp":2,"ttl":3.5,"status_list":{"bits":1,"lst":"eNrbuRgAAhcBXQ"}}`
	if _, err := sdjwtvc.ReadStatusList([]byte(sign(t, head, body, issuerKey)), iss, pinned(t)...); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ head, body string }{
		"type":           {strings.Replace(head, "statuslist+jwt", "dc+sd-jwt", 1), body},
		"other kid":      {strings.Replace(head, "KID", "x", 1), body},
		"algorithm":      {strings.Replace(head, "ES256", "none", 1), body},
		"critical":       {strings.Replace(head, `"kid"`, `"crit":["x"],"kid"`, 1), body},
		"no JSON":        {head, "{"},
		"other issuer":   {head, strings.Replace(body, "madoguchi", "other", 1)},
		"no sub":         {head, strings.Replace(body, "sub", "sup", 1)},
		"no iat":         {head, strings.Replace(body, "iat", "iax", 1)},
		"exp a text":     {head, strings.Replace(body, `"exp":2`, `"exp":"2"`, 1)},
		"ttl zero":       {head, strings.Replace(body, "3.5", "0", 1)},
		"ttl a text":     {head, strings.Replace(body, "3.5", `"3"`, 1)},
		"bits":           {head, strings.Replace(body, `"bits":1`, `"bits":3`, 1)},
		"bits a text":    {head, strings.Replace(body, `"bits":1`, `"bits":"1"`, 1)},
		"no list":        {head, strings.Replace(body, "lst", "list", 1)},
		"padded":         {head, strings.Replace(body, "BXQ", "BXQ=", 1)},
		"checksum":       {head, strings.Replace(body, "BXQ", "BXg", 1)},
		"data behind":    {head, strings.Replace(body, "BXQ", "BXQA", 1)},
		"not zlib":       {head, strings.Replace(body, "eNrb", "aNrb", 1)},
		"claim twice":    {head, strings.Replace(body, `"iat":1`, `"iat":1,"iat":2`, 1)},
		"something else": {head, `[]`},
	} {
		if _, err := sdjwtvc.ReadStatusList([]byte(sign(t, c.head, c.body, issuerKey)), iss, pinned(t)...); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := sdjwtvc.ReadStatusList([]byte(sign(t, `{"alg":"ES256","typ":"statuslist+jwt"}`, body, otherKey)), iss, pinned(t)...); err == nil {
		t.Error("another's signature: taken")
	}
	if _, err := sdjwtvc.ReadStatusList(make([]byte, sdjwtvc.MaxStatusToken+1), iss, pinned(t)...); err == nil {
		t.Error("too long: taken")
	}
	for name, s := range map[string]sdjwtvc.Statuses{
		"no place": {URI: "u", IssuedAt: at}, "too many": {URI: "u", IssuedAt: at, Size: sdjwtvc.MaxStatusSize + 1},
		"outside": {URI: "u", IssuedAt: at, Size: 8, Revoked: []int64{8}}, "below": {URI: "u", IssuedAt: at, Size: 8, Revoked: []int64{-1}},
		"no address": {IssuedAt: at, Size: 8}, "no time": {URI: "u", Size: 8},
	} {
		if _, err := sdjwtvc.IssueStatusList(testKey(t, issuerKey), "k", s); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
}

// TestInflatedListIsBounded packs more than a list may hold into few characters.
func TestInflatedListIsBounded(t *testing.T) {
	full := statusList(t, sdjwtvc.Statuses{Size: sdjwtvc.MaxStatusSize})
	if l, err := sdjwtvc.ReadStatusList([]byte(full), iss, pinned(t)...); err != nil || l.Len() != sdjwtvc.MaxStatusSize {
		t.Errorf("the largest: %d, %v", l.Len(), err)
	}
	t.Logf("%d places in %d characters", int64(sdjwtvc.MaxStatusSize), len(full))
	large, err := sdjwtvc.Deflate(make([]byte, sdjwtvc.MaxStatusBytes+1))
	if err != nil {
		t.Fatal(err)
	}
	token := sign(t, `{"alg":"ES256","typ":"statuslist+jwt"}`, `{"sub":"u","iat":1,"status_list":{"bits":1,"lst":"`+encode(string(large))+`"}}`, issuerKey)
	if _, err := sdjwtvc.ReadStatusList([]byte(token), iss, pinned(t)...); err == nil {
		t.Error("larger than its bound: taken")
	}
}

func TestRevocation(t *testing.T) {
	credential := issue(t, claims(1), func(o *sdjwtvc.Options) { o.Holder, o.StatusURI, o.StatusIndex = nil, statusURI, 15 })
	list := func(change func(*sdjwtvc.Statuses)) []string {
		s := sdjwtvc.Statuses{Size: 64, Revoked: []int64{14, 16}}
		change(&s)
		return []string{statusList(t, s)}
	}
	same := func(*sdjwtvc.Statuses) {}
	hour := at.Add(time.Hour)
	for name, c := range map[string]struct {
		asOf    time.Time
		status  []string
		at      time.Time
		outcome cert.Outcome
		absent  bool // the finding that the list is not there
	}{
		"not revoked":          {at, list(same), at, cert.Valid, false},
		"revoked":              {at, list(func(s *sdjwtvc.Statuses) { s.Revoked = []int64{15} }), at, cert.Revoked, false},
		"revoked, list old":    {at, list(func(s *sdjwtvc.Statuses) { s.Revoked, s.ExpiresAt = []int64{15}, at.Add(1) }), hour, cert.Revoked, false},
		"list too short":       {at, list(func(s *sdjwtvc.Statuses) { s.Size, s.Revoked = 8, nil }), at, cert.StaleRevocation, true},
		"other list":           {at, list(func(s *sdjwtvc.Statuses) { s.URI += "x" }), at, cert.StaleRevocation, true},
		"no list, dated":       {at, nil, at, cert.StaleRevocation, true},
		"no list, undated":     {time.Time{}, nil, at, cert.Valid, true},
		"other list, undated":  {time.Time{}, list(func(s *sdjwtvc.Statuses) { s.URI = "https://other.example" }), at, cert.StaleRevocation, true},
		"exp to come":          {at, list(func(s *sdjwtvc.Statuses) { s.ExpiresAt = hour.Add(1e9) }), hour, cert.Valid, false},
		"exp":                  {at, list(func(s *sdjwtvc.Statuses) { s.ExpiresAt = hour }), hour, cert.StaleRevocation, true},
		"ttl to come":          {at, list(func(s *sdjwtvc.Statuses) { s.TTL = time.Hour }), hour, cert.Valid, false},
		"ttl":                  {at, list(func(s *sdjwtvc.Statuses) { s.TTL = time.Hour }), hour.Add(1), cert.StaleRevocation, true},
		"ttl of a newer copy":  {hour, list(func(s *sdjwtvc.Statuses) { s.TTL = time.Hour }), hour.Add(1), cert.Valid, false},
		"ttl without a date":   {time.Time{}, list(func(s *sdjwtvc.Statuses) { s.TTL = time.Hour }), hour.Add(1), cert.StaleRevocation, true},
		"ttl to come, no date": {time.Time{}, list(func(s *sdjwtvc.Statuses) { s.TTL = time.Hour }), hour, cert.Valid, false},
		"a newer list wins":    {at, append(list(same), list(func(s *sdjwtvc.Statuses) { s.IssuedAt, s.Revoked = hour, []int64{15} })...), hour, cert.Revoked, false},
		"an older list is not": {at, append(list(func(s *sdjwtvc.Statuses) { s.IssuedAt = hour }), list(func(s *sdjwtvc.Statuses) { s.Revoked = []int64{15} })...), hour, cert.Valid, false},
	} {
		snap := layout{asOf: c.asOf, maxAge: 1000 * time.Hour, status: c.status}.load(t)
		v := sdjwtvc.Verify([]byte(credential), snap, c.at)
		if v.Outcome != c.outcome || (len(v.Findings) == 1 && v.Findings[0] == cert.NoRevocationList) != c.absent {
			t.Errorf("%s: %s %v %s", name, v.Outcome, v.Findings, v.Reason)
		}
	}
	other := sign(t, `{"alg":"ES256","typ":"dc+sd-jwt","kid":"KID"}`, `{"iss":"`+iss+`","vct":"v","status":{"other":{}}}`, issuerKey) + "~"
	if v := sdjwtvc.Verify([]byte(other), believe(t), at); v.Outcome != cert.Valid || v.Findings[0] != sdjwtvc.OtherStatus {
		t.Errorf("a status of another kind: %s %v", v.Outcome, v.Findings)
	}
}

// TestTrustFile holds the writer against the reader, as the bundle does before it is sent.
func TestTrustFile(t *testing.T) {
	key := testKey(t, issuerKey)
	jwks, err := trust.WriteJWKS(trust.PublishedKey{Public: &key.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	good := statusList(t, sdjwtvc.Statuses{Size: 8})
	for name, c := range map[string]struct {
		status []string
		notes  int
	}{
		"none": {nil, 0}, "one": {[]string{good}, 0}, "broken": {[]string{good + "A", good}, 1}, "twice": {[]string{good, good}, 1},
	} {
		file, text, err := sdjwtvc.TrustFile(iss, jwks, c.status...)
		if err != nil {
			t.Fatal(err)
		}
		bundle := trust.Bundle{Files: map[string][]byte{file: text}, Sections: []trust.Section{sdjwtvc.Section}}
		if _, err := bundle.FS(); (err == nil) != (c.notes == 0) {
			t.Errorf("%s: bundle: %v", name, err)
		}
		snap, err := trust.Load(fstest.MapFS{file: {Data: text}}, []trust.Section{sdjwtvc.Section})
		if err != nil || len(snap.Notes()) != c.notes {
			t.Errorf("%s: %v %v", name, snap.Notes(), err)
		}
	}
	many, err := json.Marshal(make([]string, 65))
	if err != nil {
		t.Fatal(err)
	}
	for name, status := range map[string]string{"not texts": `[1]`, "too many": string(many)} {
		text := []byte(`{"iss":"` + iss + `","jwks":` + string(jwks) + `,"status":` + status + `}`)
		if _, err := trust.Load(fstest.MapFS{"sdjwt/a.json": {Data: text}}, []trust.Section{sdjwtvc.Section}); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

// TestAllListsTogetherAreBounded loads one list more than all together may hold.
func TestAllListsTogetherAreBounded(t *testing.T) {
	const fit = 64 << 20 / sdjwtvc.MaxStatusBytes
	full, err := sdjwtvc.Deflate(make([]byte, sdjwtvc.MaxStatusBytes))
	if err != nil {
		t.Fatal(err)
	}
	var tokens []string
	for i := range fit + 1 {
		payload := fmt.Sprintf(`{"sub":"%s/%d","iat":1,"status_list":{"bits":1,"lst":"%s"}}`, iss, i, encode(string(full)))
		tokens = append(tokens, sign(t, `{"alg":"ES256","typ":"statuslist+jwt"}`, payload, issuerKey))
	}
	if notes := (layout{status: tokens}).load(t).Notes(); len(notes) != 1 || !strings.HasSuffix(notes[0].Place, fmt.Sprintf("status %d", fit)) {
		t.Errorf("left out: %v", notes)
	}
}
