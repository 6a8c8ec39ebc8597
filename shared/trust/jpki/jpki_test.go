package jpki_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/trust"
	"madoguchi.example/shared/trust/jpki"
)

var now = time.Date(2026, time.November, 22, 3, 0, 0, 0, time.UTC)

// keys are made once: a root's and a card's.
var keys = sync.OnceValue(func() (out [2]*rsa.PrivateKey) {
	for i := range out {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		out[i] = key
	}
	return out
})

func make509(t testing.TB, template, parent *x509.Certificate, public any, by *rsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func rootTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"JP"}, Organization: []string{"Practice JPKI"}},
		NotBefore: now.AddDate(-3, 0, 0), NotAfter: now.AddDate(7, 0, 0), SignatureAlgorithm: x509.SHA256WithRSA,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func leafTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{Country: []string{"JP"}, CommonName: "0123456789ABCDEFGHIJKLMNOP"},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(4, 0, 0), SignatureAlgorithm: x509.SHA256WithRSA,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func root(t testing.TB, change func(*x509.Certificate)) (*jpki.Roots, *x509.Certificate) {
	t.Helper()
	template := rootTemplate()
	if change != nil {
		change(template)
	}
	der := make509(t, template, template, &keys()[0].PublicKey, keys()[0])
	roots, err := jpki.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return roots, c
}

func TestOfEveryCertificateAReason(t *testing.T) {
	for _, c := range []struct {
		name string
		want jpki.Outcome
		root func(*x509.Certificate)
		leaf func(*x509.Certificate)
	}{
		{"good", jpki.Good, nil, nil},
		{"expired", jpki.Expired, nil, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }},
		{"not begun", jpki.NotYetValid, nil, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) }},
		{"expired root", jpki.RootExpired, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }, nil},
		{"expired both", jpki.Expired, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) }},
		{"an authority's", jpki.Malformed, nil, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }},
		{"not for signing", jpki.Malformed, nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }},
		{"of SHA-512", jpki.Malformed, nil, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA512WithRSA }},
		{"unknown critical extension", jpki.Malformed, nil, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 392, 200149, 99}, Critical: true, Value: []byte{5, 0}}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			roots, parent := root(t, c.root)
			leaf := leafTemplate()
			if c.leaf != nil {
				c.leaf(leaf)
			}
			v := roots.Judge(make509(t, leaf, parent, &keys()[1].PublicKey, keys()[0]), now)
			if v.Outcome != c.want || (v.Reason == "") != (c.want == jpki.Good) || (v.Public == nil) != (c.want == jpki.Malformed) {
				t.Errorf("%s (%s), want %s", v.Outcome, v.Reason, c.want)
			}
		})
	}
}

func TestNobodyVouchesForAnother(t *testing.T) {
	roots, parent := root(t, nil)
	leaf := leafTemplate()
	forged := make509(t, leaf, rootTemplate(), &keys()[1].PublicKey, keys()[1])
	if v := roots.Judge(forged, now); v.Outcome != jpki.Untrusted {
		t.Errorf("signed by another under the root's name: %s", v.Outcome)
	}
	honest := make509(t, leaf, parent, &keys()[1].PublicKey, keys()[0])
	var nobody *jpki.Roots
	if v := nobody.Judge(honest, now); v.Outcome != jpki.Untrusted || nobody.Len() != 0 {
		t.Errorf("without roots: %s", v.Outcome)
	}
	honest[len(honest)-1] ^= 1
	if v := roots.Judge(honest, now); v.Outcome != jpki.Untrusted {
		t.Errorf("with a bit turned: %s", v.Outcome)
	}
	if v := roots.Judge(make([]byte, jpki.MaxCertificate+1), now); v.Outcome != jpki.Malformed {
		t.Errorf("too large: %s", v.Outcome)
	}
}

