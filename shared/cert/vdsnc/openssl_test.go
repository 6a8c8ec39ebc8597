package vdsnc_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/jcs"
	"madoguchi.example/shared/cert/vdsnc"
)

// opensslConfig is an authority as Doc 9303-12 describes it.
const opensslConfig = `
[ca]
default_ca = csca
[csca]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = csca.pem
private_key = csca.key
default_md = sha384
policy = any
unique_subject = no
default_crl_days = 90
[any]
countryName = supplied
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
C = JP
CN = OpenSSL CSCA
[authority]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[signer]
authorityKeyIdentifier = keyid
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,2.23.136.1.1.14.2
2.23.136.1.1.6.2 = ASN1:SEQUENCE:types
2.5.29.16 = ASN1:SEQUENCE:period
[types]
version = INTEGER:0
list = SET:names
[names]
first = PRINTABLESTRING:NV
[period]
from = IMPLICIT:0,GENERALIZEDTIME:20261101000000Z
until = IMPLICIT:1,GENERALIZEDTIME:20280201000000Z
[crl]
authorityKeyIdentifier = keyid
`

// shop is a folder in which OpenSSL works.
type shop struct {
	t   *testing.T
	dir string
}

func newShop(t *testing.T) shop {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	s := shop{t, t.TempDir()}
	for name, text := range map[string]string{"conf": opensslConfig, "index.txt": "", "serial": "1000\n", "crlnumber": "01\n"} {
		s.write(name, []byte(text))
	}
	return s
}

func (s shop) write(name string, text []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), text, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s shop) read(name string) []byte {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

func (s shop) run(args ...string) string {
	s.t.Helper()
	c := exec.Command("openssl", args...)
	c.Dir = s.dir
	out, err := c.CombinedOutput()
	if err != nil {
		s.t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestOpenSSLChain: an authority whose curve is written out, a signer under it and its
// revocation list, all made by OpenSSL, verify what Issue writes.
func TestOpenSSLChain(t *testing.T) {
	s := newShop(t)
	term := []string{"-startdate", "20261101000000Z", "-enddate", "20361101000000Z"}
	s.run("ecparam", "-name", "secp384r1", "-genkey", "-noout", "-param_enc", "explicit", "-out", "csca.key")
	s.run("req", "-new", "-config", "conf", "-key", "csca.key", "-out", "csca.csr")
	s.run(append([]string{"ca", "-batch", "-config", "conf", "-selfsign", "-keyfile", "csca.key", "-in", "csca.csr", "-extensions", "authority", "-notext", "-out", "csca.pem"}, term...)...)
	s.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "bsc.key")
	s.run("req", "-new", "-config", "conf", "-key", "bsc.key", "-subj", "/C=JP/CN=OpenSSL Signer", "-out", "bsc.csr")
	s.run(append([]string{"ca", "-batch", "-config", "conf", "-in", "bsc.csr", "-extensions", "signer", "-notext", "-out", "bsc.pem"}, term...)...)
	list := []string{"ca", "-config", "conf", "-gencrl", "-crlexts", "crl", "-crl_lastupdate", "20261120000000Z", "-crl_nextupdate", "20270201000000Z", "-out", "csca.crl"}
	s.run(list...)

	if block, _ := pem.Decode(s.read("csca.pem")); block == nil {
		t.Fatal("no certificate")
	} else if _, err := x509.ParseCertificate(block.Bytes); err == nil {
		t.Error("the library reads the authority's certificate: its curve is not written out")
	}
	bsc, _ := pem.Decode(s.read("bsc.pem"))
	sec1, _ := pem.Decode(s.read("bsc.key"))
	key, err := x509.ParseECPrivateKey(sec1.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	text, err := vdsnc.Issue(key, bsc.Bytes, at, claims(3), vdsnc.Options{Issuer: "JPN", Centre: "Minato City"})
	if err != nil {
		t.Fatal(err)
	}

	w := newWorld(t)
	verdict := func(at time.Time) cert.Verdict {
		w.put("csca.der", s.read("csca.pem"))
		w.put("csca.crl", s.read("csca.crl"))
		snap := w.snapshot()
		if len(snap.Notes()) != 0 {
			t.Fatal(snap.Notes())
		}
		return vdsnc.Verify([]byte(text), snap, at)
	}
	if v := verdict(at); v.Outcome != cert.Valid || len(v.Findings) != 0 {
		t.Errorf("%s %v %s", v.Outcome, v.Findings, v.Reason)
	}
	if v := verdict(time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)); v.Outcome != cert.StaleRevocation {
		t.Errorf("with an old list: %s", v.Outcome)
	}
	if v := verdict(time.Date(2036, 12, 1, 0, 0, 0, 0, time.UTC)); v.Outcome != cert.Expired {
		t.Errorf("after the end: %s", v.Outcome)
	}
	s.run("ca", "-config", "conf", "-revoke", "bsc.pem")
	s.run(list...)
	if v := verdict(at); v.Outcome != cert.Revoked {
		t.Errorf("revoked: %s %s", v.Outcome, v.Reason)
	}
}

// TestOpenSSLReadsOurs: OpenSSL builds the chain of NewCSCA and NewBSC, and verifies a
// document's signature over the canonical data.
func TestOpenSSLReadsOurs(t *testing.T) {
	s := newShop(t)
	w := newWorld(t)
	text := w.issue(claims(2))
	s.write("csca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.csca}))
	s.write("bsc.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.bsc}))
	s.run("verify", "-x509_strict", "-attime", "1795000000", "-CAfile", "csca.pem", "bsc.pem")
	var document struct {
		Data json.RawMessage
		Sig  struct{ Cer, Sigvl string }
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	der, err := base64.RawURLEncoding.DecodeString(document.Sig.Cer)
	if err != nil || !bytes.Equal(der, w.bsc) {
		t.Fatal("the document carries another certificate", err)
	}
	data, err := jcs.Transform(string(document.Data))
	if err != nil || !bytes.Equal(data, document.Data) {
		t.Fatal("the data is not canonical", err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(document.Sig.Sigvl)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := asn1.Marshal([]*big.Int{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
	if err != nil {
		t.Fatal(err)
	}
	s.write("data", data)
	s.write("signature", signature)
	s.write("key.pem", []byte(s.run("x509", "-in", "bsc.pem", "-pubkey", "-noout")))
	s.run("dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "data")
}
