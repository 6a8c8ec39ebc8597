package door

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"madoguchi.example/shared/fault"
)

// Lives of the certificates. The leaf is made anew LeafRenew before its end, and at once
// where the names have changed.
const (
	AuthorityLife = 10 * 365 * 24 * time.Hour
	LeafLife      = 90 * 24 * time.Hour
	LeafRenew     = 30 * 24 * time.Hour
)

// LAN is how other PCs of the clinic reach the desk. The zero value is off.
type LAN struct {
	Names []string // host names and addresses, without port
	*authority
}

// authority makes the desk's certificates. It vouches for the desk's own names and no others.
type authority struct {
	names []string
	dir   string
	now   func() time.Time
	rand  io.Reader
	log   *slog.Logger
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate

	mu   sync.Mutex
	leaf *tls.Certificate
}

// OpenLAN reads the desk's certificate authority from dir, and makes it where it is missing
// or vouches for other names.
func OpenLAN(dir string, names []string, now func() time.Time, rand io.Reader, log *slog.Logger) (LAN, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if len(names) == 0 {
		return LAN{}, fault.At(fault.InvalidArgument, "desk.lan.names", "must name how other PCs reach this one")
	}
	names = slices.Clone(names)
	for i, n := range names {
		names[i] = strings.ToLower(strings.TrimSpace(n))
	}
	a := &authority{names: names, dir: dir, now: now, rand: rand, log: log}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return LAN{}, fmt.Errorf("cannot make the folder of the desk's certificates: %w", err)
	}
	if err := a.read(); err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			log.Warn("the desk's certificate authority is made anew: paired PCs must take over its certificate again", "reason", err)
		}
		if err := a.make(); err != nil {
			return LAN{}, err
		}
	}
	_, err := a.current()
	return LAN{Names: names, authority: a}, err
}

// TLS is the configuration of the listener for the other PCs.
func (l LAN) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.current() },
	}
}

// Fingerprint is the SHA-256 of the authority's certificate, in groups that can be compared.
func (l LAN) Fingerprint() string {
	if l.authority == nil {
		return ""
	}
	sum := sha256.Sum256(l.cert.Raw)
	text := strings.ToUpper(hex.EncodeToString(sum[:]))
	var groups []string
	for group := range slices.Chunk([]byte(text), 4) {
		groups = append(groups, string(group))
	}
	return strings.Join(groups, " ")
}

func (a *authority) authorityPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// read takes the authority from its folder, and refuses one that does not fit the names.
func (a *authority) read() error {
	keyText, err := os.ReadFile(filepath.Join(a.dir, "ca.key"))
	if err != nil {
		return err
	}
	certText, err := os.ReadFile(filepath.Join(a.dir, "ca.crt"))
	if err != nil {
		return err
	}
	keyBlock, _ := pem.Decode(keyText)
	certBlock, _ := pem.Decode(certText)
	if keyBlock == nil || certBlock == nil {
		return errors.New("a file is not PEM")
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return err
	}
	dns, ips := split(a.names)
	switch {
	case !key.PublicKey.Equal(cert.PublicKey):
		return errors.New("key and certificate do not belong together")
	case a.now().After(cert.NotAfter.Add(-LeafLife)):
		return errors.New("it ends soon")
	case !slices.Equal(cert.PermittedDNSDomains, permittedNames(dns)) || !sameNetworks(cert.PermittedIPRanges, permittedNetworks(ips)):
		return errors.New("it vouches for other names")
	}
	a.key, a.cert = key, cert
	return nil
}

func (a *authority) make() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), a.rand)
	if err != nil {
		return fmt.Errorf("cannot make the desk's certificate key: %w", err)
	}
	serial, err := a.serial()
	if err != nil {
		return err
	}
	dns, ips := split(a.names)
	now := a.now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Madoguchi desk " + a.names[0]},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(AuthorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: permittedNames(dns), PermittedIPRanges: permittedNetworks(ips),
	}
	der, err := x509.CreateCertificate(a.rand, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("cannot make the desk's certificate authority: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("cannot read the certificate that was made: %w", err)
	}
	a.key = key
	text, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("cannot encode the desk's certificate key: %w", err)
	}
	return errors.Join(
		a.write("ca.key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text})),
		a.write("ca.crt", a.authorityPEM()),
	)
}

// write puts a file in place whole, for the agent's user alone.
func (a *authority) write(name string, text []byte) error {
	path := filepath.Join(a.dir, name)
	f, err := os.CreateTemp(a.dir, ".new-") // mode 0600
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

func (a *authority) serial() (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(a.rand, b); err != nil {
		return nil, fmt.Errorf("cannot make a serial number: %w", err)
	}
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b), nil
}

// current gives the leaf, made anew where it is due. Its key lives in memory alone: a new one
// costs nobody anything, because the authority is what the other PCs know.
func (a *authority) current() (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if a.leaf != nil && now.Before(a.leaf.Leaf.NotAfter.Add(-LeafRenew)) && now.After(a.leaf.Leaf.NotBefore) {
		return a.leaf, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), a.rand)
	if err != nil {
		return nil, fmt.Errorf("cannot make a certificate key: %w", err)
	}
	serial, err := a.serial()
	if err != nil {
		return nil, err
	}
	dns, ips := split(a.names)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: a.names[0]}, DNSNames: dns, IPAddresses: ips,
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(LeafLife), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(a.rand, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("cannot make the desk's certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate that was made: %w", err)
	}
	a.leaf = &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
	return a.leaf, nil
}

// split tells addresses from names.
func split(names []string) (dns []string, ips []net.IP) {
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			ips = append(ips, ip)
		} else {
			dns = append(dns, n)
		}
	}
	return dns, ips
}

// permittedNames are what the authority may vouch for: an empty list would be any name.
func permittedNames(dns []string) []string {
	if len(dns) == 0 {
		return []string{"invalid"}
	}
	return dns
}

func permittedNetworks(ips []net.IP) []*net.IPNet {
	if len(ips) == 0 {
		ips = []net.IP{net.IPv4zero}
	}
	var out []*net.IPNet
	for _, ip := range ips {
		bits := 128
		if four := ip.To4(); four != nil {
			ip, bits = four, 32
		}
		out = append(out, &net.IPNet{IP: ip, Mask: net.CIDRMask(bits, bits)})
	}
	return out
}

func sameNetworks(a, b []*net.IPNet) bool {
	return slices.EqualFunc(a, b, func(x, y *net.IPNet) bool { return x.IP.Equal(y.IP) && bytes.Equal(x.Mask, y.Mask) })
}
