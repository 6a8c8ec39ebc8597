package cards

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"madoguchi.example/deploy/practice/card"
	"madoguchi.example/deploy/stage"
)

// opensc runs one of OpenSC's tools and gives what it wrote and its exit status.
func opensc(t *testing.T, tool string, args ...string) (string, int) {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		t.Fatal(err)
	}
	var both strings.Builder
	_, status, err := stage.Run(soon(t), stage.Command{Name: tool, Path: path, Args: args, Env: []string{"HOME=" + t.TempDir(), "LC_ALL=C"}, Log: &both})
	if err != nil {
		t.Fatal(err)
	}
	return both.String(), status
}

// OpenSC takes the virtual card for the Japanese one.
func TestOpenSCKnowsTheCard(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	d.insert(0, makeCard(t, card.Options{}), card.Faults{})
	for arg, want := range map[string]string{"--atr": "3b:e0:00:ff:81:31:fe:45:14", "--name": "jpki"} {
		if out, status := opensc(t, "opensc-tool", arg); status != 0 || !strings.HasPrefix(out, want) {
			t.Errorf("%s: status %d: %s", arg, status, out)
		}
	}
	out, status := opensc(t, "opensc-tool", "--list-readers")
	if status != 0 || !regexp.MustCompile(`0\s+Yes\s+`+readers[0]).MatchString(out) || !regexp.MustCompile(`1\s+No\s+`+readers[1]).MatchString(out) {
		t.Errorf("status %d: %s", status, out)
	}
}

// OpenSC finds on it what a My Number Card holds.
func TestOpenSCListsTheCard(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	c := makeCard(t, card.Options{Tries: map[card.PIN]int{card.AuthPIN: 2}})
	d.insert(0, c, card.Faults{})
	out, status := opensc(t, "pkcs15-tool", "--dump")
	if status != 0 {
		t.Fatalf("status %d: %s", status, out)
	}
	for _, want := range []string{`PIN \[User Authentication PIN\]`, `PIN \[Digital Signature PIN\]`, `Tries left +: 2`, `Tries left +: 5`,
		`Private RSA Key \[User Authentication Key\]`, `Private RSA Key \[Digital Signature Key\]`, `ModLength +: 2048`,
		`X\.509 Certificate \[User Authentication Certificate\]`, `X\.509 Certificate \[User Authentication Certificate CA\]`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("nothing matches %q in\n%s", want, out)
		}
	}
	out, status = opensc(t, "pkcs15-tool", "--read-certificate", "1")
	block, _ := pem.Decode([]byte(out))
	if status != 0 || block == nil || string(block.Bytes) != string(c.Certificate()) {
		t.Errorf("status %d, another certificate: %s", status, out)
	}
}

// What OpenSC lets the card sign verifies with the card's certificate, under its authority.
func TestOpenSCSigns(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	c := makeCard(t, card.Options{})
	d.insert(0, c, card.Faults{})
	digest := sha256.Sum256([]byte("a challenge"))
	dir := t.TempDir()
	in, signed := filepath.Join(dir, "digest"), filepath.Join(dir, "signature")
	if err := os.WriteFile(in, digest[:], 0o600); err != nil {
		t.Fatal(err)
	}
	sign := func(pin string) (string, int) {
		return opensc(t, "pkcs15-crypt", "--sign", "--pkcs1", "--sha-256", "--key", "1", "--pin", pin, "--input", in, "--output", signed)
	}
	if out, status := sign("9999"); status == 0 {
		t.Errorf("a wrong PIN signs: %s", out)
	}
	if left := c.Tries()[card.AuthPIN]; left != 2 {
		t.Errorf("after a wrong PIN %d tries are left", left)
	}
	if out, status := sign(card.DefaultPIN); status != 0 {
		t.Fatalf("status %d: %s", status, out)
	}
	if left := c.Tries()[card.AuthPIN]; left != 3 {
		t.Errorf("after a right PIN %d tries are left", left)
	}
	signature, err := os.ReadFile(signed)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(c.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
	roots := x509.NewCertPool()
	a, err := authority()
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(a.Root())
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
}

// OpenSC's own reset takes the power of the card, and it is found again.
func TestOpenSCResetsTheCard(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	d.insert(0, makeCard(t, card.Options{}), card.Faults{})
	for _, arg := range []string{"--reset", "--name"} {
		if out, status := opensc(t, "opensc-tool", arg); status != 0 {
			t.Errorf("%s: status %d: %s", arg, status, out)
		}
	}
}

// A card of another kind is not taken for a My Number Card.
func TestOpenSCKnowsAForeignCard(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	d.insert(0, makeCard(t, card.Options{Kind: card.Foreign}), card.Faults{})
	if out, _ := opensc(t, "opensc-tool", "--name"); strings.Contains(out, "jpki") {
		t.Errorf("a foreign card is jpki: %s", out)
	}
}

// Whoever asks for the number through the daemon is found out and gets nothing.
func TestAskingForTheNumberIsFoundOut(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	c := anyCard(t, card.Options{})
	d.insert(0, c, card.Faults{})
	out, _ := opensc(t, "opensc-tool", "--send-apdu", "00A4040C0AD3921000310001010408", "--send-apdu", "00A4020C020001")
	if len(c.Violations()) != 1 || !strings.Contains(out, "SW1=0x6A, SW2=0x82") {
		t.Errorf("violations %q: %s", c.Violations(), out)
	}
}
