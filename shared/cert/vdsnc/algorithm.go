package vdsnc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that documents and certificates are signed with
	_ "crypto/sha512"
	"encoding/asn1"
	"errors"
)

// algorithm is how documents of one alg are signed.
type algorithm struct {
	name  string
	size  int // bytes of r||s; 0: none
	hash  crypto.Hash
	curve elliptic.Curve
}

func algorithmNamed(name string) algorithm {
	switch name {
	case "ES256":
		return algorithm{name, 64, crypto.SHA256, elliptic.P256()}
	case "ES384":
		return algorithm{name, 96, crypto.SHA384, elliptic.P384()}
	case "ES512":
		return algorithm{name, maxSignature, crypto.SHA512, elliptic.P521()}
	}
	return algorithm{}
}

func algorithmOn(curve elliptic.Curve) algorithm {
	switch curve {
	case elliptic.P256():
		return algorithmNamed("ES256")
	case elliptic.P384():
		return algorithmNamed("ES384")
	case elliptic.P521():
		return algorithmNamed("ES512")
	}
	return algorithm{}
}

// algorithmID is X.509's AlgorithmIdentifier.
type algorithmID struct {
	Raw        asn1.RawContent
	ID         asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

// The object identifiers of signatures and hashes.
var (
	oidRSA        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidMGF1       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidPSS        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidEC         = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidPrimeField = asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1}
)

// signatureKinds are the signatures on certificates that are read, SHA-1 not among them.
var signatureKinds = []struct {
	oid     asn1.ObjectIdentifier
	hash    crypto.Hash
	isECDSA bool
}{
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, crypto.SHA256, true},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, crypto.SHA384, true},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, crypto.SHA512, true},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, crypto.SHA256, false},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, crypto.SHA384, false},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, crypto.SHA512, false},
}

// hashKinds are the hashes of an RSASSA-PSS signature.
var hashKinds = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}{
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA256},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA512},
}

// signed is a certificate or a revocation list as what a key signs.
type signed struct {
	content   []byte
	algorithm algorithmID
	value     []byte
}

var (
	errSignature          = errors.New("the signature does not verify")
	errSignatureAlgorithm = errors.New("a signature algorithm that is not read")
)

// verify checks the signature with the key of an authority.
func (s signed) verify(key crypto.PublicKey) error {
	if s.algorithm.ID.Equal(oidPSS) {
		return s.verifyPSS(key)
	}
	for _, k := range signatureKinds {
		if !k.oid.Equal(s.algorithm.ID) {
			continue
		}
		// RFC 5758 wants no parameters with ECDSA, RFC 8017 a NULL with RSA; authorities
		// write either with both, and it changes nothing.
		if !absentOrNull(s.algorithm.Parameters) {
			return errSignatureAlgorithm
		}
		digest := s.digest(k.hash)
		switch public := key.(type) {
		case *ecdsa.PublicKey:
			if k.isECDSA && ecdsa.VerifyASN1(public, digest, s.value) {
				return nil
			}
		case *rsa.PublicKey:
			if !k.isECDSA && rsa.VerifyPKCS1v15(public, k.hash, digest, s.value) == nil {
				return nil
			}
		}
		return errSignature
	}
	return errSignatureAlgorithm
}

func (s signed) digest(hash crypto.Hash) []byte {
	h := hash.New()
	h.Write(s.content)
	return h.Sum(nil)
}

func absentOrNull(v asn1.RawValue) bool {
	return len(v.FullBytes) == 0 || (v.Class == asn1.ClassUniversal && v.Tag == asn1.TagNull && len(v.Bytes) == 0)
}

// pssParameters is RFC 4055's RSASSA-PSS-params. Its defaults are SHA-1, which is not read.
type pssParameters struct {
	Hash    algorithmID `asn1:"explicit,optional,tag:0"`
	Mask    algorithmID `asn1:"explicit,optional,tag:1"`
	Salt    int         `asn1:"explicit,optional,tag:2,default:20"`
	Trailer int         `asn1:"explicit,optional,tag:3,default:1"`
}

func (s signed) verifyPSS(key crypto.PublicKey) error {
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return errSignature
	}
	var p pssParameters
	if rest, err := asn1.Unmarshal(s.algorithm.Parameters.FullBytes, &p); err != nil || len(rest) != 0 {
		return errSignatureAlgorithm
	}
	var mask algorithmID
	if rest, err := asn1.Unmarshal(p.Mask.Parameters.FullBytes, &mask); err != nil || len(rest) != 0 || !p.Mask.ID.Equal(oidMGF1) {
		return errSignatureAlgorithm
	}
	for _, k := range hashKinds {
		if !k.oid.Equal(p.Hash.ID) {
			continue
		}
		if !mask.ID.Equal(k.oid) || p.Salt != k.hash.Size() || p.Trailer != 1 {
			return errSignatureAlgorithm
		}
		if rsa.VerifyPSS(public, k.hash, s.digest(k.hash), s.value, &rsa.PSSOptions{SaltLength: p.Salt, Hash: k.hash}) != nil {
			return errSignature
		}
		return nil
	}
	return errSignatureAlgorithm
}