func TestWhatIsNoRootIsRefused(t *testing.T) {
	refuse := func(name string, der []byte) {
		t.Helper()
		if roots, err := jpki.Parse(der); err == nil {
			t.Errorf("%s: %d roots", name, roots.Len())
		}
	}
	_, parent := root(t, nil)
	refuse("a card's", make509(t, leafTemplate(), parent, &keys()[1].PublicKey, keys()[0]))
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err == nil {
		refuse("RSA-1024", make509(t, rootTemplate(), rootTemplate(), &weak.PublicKey, weak))
	}
	long := rootTemplate()
	long.SignatureAlgorithm = x509.SHA384WithRSA
	refuse("SHA-384", make509(t, long, long, &keys()[0].PublicKey, keys()[0]))
	forged := make509(t, rootTemplate(), rootTemplate(), &keys()[0].PublicKey, keys()[1])
	refuse("not signed by itself", forged)
	refuse("half a PEM file", []byte("-----BEGIN CERTIFICATE-----\nMIIB\n"))
	refuse("too large", make([]byte, jpki.MaxRootFile+1))
}

func TestAnUnusableRootIsNotedAndLocksNobodyOut(t *testing.T) {
	_, c := root(t, nil)
	good := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	bad := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("nothing")})
	snap, err := trust.Load(fstest.MapFS{
		"jpki/a.pem": {Data: append(good, bad...)}, "jpki/b.der": {Data: c.Raw}, "jpki/c.txt": {Data: bad},
	}, []trust.Section{jpki.Section})
	if err != nil {
		t.Fatal(err)
	}
	if n := jpki.From(snap).Len(); n != 1 || len(snap.Notes()) != 1 || snap.Notes()[0].Place != "jpki/a.pem certificate 2" {
		t.Errorf("%d roots, notes %v", n, snap.Notes())
	}
	if jpki.From(trust.Snapshot{}) != nil {
		t.Error("a snapshot of nobody gives roots")
	}
}

// The roots that JPKI published: all four can be read; those of 2015 vouch for nothing today.
func TestPublishedRoots(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectors(), "insurance", "jpki_ca", "*.pem"))
	if err != nil || len(files) == 0 {
		t.Skip("0 roots read: no shared vectors here")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		roots, err := jpki.Parse(text)
		if err != nil || roots.Len() != 1 {
			t.Errorf("%s: %d roots, %v", filepath.Base(file), roots.Len(), err)
			continue
		}
		block, _ := pem.Decode(text)
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if holds, want := now.Before(c.NotAfter), strings.Contains(file, "2023"); holds != want {
			t.Errorf("%s holds today: %v", filepath.Base(file), holds)
		}
		// A certificate that is its own root is no card's.
		if v := roots.Judge(block.Bytes, now); v.Outcome != jpki.Malformed {
			t.Errorf("%s as a card's: %s", filepath.Base(file), v.Outcome)
		}
	}
	t.Logf("%d published roots read", len(files))
}

func vectors() string {
	if dir := os.Getenv("MADOGUCHI_VECTORS"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "..", "shared", "vectors")
}

func FuzzParse(f *testing.F) {
	_, c := root(f, nil)
	f.Add(c.Raw)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	f.Fuzz(func(t *testing.T, text []byte) {
		if roots, err := jpki.Parse(text); err == nil && roots.Len() == 0 {
			t.Error("no root and no error")
		}
	})
}

func FuzzJudge(f *testing.F) {
	roots, parent := root(f, nil)
	leaf := leafTemplate()
	honest := make509(f, leaf, parent, &keys()[1].PublicKey, keys()[0])
	f.Add(honest)
	f.Fuzz(func(t *testing.T, der []byte) {
		v := roots.Judge(der, now)
		if v.Outcome == jpki.Good && string(der) != string(honest) {
			t.Error("a certificate that the root did not sign")
		}
		if (v.Public == nil) != (v.Outcome == jpki.Malformed) {
			t.Errorf("%s with or without a key", v.Outcome)
		}
	})
}
