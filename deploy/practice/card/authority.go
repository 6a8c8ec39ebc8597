package card

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

const keyBits = 2048

// Years that certificates hold.
const (
	rootYears = 10
	cardYears = 5
)

// Authority stands in for the two authorities of JPKI. Nobody but practice may trust it.
type Authority struct{ auth, sign *issuer }

type issuer struct {
	cert   *x509.Certificate
	key    *rsa.PrivateKey
	random io.Reader
}

// NewAuthority makes both, with roots of RSA-2048 and SHA-256 that began a year before now.
func NewAuthority(random io.Reader, now time.Time) (*Authority, error) {
	auth, err := newIssuer(random, now, "JPKI for user authentication")
	if err != nil {
		return nil, err
	}
	sign, err := newIssuer(random, now, "JPKI for digital signature")
	if err != nil {
		return nil, err
	}
	return &Authority{auth: auth, sign: sign}, nil
}

func newIssuer(random io.Reader, now time.Time, unit string) (*issuer, error) {
	key, err := rsa.GenerateKey(random, keyBits)
	if err != nil {
		return nil, fmt.Errorf("cannot make the practice authority: %w", err)
	}
	serial, err := serialNumber(random)
	if err != nil {
		return nil, err
	}
	name := pkix.Name{Country: []string{"JP"}, Organization: []string{"JPKI"},
		OrganizationalUnit: []string{unit, "Practice without any authority"}}
	der, err := x509.CreateCertificate(random, &x509.Certificate{
		SerialNumber: serial, Subject: name, Issuer: name, SubjectKeyId: keyID(&key.PublicKey),
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(rootYears-1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SignatureAlgorithm: x509.SHA256WithRSA,
	}, &x509.Certificate{Subject: name}, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make the practice authority: %w", err)
	}
	return newIssuerOf(der, key, random)
}

func newIssuerOf(der []byte, key *rsa.PrivateKey, random io.Reader) (*issuer, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read the practice authority: %w", err)
	}
	return &issuer{cert: cert, key: key, random: random}, nil
}

func serialNumber(random io.Reader) (*big.Int, error) {
	b := make([]byte, 4)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("cannot make a serial number: %w", err)
	}
	b[0] = b[0]&0x3F | 0x40 // positive and always of four bytes
	return new(big.Int).SetBytes(b), nil
}

func keyID(key *rsa.PublicKey) []byte {
	sum := sha1.Sum(x509.MarshalPKCS1PublicKey(key)) // RFC 5280, 4.2.1.2, method 1
	return sum[:]
}

// Root gives the root for user authentication.
func (a *Authority) Root() *x509.Certificate { return a.auth.cert }

// WriteRoots writes the root for user authentication into dir/jpki as PEM, where terminals
// look for roots of JPKI, beside those that are there.
func (a *Authority) WriteRoots(dir string) error {
	dir = filepath.Join(dir, "jpki")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot write the practice root: %w", err)
	}
	name := "practice-" + hex.EncodeToString(a.auth.cert.SubjectKeyId[:4]) + ".pem"
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.auth.cert.Raw})
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
		return fmt.Errorf("cannot write the practice root: %w", err)
	}
	return nil
}

// authCertificate makes the certificate for user authentication. It carries neither name
// nor address.
func (a *Authority) authCertificate(o Options) ([]byte, error) {
	from, to := o.Now.AddDate(-1, 0, 0), o.Now.AddDate(cardYears-1, 0, 0)
	if o.Expired {
		from, to = o.Now.AddDate(-cardYears, 0, -1), o.Now.AddDate(0, 0, -1)
	}
	return a.auth.issue(o, &o.Keys.Auth.PublicKey, x509.Certificate{
		NotBefore: from, NotAfter: to, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// signCertificate makes the certificate for signatures. The real one names its holder; this
// one does not, as nobody here may read it.
func (a *Authority) signCertificate(o Options) ([]byte, error) {
	return a.sign.issue(o, &o.Keys.Sign.PublicKey, x509.Certificate{
		NotBefore: o.Now.AddDate(-1, 0, 0), NotAfter: o.Now.AddDate(cardYears-1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment})
}

// oidFiller is in the arc that is kept for examples.
var oidFiller = asn1.ObjectIdentifier{2, 999, 1}

// issue signs a card's certificate and fills it up to o.CertificateBytes.
func (i *issuer) issue(o Options, key *rsa.PublicKey, template x509.Certificate) ([]byte, error) {
	serial, err := serialNumber(o.Rand)
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.Subject = pkix.Name{Country: []string{"JP"}, CommonName: "Practice" + serial.Text(16)}
	template.SignatureAlgorithm = x509.SHA256WithRSA
	template.SubjectKeyId = keyID(key)
	fill := 0
	for {
		if fill > 0 {
			template.ExtraExtensions = []pkix.Extension{{Id: oidFiller, Value: make([]byte, fill)}}
		}
		der, err := x509.CreateCertificate(o.Rand, &template, i.cert, key, i.key)
		missing := o.CertificateBytes - len(der)
		switch {
		case err != nil:
			return nil, fmt.Errorf("cannot make a certificate: %w", err)
		case o.CertificateBytes == 0 || missing == 0:
			return der, nil
		case missing < 0 && fill == 0:
			return nil, fmt.Errorf("a certificate has %d bytes, more than %d", len(der), o.CertificateBytes)
		case fill+missing <= 0:
			return nil, errors.New("no filler makes the certificate so long")
		}
		fill += missing
	}
}

// filled gives the root with zeros behind it, up to length bytes: a file may be larger than
// the certificate in it.
func (i *issuer) filled(length int) []byte {
	out := make([]byte, max(length, len(i.cert.Raw)))
	copy(out, i.cert.Raw)
	return out
}
