package sdjwtvc_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/sdjwtvc"
)

const (
	plainHeader = `{"alg":"ES256","typ":"dc+sd-jwt","kid":"KID"}`
	// The disclosures that tests put into payloads: D1 and D2 are members, D3 an entry, D4
	// holds D1's digest, D5 is another member of D1's name.
	d1, d2, d3, d5 = `["s1","a",1]`, `["s2","b",{"c":[true]}]`, `["s3","e"]`, `["s5","a",2]`
)

var d4 = `["s4","n",{"_sd":["` + digest(encode(d1)) + `"]}]`

// fill puts digests and disclosures in their places: $1 is the digest of d1, and so on.
func fill(text string) string {
	for i, d := range []string{d1, d2, d3, d4, d5} {
		text = strings.ReplaceAll(text, fmt.Sprintf("$%d", i+1), digest(encode(d)))
	}
	return text
}

// TestDisclosuresAreStrict signs payloads that differ in their digests and gives different
// disclosures with them. The signature is good each time.
func TestDisclosuresAreStrict(t *testing.T) {
	const m, v = cert.Malformed, cert.Valid
	for name, c := range map[string]struct {
		claims      string // behind iss and vct
		disclosures []string
		want        cert.Outcome
	}{
		"none":                       {``, nil, v},
		"members":                    {`,"_sd":["$1","$2"]`, []string{d1, d2}, v},
		"other order":                {`,"_sd":["$1","$2"]`, []string{d2, d1}, v},
		"some withheld, decoys":      {`,"_sd":["$1","$2","decoy"]`, []string{d2}, v},
		"entry":                      {`,"l":["x",{"...":"$3"},{"...":"decoy"}]`, []string{d3}, v},
		"nested":                     {`,"_sd":["$4"]`, []string{d1, d4}, v},
		"deep":                       {`,"o":{"l":[{"p":{"_sd":["$1"]}}]}`, []string{d1}, v},
		"empty list of digests":      {`,"_sd":[]`, nil, v},
		"hash named":                 {`,"_sd_alg":"sha-256"`, nil, v},
		"same name at another level": {`,"o":{"_sd":["$1"]},"a":0`, []string{d1}, v},
		"disclosure twice":           {`,"_sd":["$1"]`, []string{d1, d1}, m},
		"disclosure without digest":  {`,"_sd":["$1"]`, []string{d1, d2}, m},
		"child without its parent":   {`,"_sd":["$4"]`, []string{d1}, m},
		"digest twice":               {`,"_sd":["$1","$1"]`, []string{d1}, m},
		"digest twice, apart":        {`,"_sd":["$1"],"o":{"_sd":["$1"]}`, []string{d1}, m},
		"digest twice, nested":       {`,"_sd":["$1","$4"]`, []string{d1, d4}, m},
		"decoy twice":                {`,"_sd":["decoy"],"l":[{"...":"decoy"}]`, nil, m},
		"overwrites a claim":         {`,"_sd":["$1"],"a":0`, []string{d1}, m},
		"overwrites a disclosed one": {`,"_sd":["$1","$5"]`, []string{d1, d5}, m},
		"member as entry":            {`,"l":[{"...":"$1"}]`, []string{d1}, m},
		"entry as member":            {`,"_sd":["$3"]`, []string{d3}, m},
		"digests no list":            {`,"_sd":"$1"`, nil, m},
		"digest no text":             {`,"_sd":[1]`, nil, m},
		"entry's digest no text":     {`,"l":[{"...":1}]`, nil, m},
		"entry with more members":    {`,"l":[{"...":"$3","x":1}]`, nil, m},
		"place outside of a list":    {`,"...":"$3"`, nil, m},
		"place in an object":         {`,"o":{"...":"$3"}`, nil, m},
		"hash within":                {`,"o":{"_sd_alg":"sha-256"}`, nil, m},
		"hash no text":               {`,"_sd_alg":1`, nil, m},
		"other hash":                 {`,"_sd_alg":"sha-512"`, nil, cert.Unsupported},
		"claim named twice":          {`,"a":1,"a":2`, nil, m},
		"controls hidden within":     {`,"status":{"_sd":["decoy"]}`, nil, m},
		"controls hidden deeper":     {`,"cnf":{"jwk":{"_sd":["decoy"]}}`, nil, m},
		"controls hidden in a list":  {`,"aka_vcts":[{"...":"decoy"}]`, nil, m},
		"too deep":                   {`,"a":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40), nil, m},
		"too many values":            {`,"a":[` + strings.Repeat("1,", 20000) + `1]`, nil, m},
		"no salt":                    {`,"_sd":["x"]`, []string{`["a"]`}, m},
		"four entries":               {`,"_sd":["x"]`, []string{`["a","b","c","d"]`}, m},
		"salt no text":               {`,"_sd":["x"]`, []string{`[1,"a",2]`}, m},
		"name no text":               {`,"_sd":["x"]`, []string{`["s",1,2]`}, m},
		"no list":                    {`,"_sd":["x"]`, []string{`{"s":1}`}, m},
		"text behind":                {`,"_sd":["$1"]`, []string{d1 + "1"}, m},
		"not UTF-8":                  {`,"_sd":["x"]`, []string{"[\"s\",\"a\",\"\xff\"]"}, m},
		"not one value":              {`,"_sd":["x"]`, []string{`["s","a",{"b":1,"b":2}]`}, m},
	} {
		text := sign(t, plainHeader, fill(`{"iss":"`+iss+`","vct":"v"`+c.claims+`}`), issuerKey) + "~"
		for _, d := range c.disclosures {
			text += encode(d) + "~"
		}
		v := sdjwtvc.Verify([]byte(text), believe(t), at)
		if v.Outcome != c.want || v.Findings == nil || (v.Outcome == cert.Valid) != (v.Reason == "") {
			t.Errorf("%s: %s %s", name, v.Outcome, v.Reason)
		}
	}
}

// TestReservedNames discloses what no disclosure may be called.
func TestReservedNames(t *testing.T) {
	for _, name := range []string{"_sd", "...", "_sd_alg", "iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"} {
		for level, wrap := range []string{`%s`, `"o":{%s}`} {
			d := encode(`["s","` + name + `",{}]`)
			text := sign(t, plainHeader, `{"iss":"`+iss+`",`+fmt.Sprintf(wrap, `"_sd":["`+digest(d)+`"]`)+`}`, issuerKey) + "~" + d + "~"
			if name == "iss" {
				text = sign(t, plainHeader, `{"issuer":"`+iss+`",`+fmt.Sprintf(wrap, `"_sd":["`+digest(d)+`"]`)+`}`, issuerKey) + "~" + d + "~"
			}
			v := sdjwtvc.Verify([]byte(text), believe(t), at)
			reserved := strings.HasPrefix(name, "_") || name == "..."
			if (v.Outcome == cert.Malformed) != (level == 0 || reserved) {
				t.Errorf("%s at level %d: %s %s", name, level, v.Outcome, v.Reason)
			}
		}
	}
}

func TestNestingIsBoundedAcrossDisclosures(t *testing.T) {
	inner := encode(`["s","x",1]`)
	chain := inner
	for range 40 {
		outer := encode(`["s","x",{"_sd":["` + digest(inner) + `"]}]`)
		chain, inner = chain+"~"+outer, outer
	}
	text := sign(t, plainHeader, `{"iss":"`+iss+`","vct":"v","_sd":["`+digest(inner)+`"]}`, issuerKey) + "~" + chain + "~"
	if v := sdjwtvc.Verify([]byte(text), believe(t), at); v.Outcome != cert.Malformed || !strings.Contains(v.Reason, "nested") {
		t.Errorf("%s %s", v.Outcome, v.Reason)
	}
}

func TestHeaders(t *testing.T) {
	certificate := func(key int64, until time.Time) string {
		signer := testKey(t, key)
		template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signer"}, NotBefore: at.Add(-time.Hour), NotAfter: until}
		der, err := x509.CreateCertificate(rand.Reader, &template, &template, &signer.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(der)
	}
	later := at.Add(time.Hour)
	for name, c := range map[string]struct {
		header   string
		outcome  cert.Outcome
		findings []cert.Finding
	}{
		"good":              {plainHeader, cert.Valid, nil},
		"no kid":            {`{"alg":"ES256","typ":"dc+sd-jwt"}`, cert.Valid, nil},
		"whole media type":  {`{"alg":"ES256","typ":"application/dc+sd-jwt"}`, cert.Valid, nil},
		"others ignored":    {`{"alg":"ES256","typ":"dc+sd-jwt","jku":"https://evil.example","jwk":{},"x":[1]}`, cert.Valid, nil},
		"earlier type":      {`{"alg":"ES256","typ":"vc+sd-jwt"}`, cert.Valid, []cert.Finding{sdjwtvc.OtherType}},
		"profile's type":    {`{"alg":"ES256","typ":"example+sd-jwt"}`, cert.Valid, []cert.Finding{sdjwtvc.OtherType}},
		"no type":           {`{"alg":"ES256"}`, cert.Valid, []cert.Finding{sdjwtvc.OtherType}},
		"a status list":     {`{"alg":"ES256","typ":"statuslist+jwt"}`, cert.Unsupported, nil},
		"an access token":   {`{"alg":"ES256","typ":"at+jwt"}`, cert.Unsupported, nil},
		"other algorithm":   {`{"alg":"ES384","typ":"dc+sd-jwt"}`, cert.Unsupported, nil},
		"must understand":   {`{"alg":"ES256","typ":"dc+sd-jwt","crit":["x"]}`, cert.Unsupported, nil},
		"no algorithm":      {`{"typ":"dc+sd-jwt"}`, cert.Malformed, nil},
		"none":              {`{"alg":"none","typ":"dc+sd-jwt"}`, cert.Malformed, nil},
		"None":              {`{"alg":"None","typ":"dc+sd-jwt"}`, cert.Malformed, nil},
		"symmetric":         {`{"alg":"HS256","typ":"dc+sd-jwt"}`, cert.Malformed, nil},
		"algorithm twice":   {`{"alg":"ES256","alg":"none","typ":"dc+sd-jwt"}`, cert.Malformed, nil},
		"empty kid":         {`{"alg":"ES256","kid":""}`, cert.Malformed, nil},
		"unknown kid":       {`{"alg":"ES256","kid":"x"}`, cert.UnknownKey, []cert.Finding{sdjwtvc.OtherType}},
		"certified":         {`{"alg":"ES256","typ":"dc+sd-jwt","x5c":["` + certificate(issuerKey, later) + `"]}`, cert.Valid, nil},
		"certified, kid":    {`{"alg":"ES256","typ":"dc+sd-jwt","kid":"KID","x5c":["` + certificate(issuerKey, later) + `"]}`, cert.Valid, nil},
		"outdated":          {`{"alg":"ES256","typ":"dc+sd-jwt","x5c":["` + certificate(issuerKey, at.Add(-1)) + `"]}`, cert.Valid, []cert.Finding{sdjwtvc.CertificateOutdated}},
		"another certified": {`{"alg":"ES256","typ":"dc+sd-jwt","x5c":["` + certificate(otherKey, later) + `"]}`, cert.UnknownKey, nil},
		"no certificate":    {`{"alg":"ES256","typ":"dc+sd-jwt","x5c":["AAAA"]}`, cert.Malformed, nil},
		"no base64":         {`{"alg":"ES256","typ":"dc+sd-jwt","x5c":["!"]}`, cert.Malformed, nil},
		"none certified":    {`{"alg":"ES256","typ":"dc+sd-jwt","x5c":[]}`, cert.Malformed, nil},
	} {
		text := sign(t, c.header, `{"iss":"`+iss+`","vct":"v"}`, issuerKey) + "~"
		v := sdjwtvc.Verify([]byte(text), believe(t), at)
		want := append([]cert.Finding{}, c.findings...)
		if v.Outcome == cert.Valid {
			want = mergeContent(want)
		}
		if v.Outcome != c.outcome || (v.Outcome == cert.Valid && !sameFindings(v.Findings, want...)) {
			t.Errorf("%s: %s %v %s", name, v.Outcome, v.Findings, v.Reason)
		}
	}
}

// mergeContent adds what is remarked on a credential without content, in the order given.
func mergeContent(header []cert.Finding) []cert.Finding {
	content := []cert.Finding{cert.NoVaccination, cert.NoHolderName}
	if len(header) > 0 && header[0] == sdjwtvc.CertificateOutdated {
		return append(content, header...)
	}
	return append(header, content...)
}

// TestAllKeysAreTried pins several keys and signs with the last.
func TestAllKeysAreTried(t *testing.T) {
	snap := layout{keys: nil}.load(t)
	text := sign(t, `{"alg":"ES256","typ":"dc+sd-jwt"}`, `{"iss":"`+iss+`","vct":"v"}`, otherKey) + "~"
	if v := sdjwtvc.Verify([]byte(text), snap, at); v.Outcome != cert.BadSignature {
		t.Errorf("another's key: %s", v.Outcome)
	}
	several := layout{}
	for _, n := range []int64{issuerKey, walletKey, otherKey} {
		several.keys = append(several.keys, testKey(t, n))
	}
	if v := sdjwtvc.Verify([]byte(text), several.load(t), at); v.Outcome != cert.Valid {
		t.Errorf("one of several: %s", v.Outcome)
	}
	if v := sdjwtvc.Verify([]byte(sign(t, strings.Replace(plainHeader, "KID", keyID(t, testKey(t, issuerKey)), 1), `{"iss":"`+iss+`","vct":"v"}`, otherKey)+"~"), several.load(t), at); v.Outcome != cert.BadSignature {
		t.Errorf("signed by another key than kid names: %s", v.Outcome)
	}
}

// TestContent signs payloads that differ in one claim.
func TestContent(t *testing.T) {
	const own = `"vct":"https://madoguchi.example/vct/vaccination-certificate"`
	const dose = `{"number":1,"date":"2021-07-01","code":"208","code_system":"http://hl7.org/fhir/sid/cvx"}`
	for name, c := range map[string]struct {
		claims  string
		want    cert.Outcome
		finding cert.Finding
	}{
		"bare":               {`"iss":"ISS","vct":"v"`, cert.Valid, cert.NoVaccination},
		"no vct":             {`"iss":"ISS"`, cert.Valid, sdjwtvc.NoType},
		"empty vct":          {`"iss":"ISS","vct":""`, cert.Malformed, ""},
		"vct no text":        {`"iss":"ISS","vct":1`, cert.Malformed, ""},
		"no issuer":          {`"vct":"v"`, cert.Unsupported, ""},
		"issuer":             {`"issuer":"ISS","vct":"v"`, cert.Valid, ""},
		"issuer with id":     {`"issuer":{"id":"ISS","name":"x"},"vct":"v"`, cert.Valid, ""},
		"iss no text":        {`"iss":1,"issuer":"ISS"`, cert.Malformed, ""},
		"iss too long":       {`"iss":"https://` + strings.Repeat("a", 512) + `"`, cert.Malformed, ""},
		"other issuer":       {`"iss":"https://other.example"`, cert.UntrustedIssuer, ""},
		"iss before issuer":  {`"iss":"https://other.example","issuer":"ISS"`, cert.UntrustedIssuer, ""},
		"iat to come":        {`"iss":"ISS","vct":"v","iat":1900000000`, cert.NotYetValid, ""},
		"nbf to come":        {`"iss":"ISS","vct":"v","iat":1,"nbf":1900000000.5`, cert.NotYetValid, ""},
		"exp past":           {`"iss":"ISS","vct":"v","exp":1700000000`, cert.Expired, ""},
		"exp far away":       {`"iss":"ISS","vct":"v","exp":1e300`, cert.Valid, ""},
		"exp a text":         {`"iss":"ISS","vct":"v","exp":"1900000000"`, cert.Malformed, ""},
		"exp null":           {`"iss":"ISS","vct":"v","exp":null`, cert.Malformed, ""},
		"nbf before 1970":    {`"iss":"ISS","vct":"v","nbf":-1`, cert.Malformed, ""},
		"iat an object":      {`"iss":"ISS","vct":"v","iat":{}`, cert.Malformed, ""},
		"issued in words":    {`"iss":"ISS","vct":"v","issuanceDate":"2030-01-01T00:00:00Z"`, cert.NotYetValid, ""},
		"the earlier end 2":  {`"iss":"ISS","vct":"v","exp":1700000000,"expirationDate":"2030-01-01T00:00:00Z"`, cert.Expired, ""},
		"expired in words":   {`"iss":"ISS","vct":"v","validUntil":"2020-01-01T00:00:00Z"`, cert.Expired, ""},
		"no such time":       {`"iss":"ISS","vct":"v","validUntil":"2020-01-01"`, cert.Malformed, ""},
		"the earlier end":    {`"iss":"ISS","vct":"v","exp":1900000000,"expirationDate":"2020-01-01T00:00:00Z"`, cert.Expired, ""},
		"cnf no object":      {`"iss":"ISS","vct":"v","cnf":1`, cert.Malformed, ""},
		"holder named":       {`"iss":"ISS","vct":"v","cnf":{"kid":"x"}`, cert.Valid, sdjwtvc.HolderUnproven},
		"status no object":   {`"iss":"ISS","vct":"v","status":1`, cert.Malformed, ""},
		"status no index":    {`"iss":"ISS","vct":"v","status":{"status_list":{"uri":"u"}}`, cert.Malformed, ""},
		"status no address":  {`"iss":"ISS","vct":"v","status":{"status_list":{"idx":1}}`, cert.Malformed, ""},
		"index below":        {`"iss":"ISS","vct":"v","status":{"status_list":{"idx":-1,"uri":"u"}}`, cert.Malformed, ""},
		"index a fraction":   {`"iss":"ISS","vct":"v","status":{"status_list":{"idx":1.5,"uri":"u"}}`, cert.Malformed, ""},
		"W3C status":         {`"iss":"ISS","vct":"v","credentialStatus":{}`, cert.Valid, sdjwtvc.OtherStatus},
		"birth date of text": {`"iss":"ISS","vct":"v","birthdate":"1990"`, cert.Valid, cert.PartialDate},
		"own":                {`"iss":"ISS",` + own + `,"vaccinations":[` + dose + `],"birthdate":"1990-04-01","family_name":"A"`, cert.Valid, ""},
		"own without list":   {`"iss":"ISS",` + own, cert.Malformed, ""},
		"own, no birth date": {`"iss":"ISS",` + own + `,"vaccinations":[],"birthdate":"1990"`, cert.Malformed, ""},
		"dose no object":     {`"iss":"ISS",` + own + `,"vaccinations":[1]`, cert.Malformed, ""},
		"dose no date":       {`"iss":"ISS",` + own + `,"vaccinations":[` + strings.Replace(dose, "2021-07-01", "2021-02-30", 1) + `]`, cert.Malformed, ""},
		"dose no code":       {`"iss":"ISS",` + own + `,"vaccinations":[` + strings.Replace(dose, "208", "", 1) + `]`, cert.Malformed, ""},
		"dose no number":     {`"iss":"ISS",` + own + `,"vaccinations":[` + strings.Replace(dose, `"number":1`, `"of":1`, 1) + `]`, cert.Malformed, ""},
		"dose number a text": {`"iss":"ISS",` + own + `,"vaccinations":[` + strings.Replace(dose, `:1`, `:"1"`, 1) + `]`, cert.Malformed, ""},
		"too many doses":     {`"iss":"ISS",` + own + `,"vaccinations":[` + strings.Repeat(dose+",", 64) + dose + `]`, cert.Malformed, ""},
		"event":              {`"iss":"ISS","vct":"v","credentialSubject":{"vaccine":{"atcCode":"J07BX03"},"dateOfVaccination":"2021-06-23T13:40:12Z"}`, cert.Valid, cert.NoHolderName},
		"event, no date":     {`"iss":"ISS","vct":"v","credentialSubject":{"vaccine":{"atcCode":"J07BX03"}}`, cert.Valid, cert.PartialDate},
		"event, bad date":    {`"iss":"ISS","vct":"v","credentialSubject":{"vaccine":{},"dateOfVaccination":"soon"}`, cert.Malformed, ""},
		"event, bad order":   {`"iss":"ISS","vct":"v","credentialSubject":{"vaccine":{},"order":"x/3"}`, cert.Malformed, ""},
		"event, bad birth":   {`"iss":"ISS","vct":"v","credentialSubject":{"vaccine":{},"recipient":{"birthDate":1}}`, cert.Malformed, ""},
	} {
		payload := "{" + strings.ReplaceAll(c.claims, "ISS", iss) + "}"
		v := sdjwtvc.Verify([]byte(sign(t, plainHeader, payload, issuerKey)+"~"), believe(t), at)
		found := c.finding == ""
		for _, f := range v.Findings {
			found = found || f == c.finding
		}
		if v.Outcome != c.want || !found {
			t.Errorf("%s: %s %v %s", name, v.Outcome, v.Findings, v.Reason)
		}
	}
}

// TestForms changes the text around the parts.
func TestForms(t *testing.T) {
	token := sign(t, plainHeader, fill(`{"iss":"`+iss+`","vct":"v","_sd":["$1"]}`), issuerKey)
	d := encode(d1)
	for name, c := range map[string]struct {
		text string
		want cert.Outcome
	}{
		"good":             {token + "~" + d + "~", cert.Valid},
		"no end":           {token + "~" + d, cert.Malformed},
		"no ~":             {token, cert.Malformed},
		"nothing":          {"", cert.Malformed},
		"empty disclosure": {token + "~~", cert.Malformed},
		"blank behind":     {token + "~" + d + "~ ", cert.Malformed},
		"line end within":  {token + "~" + d[:4] + "\n" + d[4:] + "~", cert.Malformed},
		"padded":           {token + "~" + d + "=~", cert.Malformed},
		"four parts":       {token + ".e30~", cert.Malformed},
		"no token":         {"~" + d + "~", cert.Malformed},
		"other algorithm":  {encode(`{"alg":"EdDSA","typ":"dc+sd-jwt"}`) + "." + encode(`{"iss":"x"}`) + ".AAAA~", cert.Unsupported},
		"and no form":      {encode(`{"alg":"EdDSA","typ":"dc+sd-jwt"}`) + "." + encode(`{"iss":"x"}`) + "~", cert.Malformed},
		"and no JSON":      {encode(`{"alg":"EdDSA","typ":"dc+sd-jwt"}`) + "." + encode(`{`) + ".AAAA~", cert.Malformed},
		"too long":         {strings.Repeat("a", sdjwtvc.MaxInput) + "~", cert.Malformed},
		"too many":         {token + strings.Repeat("~"+d, sdjwtvc.MaxDisclosures+1) + "~", cert.Malformed},
		"long header":      {encode(strings.Repeat(" ", 16<<10)) + ".e30.AAAA~", cert.Malformed},
		"proof no token":   {token + "~" + d + "~x", cert.Malformed},
		"proof's type":     {token + "~" + d + "~" + sign(t, `{"alg":"ES256"}`, `{}`, walletKey), cert.Malformed},
		"proof's algorithm": {token + "~" + d + "~" + encode(`{"alg":"EdDSA","typ":"kb+jwt"}`) + "." +
			encode(`{"nonce":"n","aud":"a","iat":1,"sd_hash":"h"}`) + ".AAAA", cert.Unsupported},
		"proof's length": {token + "~" + d + "~" + sign(t, `{"alg":"ES256","typ":"kb+jwt"}`, `{"a":"`+strings.Repeat("a", 8<<10)+`"}`, walletKey), cert.Malformed},
	} {
		if v := sdjwtvc.Verify([]byte(c.text), believe(t), at); v.Outcome != c.want || v.Findings == nil {
			t.Errorf("%s: %s %s", name, v.Outcome, v.Reason)
		}
	}
}

// TestProofs signs proofs that differ in one claim, and credentials that name the holder in
// other ways.
func TestProofs(t *testing.T) {
	const head = `{"alg":"ES256","typ":"kb+jwt"}`
	x, y := coordinates(t, walletKey)
	cnf := `{"jwk":{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `"}}`
	const good = `{"nonce":"n","aud":"a","iat":1700000000,"sd_hash":"HASH"}`
	for _, typ := range []string{"dc+sd-jwt", "JWT", "openid4vci-proof+jwt"} {
		presented := sign(t, plainHeader, `{"iss":"`+iss+`","vct":"v","cnf":`+cnf+`}`, issuerKey) + "~"
		proof := sign(t, `{"alg":"ES256","typ":"`+typ+`"}`, strings.Replace(good, "HASH", digest(presented), 1), walletKey)
		if v := sdjwtvc.Verify([]byte(presented+proof), believe(t), at); v.Outcome != cert.Malformed {
			t.Errorf("a %s as proof: %s", typ, v.Outcome)
		}
	}
	for name, c := range map[string]struct {
		cnf, payload string
		want         cert.Outcome
	}{
		"good":              {cnf, good, cert.Valid},
		"a list of one":     {cnf, strings.Replace(good, `"a"`, `["a"]`, 1), cert.Valid},
		"a list of two":     {cnf, strings.Replace(good, `"a"`, `["a","b"]`, 1), cert.Malformed},
		"no nonce":          {cnf, strings.Replace(good, `"n"`, `""`, 1), cert.Malformed},
		"no iat":            {cnf, strings.Replace(good, `"iat"`, `"iax"`, 1), cert.Malformed},
		"iat a text":        {cnf, strings.Replace(good, `1700000000`, `"1"`, 1), cert.Malformed},
		"no hash":           {cnf, strings.Replace(good, `sd_hash`, `sd_hush`, 1), cert.Malformed},
		"other hash":        {cnf, strings.Replace(good, `HASH`, digest("x"), 1), cert.BadSignature},
		"expired":           {cnf, strings.Replace(good, `"iat"`, `"exp":1700000001,"iat"`, 1), cert.Expired},
		"not yet":           {cnf, strings.Replace(good, `"iat"`, `"nbf":1900000001,"iat"`, 1), cert.NotYetValid},
		"exp a text":        {cnf, strings.Replace(good, `"iat"`, `"exp":"x","iat"`, 1), cert.Malformed},
		"claim twice":       {cnf, strings.Replace(good, `"iat"`, `"nonce":"m","iat"`, 1), cert.Malformed},
		"holder by kid":     {`{"kid":"x"}`, good, cert.Unsupported},
		"holder on Ed25519": {`{"jwk":{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}}`, good, cert.Unsupported},
		"no point":          {strings.Replace(cnf, y, x, 1), good, cert.Unsupported},
		"another holder":    {strings.NewReplacer(x, "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ", y, "Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8").Replace(cnf), good, cert.BadSignature},
	} {
		presented := sign(t, plainHeader, `{"iss":"`+iss+`","vct":"v","cnf":`+c.cnf+`}`, issuerKey) + "~"
		v := sdjwtvc.Verify([]byte(presented+sign(t, head, strings.Replace(c.payload, "HASH", digest(presented), 1), walletKey)), believe(t), at)
		if v.Outcome != c.want || (v.Outcome == cert.Valid && !v.Certificate.HolderBound) {
			t.Errorf("%s: %s %s", name, v.Outcome, v.Reason)
		}
	}
}

func coordinates(t *testing.T, n int64) (x, y string) {
	t.Helper()
	point, err := testKey(t, n).PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return encode(string(point[1:33])), encode(string(point[33:]))
}
