package card

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/subtle"
	"fmt"
)

// applet is one application of the card. refused are its files that must never be asked
// for, each with the reason.
type applet struct {
	name    string
	aid     []byte
	files   map[uint16]*file
	refused map[uint16]string
}

// file is a transparent file, a PIN or a key: one of content, pin and key is there. needs
// is the PIN that reading or signing asks for.
type file struct {
	content []byte
	pin     *pin
	key     *rsa.PrivateKey
	needs   *pin
}

type pin struct {
	value    string
	max      int
	left     int
	verified bool
}

func (f *file) open() bool { return f.needs == nil || f.needs.verified }

// run answers one command that has been parsed. The caller holds the lock.
func (c *Card) run(cmd command) ([]byte, uint16) {
	if cla := cmd.ins >> 8; cla != 0x00 && cla != 0x80 {
		return nil, swUnknownCLA
	}
	switch cmd.ins {
	case insSelect:
		return c.choose(cmd)
	case insVerify:
		return nil, c.verify(cmd)
	case insRead:
		return c.read(cmd)
	case insSign:
		return c.sign(cmd)
	}
	return nil, swUnknownINS
}

// choose is SELECT: an applet by its name, or a file of the applet.
func (c *Card) choose(cmd command) ([]byte, uint16) {
	if cmd.p1 == 0x04 {
		return c.chooseApplet(cmd)
	}
	if len(cmd.data) != 2 {
		return nil, swWrongLength
	}
	id := uint16(cmd.data[0])<<8 | uint16(cmd.data[1])
	c.ask(id) // whatever the form of the command
	if cmd.p1 != 0x02 || cmd.p2 != 0x0C {
		return nil, swBadP1P2
	}
	if c.current == nil || c.current.files[id] == nil {
		return nil, swNotFound
	}
	c.file = c.current.files[id]
	return nil, swDone
}

// ask writes a violation down when the file must never be asked for.
func (c *Card) ask(id uint16) {
	if c.current == nil {
		return
	}
	if why, refused := c.current.refused[id]; refused {
		c.violations = append(c.violations, fmt.Sprintf("%s: file %04X was asked for: %s", c.current.name, id, why))
	}
}

func (c *Card) chooseApplet(cmd command) ([]byte, uint16) {
	if cmd.p2 != 0x0C && cmd.p2 != 0x00 {
		return nil, swBadP1P2
	}
	for _, a := range c.applets {
		if !bytes.Equal(a.aid, cmd.data) {
			continue
		}
		c.forget()
		c.current = a
		if cmd.p2 == 0x00 && cmd.le >= 0 {
			// File control information with the applet's name.
			return tlv(0x6F, tlv(0x84, a.aid)), swDone
		}
		return nil, swDone
	}
	return nil, swNotFound
}

// forget loses what was selected and every verified PIN.
func (c *Card) forget() {
	c.current, c.file = nil, nil
	for _, a := range c.applets {
		for _, f := range a.files {
			if f.pin != nil {
				f.pin.verified = false
			}
		}
	}
}

// verify is VERIFY: without a body it tells the tries left, with one it uses a try.
func (c *Card) verify(cmd command) uint16 {
	switch {
	case cmd.p1 != 0x00 || cmd.p2 != 0x80:
		return swBadP1P2
	case c.file == nil:
		return swNoFile
	case c.file.pin == nil:
		return swNoReference
	case cmd.le >= 0:
		return swWrongLength
	}
	p := c.file.pin
	switch {
	case len(cmd.data) == 0:
		return c.triesWord(p)
	case p.left == 0 && c.blockedWord != 0:
		return c.blockedWord
	case p.left == 0:
		return swBlocked
	}
	p.verified = subtle.ConstantTimeCompare(cmd.data, []byte(p.value)) == 1
	if p.verified {
		p.left = p.max
	} else {
		p.left--
	}
	if c.changed != nil {
		c.changed(c.tries())
	}
	if p.verified {
		return swDone
	}
	return c.triesWord(p)
}

// triesWord tells how many tries are left.
func (c *Card) triesWord(p *pin) uint16 {
	if p.left == 0 && c.blockedWord != 0 {
		return c.blockedWord
	}
	return swWrongPIN | uint16(p.left)
}

// read is READ BINARY of the selected file.
func (c *Card) read(cmd command) ([]byte, uint16) {
	switch {
	case cmd.p1&0x80 != 0:
		c.ask(uint16(cmd.p1 & 0x1F)) // a short file identifier asks for a file, too
		return nil, swBadP1P2
	case len(cmd.data) > 0 || cmd.le < 0:
		return nil, swWrongLength
	case c.file == nil:
		return nil, swNoFile
	case c.file.content == nil:
		return nil, swIncompatible
	case !c.file.open():
		return nil, swNoPIN
	}
	from := int(cmd.p1)<<8 | int(cmd.p2)
	if from >= len(c.file.content) {
		return nil, swOutside
	}
	rest := c.file.content[from:]
	switch {
	case len(rest) >= cmd.le:
		return rest[:cmd.le], swDone
	case cmd.le == maxLe: // zero asks for what there is
		return rest, swDone
	}
	return rest, swEndOfFile
}

// maxDigestInfo is what PKCS #1 v1.5 leaves of a key of 2048 bits.
const maxDigestInfo = 2048/8 - 11

// sign makes the PKCS #1 v1.5 signature of the DigestInfo in the body with the selected key.
func (c *Card) sign(cmd command) ([]byte, uint16) {
	switch {
	case cmd.p1 != 0x00 || cmd.p2 != 0x80:
		return nil, swBadP1P2
	case len(cmd.data) == 0 || cmd.le != maxLe:
		return nil, swWrongLength
	case c.file == nil:
		return nil, swNoFile
	case c.file.key == nil:
		return nil, swNoReference
	case !c.file.open():
		return nil, swNoPIN
	case len(cmd.data) > maxDigestInfo:
		return nil, swBadData
	}
	signature, err := rsa.SignPKCS1v15(nil, c.file.key, crypto.Hash(0), cmd.data)
	if err != nil {
		return nil, swBadData
	}
	return signature, swDone
}

// tlv writes one BER object; the tag may have two bytes.
func tlv(tag uint16, parts ...[]byte) []byte {
	value := bytes.Join(parts, nil)
	var out []byte
	if tag > 0xFF {
		out = append(out, byte(tag>>8))
	}
	out = append(out, byte(tag))
	switch n := len(value); {
	case n < 0x80:
		out = append(out, byte(n))
	case n <= 0xFF:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	return append(out, value...)
}
