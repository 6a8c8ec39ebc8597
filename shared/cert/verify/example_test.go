package verify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/trust"
)

// A town issues a card, and a verifier that pinned the town's keys reads it without a
// network. A trust folder on disk is os.DirFS(dir).
func Example() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	const town = "https://town.example"
	monday := time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC)
	jws, err := shc.Issue(key, town, monday, cert.Certificate{
		Holder:    identity.PersonName{FamilyLatin: "YAMADA", GivenLatin: "HANAKO"},
		BirthDate: civil.Date{Year: 1990, Month: time.April, Day: 1},
		Doses:     []cert.Dose{{Number: 1, CodeSystem: cert.CVX, Code: "208", On: civil.Date{Year: 2026, Month: time.November, Day: 2}}},
	}, shc.Options{Name: shc.NameLatin})
	if err != nil {
		log.Fatal(err)
	}
	text, err := shc.QRText(jws)
	if err != nil {
		log.Fatal(err)
	}

	jwks, err := shc.JWKS(shc.Published(&key.PublicKey))
	if err != nil {
		log.Fatal(err)
	}
	name, file, err := trust.IssuerFile(shc.Section.Name, town, jwks)
	if err != nil {
		log.Fatal(err)
	}
	snapshot, err := verify.LoadTrust(fstest.MapFS{
		name:            {Data: file},
		"snapshot.json": {Data: []byte(`{"as_of":"2026-11-23T00:00:00Z","max_age":"168h"}`)},
	})
	if err != nil {
		log.Fatal(err)
	}

	for _, at := range []time.Time{monday.AddDate(0, 0, 1), monday.AddDate(0, 0, 8)} {
		fmt.Println(verify.Sentence(verify.Verify([]byte(text), snapshot, at)))
	}
	// A snapshot of nobody trusts nobody.
	fmt.Println(verify.Verify([]byte(text), trust.Snapshot{}, monday).Outcome)
	// Output:
	// valid: SMART Health Card of https://town.example, issued 2026-11-23, 1 vaccination, the last on 2026-11-02, without an end date
	// stale_trust: SMART Health Card of https://town.example, issued 2026-11-23, 1 vaccination, the last on 2026-11-02, without an end date: the trust list is older than it may be; the trust list is 8 days and 9 hours old, made 2026-11-23T00:00:00Z
	// untrusted_issuer
}
