package vdsnc

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// The object identifiers of a certificate's parts.
var (
	oidCountry       = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidSubjectKey    = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidUsagePeriod   = asn1.ObjectIdentifier{2, 5, 29, 16}
	oidBasic         = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidAuthorityKey  = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtendedUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidDocumentTypes = asn1.ObjectIdentifier{2, 23, 136, 1, 1, 6, 2}
	oidBarcodeSigner = asn1.ObjectIdentifier{2, 23, 136, 1, 1, 14, 2}
)

// The bits of the extension KeyUsage (RFC 5280 section 4.2.1.3).
const (
	bitDigitalSignature = 0
	bitCertificateSign  = 5
	bitListSign         = 6
)

// certificate is what of an X.509 certificate matters here. It is read by hand since the
// library refuses curves that are written out.
type certificate struct {
	signed
	serial        string // see serialKey
	country       string // of the subject's name
	issuer        string // the issuer's name, in DER
	subject       string
	issuerCountry string
	notBefore     time.Time
	notAfter      time.Time
	public        crypto.PublicKey
	extensions
}

// extensions are those that are read. Of the others the critical ones are told.
type extensions struct {
	subjectKey      []byte
	authorityKey    []byte
	authority       bool // it may sign certificates: CA in BasicConstraints
	usage           asn1.BitString
	extendedUsage   []asn1.ObjectIdentifier
	documentTypes   []string
	usageFrom       time.Time // of the private key; zero: open
	usageUntil      time.Time
	unknownCritical bool
}

type certificateASN1 struct {
	Content   contentASN1
	Algorithm algorithmID
	Value     asn1.BitString
}

type contentASN1 struct {
	Raw             asn1.RawContent
	Version         int `asn1:"optional,explicit,default:0,tag:0"`
	Serial          *big.Int
	Algorithm       algorithmID
	Issuer          asn1.RawValue
	Validity        struct{ NotBefore, NotAfter time.Time }
	Subject         asn1.RawValue
	Key             publicKeyInfo
	IssuerUnique    asn1.BitString   `asn1:"optional,tag:1"`
	SubjectUnique   asn1.BitString   `asn1:"optional,tag:2"`
	ExtensionValues []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
}

var errForm = errors.New("not a certificate in DER")

// readCertificate reads one certificate. A key of a kind that is not read gives errKey.
func readCertificate(der []byte) (*certificate, error) {
	if len(der) > MaxCertificate {
		return nil, fmt.Errorf("a certificate larger than %d bytes", MaxCertificate)
	}
	var a certificateASN1
	if rest, err := asn1.Unmarshal(der, &a); err != nil || len(rest) != 0 || a.Value.BitLength%8 != 0 {
		return nil, errForm
	}
	if !slices.Equal(a.Algorithm.Raw, a.Content.Algorithm.Raw) {
		return nil, errors.New("a certificate that names two signature algorithms")
	}
	c := &certificate{
		signed: signed{a.Content.Raw, a.Algorithm, a.Value.Bytes},
		serial: serialKey(a.Content.Serial),
		issuer: string(a.Content.Issuer.FullBytes), subject: string(a.Content.Subject.FullBytes),
		notBefore: a.Content.Validity.NotBefore.UTC(), notAfter: a.Content.Validity.NotAfter.UTC(),
	}
	var err error
	if c.issuerCountry, err = countryOf(a.Content.Issuer.FullBytes); err != nil {
		return nil, err
	}
	if c.country, err = countryOf(a.Content.Subject.FullBytes); err != nil {
		return nil, err
	}
	if err := c.readExtensions(a.Content.ExtensionValues); err != nil {
		return nil, err
	}
	c.public, err = a.Content.Key.read()
	return c, err
}

// countryOf gives the country of a name, empty where it has none or more than one.
func countryOf(name []byte) (string, error) {
	var parts pkix.RDNSequence
	if rest, err := asn1.Unmarshal(name, &parts); err != nil || len(rest) != 0 {
		return "", errForm
	}
	country := ""
	for _, part := range parts {
		for _, attribute := range part {
			if !attribute.Type.Equal(oidCountry) {
				continue
			}
			text, ok := attribute.Value.(string)
			if !ok || country != "" {
				return "", nil
			}
			country = strings.ToUpper(text)
		}
	}
	return country, nil
}

func (e *extensions) readExtensions(list []pkix.Extension) error {
	for i, x := range list {
		if slices.ContainsFunc(list[:i], func(y pkix.Extension) bool { return y.Id.Equal(x.Id) }) {
			return errors.New("a certificate with an extension twice")
		}
		known, err := e.readExtension(x)
		if err != nil {
			return err
		}
		if !known && x.Critical {
			e.unknownCritical = true
		}
	}
	return nil
}

func (e *extensions) readExtension(x pkix.Extension) (known bool, err error) {
	switch {
	case x.Id.Equal(oidSubjectKey):
		err = whole(x, &e.subjectKey)
	case x.Id.Equal(oidAuthorityKey):
		var v struct {
			Key []byte `asn1:"optional,tag:0"`
		}
		err = whole(x, &v)
		e.authorityKey = v.Key
	case x.Id.Equal(oidBasic):
		var v struct {
			Authority bool `asn1:"optional"`
			Path      int  `asn1:"optional,default:-1"`
		}
		err = whole(x, &v)
		e.authority = v.Authority
	case x.Id.Equal(oidKeyUsage):
		err = whole(x, &e.usage)
	case x.Id.Equal(oidExtendedUsage):
		err = whole(x, &e.extendedUsage)
	case x.Id.Equal(oidDocumentTypes):
		err = e.readDocumentTypes(x)
	case x.Id.Equal(oidUsagePeriod):
		var v usagePeriod
		err = whole(x, &v)
		e.usageFrom, e.usageUntil = v.From, v.Until
	default:
		return false, nil
	}
	return true, err
}

// usagePeriod is RFC 3280's PrivateKeyUsagePeriod.
type usagePeriod struct {
	From  time.Time `asn1:"optional,generalized,tag:0"`
	Until time.Time `asn1:"optional,generalized,tag:1"`
}

// documentTypeList is Doc 9303-12's DocumentTypeList.
type documentTypeList struct {
	Version int
	Types   []string `asn1:"set"`
}

func (e *extensions) readDocumentTypes(x pkix.Extension) error {
	var v documentTypeList
	if err := whole(x, &v); err != nil {
		return err
	}
	e.documentTypes = v.Types
	return nil
}

// whole reads all of an extension's value.
func whole(x pkix.Extension, into any) error {
	if rest, err := asn1.Unmarshal(x.Value, into); err != nil || len(rest) != 0 {
		return errors.New("a certificate with an extension that is not of its form")
	}
	return nil
}

// mayUse tells whether the certificate's key usage allows bit; without the extension all
// is allowed.
func (e *extensions) mayUse(bit int) bool { return e.usage.BitLength == 0 || e.usage.At(bit) == 1 }

// during tells how at lies to the certificate's validity: negative before, positive after.
func (c *certificate) during(at time.Time) int {
	switch {
	case at.Before(c.notBefore):
		return -1
	case at.After(c.notAfter):
		return 1
	}
	return 0
}
