package card

import (
	"fmt"
	"strconv"
)

// Names of the applets.
var (
	jpkiAID    = []byte{0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01}
	textAID    = []byte{0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x08}
	visualAID  = []byte{0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x02}
	foreignAID = []byte{0xF0, 'P', 'R', 'A', 'C', 'T', 'I', 'C', 'E'} // F0: registered nowhere
)

// Token texts of the JPKI AP, which tell what carries it.
const (
	plasticToken = "JPKIAPICCTOKEN2"
	phoneToken   = "JPKIAPGPSETOKEN"
	tokenBytes   = 32
)

// textFileBytes is how much room the file of the attributes has. What follows the
// attributes in it is filled with filler.
const (
	textFileBytes = 2048
	filler        = 0xFF
)

// What the visual AP's PIN is made of besides the birth date.
const (
	validYears   = 10 // of a card
	securityCode = "0000"
)

// fill puts applets and files onto the card.
func (c *Card) fill(o Options) error {
	if o.Kind == Foreign {
		c.applets = []*applet{{name: "foreign AP", aid: foreignAID, files: map[uint16]*file{0x0001: {content: []byte("practice")}}}}
		return nil
	}
	jpki, err := c.jpkiApplet(o)
	if err != nil {
		return err
	}
	c.applets = append(c.applets, jpki)
	if o.Kind == Phone {
		return nil
	}
	text, err := c.textApplet(o)
	if err != nil {
		return err
	}
	c.applets = append(c.applets, text, c.visualApplet(o))
	return nil
}

func (c *Card) newPIN(name PIN, value string, tries int) *pin {
	p := &pin{value: value, max: tries, left: tries}
	c.pins[name] = p
	return p
}

// jpkiApplet: 0001 and 0002 certificates for signatures, 0006 token, 000A and 000B
// certificates for authentication, 0017 and 001A keys, 0018 and 001B PINs.
func (c *Card) jpkiApplet(o Options) (*applet, error) {
	a := &applet{name: "JPKI AP", aid: jpkiAID, files: map[uint16]*file{}}
	token := plasticToken
	if o.Kind == Phone {
		token = phoneToken
	}
	a.files[0x0006] = &file{content: fmt.Appendf(nil, "%-*s", tokenBytes, token)}
	if o.Kind == VisualOnly {
		return a, nil
	}
	auth, err := o.Authority.authCertificate(o)
	if err != nil {
		return nil, err
	}
	c.certificate = auth
	a.files[0x000A] = &file{content: auth}
	a.files[0x000B] = &file{content: o.Authority.auth.filled(o.CertificateBytes)}
	a.files[0x0017] = &file{key: o.Keys.Auth}
	if o.Kind == NoPIN {
		// Nothing can unlock the key here: the PIN is not set.
		a.files[0x0017].needs = &pin{}
		return a, nil
	}
	authPIN := c.newPIN(AuthPIN, o.PIN, 3)
	a.files[0x0018] = &file{pin: authPIN}
	a.files[0x0017].needs = authPIN
	if o.Kind == Phone {
		a.files[0x000A].needs = authPIN
	}
	return a, c.addSignature(a, o)
}

func (c *Card) addSignature(a *applet, o Options) error {
	signPIN := c.newPIN(SignPIN, o.SignPIN, 5)
	a.files[0x001A] = &file{key: o.Keys.Sign, needs: signPIN}
	a.files[0x001B] = &file{pin: signPIN}
	if o.NoSignature {
		return nil
	}
	sign, err := o.Authority.signCertificate(o)
	if err != nil {
		return err
	}
	a.files[0x0001] = &file{content: sign, needs: signPIN}
	a.files[0x0002] = &file{content: o.Authority.sign.filled(o.CertificateBytes)}
	return nil
}

// textApplet: 0002 attributes, 0005 basic information, 0011 PIN. 0001 would be the number,
// 0014 the PIN that is the number.
func (c *Card) textApplet(o Options) (*applet, error) {
	attributes := attributes(o.Person)
	if len(attributes) > textFileBytes {
		return nil, fmt.Errorf("name and address have more than %d bytes", textFileBytes)
	}
	content := make([]byte, textFileBytes)
	for i := copy(content, attributes); i < len(content); i++ {
		content[i] = filler
	}
	a := &applet{name: "text AP", aid: textAID, files: map[uint16]*file{
		0x0002: {content: content, needs: &pin{}},
		0x0005: {content: tlv(0xFF40, tlv(0xDF41, make([]byte, 4)), tlv(0xDF42, make([]byte, 16)))},
	}, refused: map[uint16]string{
		0x0001: "it is the 12-digit number",
		0x0014: "its PIN is the 12-digit number",
	}}
	if o.Kind != NoPIN {
		textPIN := c.newPIN(TextPIN, o.TextPIN, 3)
		a.files[0x0011] = &file{pin: textPIN}
		a.files[0x0002].needs = textPIN
	}
	return a, nil
}

func attributes(p Person) []byte {
	return tlv(0xFF20, tlv(0xDF21, make([]byte, 8)), tlv(0xDF22, []byte(p.Name)), tlv(0xDF23, []byte(p.Address)),
		tlv(0xDF24, []byte(p.BirthDate.Format("20060102"))), tlv(0xDF25, []byte(strconv.Itoa(p.Sex))))
}

// visualApplet: 0002 the dates of the card's front, 0012 the PIN that is printed on it. 0013
// would be the PIN that is the number.
func (c *Card) visualApplet(o Options) *applet {
	expiry := o.Now.AddDate(validYears, 0, 0)
	number := fmt.Sprintf("%s%04d%s", o.Person.BirthDate.Format("060102"), expiry.Year(), securityCode)
	printedPIN := c.newPIN(PrintedPIN, number, 10)
	front := tlv(0xFF20, tlv(0xDF21, make([]byte, 8)), tlv(0xDF22, []byte(o.Person.BirthDate.Format("20060102"))),
		tlv(0xDF23, []byte(strconv.Itoa(o.Person.Sex))), tlv(0xDF29, []byte(expiry.Format("20060102"))))
	return &applet{name: "visual AP", aid: visualAID, files: map[uint16]*file{
		0x0002: {content: front, needs: printedPIN},
		0x0012: {pin: printedPIN},
	}, refused: map[uint16]string{0x0013: "its PIN is the 12-digit number"}}
}
