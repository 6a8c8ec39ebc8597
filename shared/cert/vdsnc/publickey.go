package vdsnc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// Bounds of an RSA key in bits: below nothing is signed by it, above it only costs.
const (
	minRSA = 2048
	maxRSA = 8192
)

// errKey says that a key is of a kind that is not read, which is no fault of its form.
var errKey = errors.New("a kind of key that is not read")

// publicKeyInfo is X.509's SubjectPublicKeyInfo.
type publicKeyInfo struct {
	Raw       asn1.RawContent
	Algorithm algorithmID
	Key       asn1.BitString
}

func (p publicKeyInfo) read() (crypto.PublicKey, error) {
	if p.Key.BitLength%8 != 0 {
		return nil, errors.New("a key with loose bits")
	}
	switch {
	case p.Algorithm.ID.Equal(oidEC):
		curve, err := readCurve(p.Algorithm.Parameters)
		if err != nil {
			return nil, err
		}
		return readPoint(curve, p.Key.Bytes)
	case p.Algorithm.ID.Equal(oidRSA), p.Algorithm.ID.Equal(oidPSS):
		return readRSA(p.Key.Bytes)
	}
	return nil, errKey
}

func readRSA(der []byte) (*rsa.PublicKey, error) {
	key, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return nil, errors.New("not an RSA key")
	}
	if bits := key.N.BitLen(); bits < minRSA || bits > maxRSA {
		return nil, fmt.Errorf("%w: RSA of %d bits, not %d to %d", errKey, bits, minRSA, maxRSA)
	}
	return key, nil
}

// readPoint takes a point in its long form, or in the short one. One that is not on the
// curve is no key.
func readPoint(curve elliptic.Curve, text []byte) (*ecdsa.PublicKey, error) {
	if x, y := elliptic.UnmarshalCompressed(curve, text); x != nil {
		text = uncompressed(curve, x, y)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, text)
	if err != nil {
		return nil, errors.New("not a point of the curve")
	}
	return key, nil
}

func uncompressed(curve elliptic.Curve, x, y *big.Int) []byte {
	n := (curve.Params().BitSize + 7) / 8
	out := make([]byte, 1+2*n)
	out[0] = 4
	x.FillBytes(out[1 : 1+n])
	y.FillBytes(out[1+n:])
	return out
}

var curves = []struct {
	oid   asn1.ObjectIdentifier
	curve elliptic.Curve
}{
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, elliptic.P256()},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 34}, elliptic.P384()},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 35}, elliptic.P521()},
}

// readCurve reads RFC 5480's ECParameters in both its forms: a curve's name, or all of its
// domain parameters, which must be exactly those of a known curve.
func readCurve(parameters asn1.RawValue) (elliptic.Curve, error) {
	if parameters.Class == asn1.ClassUniversal && parameters.Tag == asn1.TagSequence {
		return readDomain(parameters.FullBytes)
	}
	var name asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(parameters.FullBytes, &name); err != nil || len(rest) != 0 {
		return nil, errors.New("a curve that is neither named nor written out")
	}
	for _, c := range curves {
		if c.oid.Equal(name) {
			return c.curve, nil
		}
	}
	if brainpool := (asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1}); len(name) > len(brainpool) && slices.Equal(name[:len(brainpool)], brainpool) {
		return nil, errBrainpool
	}
	return nil, errKey
}

// domain is X9.62's SpecifiedECDomain over a prime field. Its seed, from which somebody may
// have made the curve, is no part of the arithmetic and is not looked at.
type domain struct {
	Version int
	Field   struct {
		Kind  asn1.ObjectIdentifier
		Prime *big.Int
	}
	Curve struct {
		A, B []byte
		Seed asn1.BitString `asn1:"optional"`
	}
	Base     []byte
	Order    *big.Int
	Cofactor *big.Int `asn1:"optional"`
}

var errDomain = errors.New("domain parameters of no curve that is known")

// readDomain compares all domain parameters: prime, both coefficients, generator, order and
// cofactor. One that differs makes another group, in which whoever chose it could sign.
func readDomain(der []byte) (elliptic.Curve, error) {
	var d domain
	if rest, err := asn1.Unmarshal(der, &d); err != nil || len(rest) != 0 || !d.Field.Kind.Equal(oidPrimeField) {
		return nil, errDomain
	}
	for _, c := range curves {
		if d.is(c.curve) {
			return c.curve, nil
		}
	}
	if isBrainpool(d.Field.Prime) {
		return nil, errBrainpool
	}
	return nil, errDomain
}

func (d domain) is(curve elliptic.Curve) bool {
	p := curve.Params()
	a := new(big.Int).Sub(p.P, big.NewInt(3))
	if d.Field.Prime.Cmp(p.P) != 0 || d.Order.Cmp(p.N) != 0 ||
		new(big.Int).SetBytes(d.Curve.A).Cmp(a) != 0 || new(big.Int).SetBytes(d.Curve.B).Cmp(p.B) != 0 {
		return false
	}
	if d.Cofactor != nil && d.Cofactor.Cmp(big.NewInt(1)) != 0 {
		return false
	}
	base := d.Base
	if x, y := elliptic.UnmarshalCompressed(curve, base); x != nil {
		base = uncompressed(curve, x, y)
	}
	return bytes.Equal(base, uncompressed(curve, p.Gx, p.Gy))
}

var errBrainpool = fmt.Errorf("%w: on a brainpool curve", errKey)

// brainpoolPrimes are those of RFC 5639, to name what is not read.
var brainpoolPrimes = []string{
	"d7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0ff",
	"a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
	"d35e472036bc4fb7e13c785ed201e065f98fcfa6f6f40def4f92b9ec7893ec28fcd412b1f1b32e27",
	"8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53",
	"aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3",
}

func isBrainpool(prime *big.Int) bool {
	return slices.Contains(brainpoolPrimes, hex.EncodeToString(prime.Bytes()))
}
