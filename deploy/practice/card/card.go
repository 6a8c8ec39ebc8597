package card

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kind is what sort of card it is.
type Kind string

// The kinds.
const (
	Plastic    Kind = "plastic"
	Phone      Kind = "phone"       // in the secure element of a phone: JPKI AP alone, its certificate behind the PIN
	NoPIN      Kind = "no-pin"      // 顔認証マイナンバーカード: no PIN is set
	VisualOnly Kind = "visual-only" // its holder took no certificates
	Foreign    Kind = "foreign"     // another card altogether
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{Plastic, Phone, NoPIN, VisualOnly, Foreign} }

// PIN is one of the card's secrets that counts its tries.
type PIN string

// The PINs with their tries.
const (
	AuthPIN    PIN = "auth"    // of the key for user authentication: 4 digits, 3 tries
	SignPIN    PIN = "sign"    // of the key for signatures: 6 to 16 capitals and digits, 5 tries
	TextPIN    PIN = "text"    // of the text AP: 4 digits, 3 tries
	PrintedPIN PIN = "printed" // 照合番号B of the visual AP: 14 digits, 10 tries
)

// Practice secrets of every card that is given no others.
const (
	DefaultPIN     = "1234"
	DefaultSignPIN = "PRACTICE1"
)

// Person is what is printed on the card. Sex is ISO/IEC 5218.
type Person struct {
	Name      string
	Address   string
	BirthDate time.Time
	Sex       int
}

// Options say what card it is. A foreign card needs its kind alone, every other one at
// least a person, an authority, the time and randomness.
type Options struct {
	Kind      Kind // Plastic when empty
	Person    Person
	Authority *Authority
	Keys      *Keys // made anew when nil
	Now       time.Time
	Rand      io.Reader // of keys and serial numbers

	PIN, TextPIN, SignPIN string      // practice ones when empty; TextPIN is PIN's when empty
	Tries                 map[PIN]int // left at the start; all of them where nothing is said
	Expired               bool        // the certificate for authentication ended yesterday
	NoSignature           bool        // no certificate for signatures, as on a small child's card
	CertificateBytes      int         // fills certificates up to this length; 0 leaves them as they are
	ATR                   []byte      // the kind's own when empty
	BlockedWord           uint16      // told of a blocked PIN whatever is asked; 0: 63C0 to a question, 6984 to a try

	// Changed is called with the tries left after each try, by the goroutine that answers.
	Changed func(map[PIN]int)
}

// Keys are the two key pairs of a card.
type Keys struct{ Auth, Sign *rsa.PrivateKey }

// NewKeys makes them.
func NewKeys(random io.Reader) (*Keys, error) {
	auth, err := rsa.GenerateKey(random, keyBits)
	if err != nil {
		return nil, fmt.Errorf("cannot make the card's keys: %w", err)
	}
	sign, err := rsa.GenerateKey(random, keyBits)
	if err != nil {
		return nil, fmt.Errorf("cannot make the card's keys: %w", err)
	}
	return &Keys{Auth: auth, Sign: sign}, nil
}

// Answers to reset. The plastic card's is published; a phone shows the one that readers make
// up for a contactless card without historical bytes.
var (
	plasticATR = []byte{0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0xFE, 0x45, 0x14}
	phoneATR   = []byte{0x3B, 0x80, 0x80, 0x01, 0x01}
	foreignATR = []byte{0x3B, 0xF0, 0x13, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 0xE8}
)

// ContactlessATR is what a reader makes up for a card of ISO/IEC 14443 type B, as the
// plastic card shows itself without contacts: four bytes of application data, three of
// protocol information and one that are practice ones here.
func ContactlessATR() []byte {
	atr := []byte{0x3B, 0x88, 0x80, 0x01, 0x00, 0x00, 0x00, 0x00, 0x33, 0x81, 0x81, 0x00}
	check := byte(0)
	for _, b := range atr[1:] {
		check ^= b
	}
	return append(atr, check)
}

// Card is one card. It is safe for concurrent use, one command after the other.
type Card struct {
	atr         []byte
	certificate []byte
	blockedWord uint16
	changed     func(map[PIN]int)

	mu         sync.Mutex
	applets    []*applet
	pins       map[PIN]*pin
	current    *applet
	file       *file
	commands   int
	violations []string
}

// New makes a card.
func New(o Options) (*Card, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("cannot make the card: %w", err)
	}
	c := &Card{atr: slices.Clone(o.ATR), blockedWord: o.BlockedWord, changed: o.Changed, pins: map[PIN]*pin{}}
	if err := c.fill(o); err != nil {
		return nil, fmt.Errorf("cannot make the card: %w", err)
	}
	for name, left := range o.Tries {
		p, has := c.pins[name]
		if !has || left < 0 || left > p.max {
			return nil, fmt.Errorf("cannot make the card: the PIN %q cannot have %d tries left", name, left)
		}
		p.left = left
	}
	return c, nil
}

func (o *Options) complete() error {
	if o.Kind == "" {
		o.Kind = Plastic
	}
	switch o.Kind {
	case Plastic, NoPIN, VisualOnly:
		o.ATR = orBytes(o.ATR, plasticATR)
	case Phone:
		o.ATR = orBytes(o.ATR, phoneATR)
	case Foreign:
		o.ATR = orBytes(o.ATR, foreignATR)
		return nil
	default:
		return fmt.Errorf("there is no kind %q", o.Kind)
	}
	if o.Authority == nil || o.Rand == nil || o.Now.IsZero() {
		return errors.New("it needs an authority, randomness and the time")
	}
	if o.Person.Name == "" || o.Person.Address == "" || o.Person.BirthDate.IsZero() {
		return errors.New("it needs a person with name, address and birth date")
	}
	o.PIN = orText(o.PIN, DefaultPIN)
	o.TextPIN = orText(o.TextPIN, o.PIN)
	o.SignPIN = orText(o.SignPIN, DefaultSignPIN)
	if !digits(o.PIN, 4) || !digits(o.TextPIN, 4) {
		return errors.New("its PINs are of four digits")
	}
	if len(o.SignPIN) < 6 || len(o.SignPIN) > 16 || strings.ToUpper(o.SignPIN) != o.SignPIN {
		return errors.New("its PIN for signatures is of 6 to 16 capitals and digits")
	}
	if o.Keys == nil {
		var err error
		o.Keys, err = NewKeys(o.Rand)
		return err
	}
	return nil
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func orBytes(b, otherwise []byte) []byte {
	if len(b) == 0 {
		return otherwise
	}
	return b
}

func digits(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789") == ""
}

// ATR gives the answer to reset.
func (c *Card) ATR() []byte { return slices.Clone(c.atr) }

// Certificate gives the certificate for authentication as DER; nil where there is none.
func (c *Card) Certificate() []byte { return slices.Clone(c.certificate) }

// Reset takes the power away: what was selected and verified is lost, tries are not.
func (c *Card) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
}

// Answer answers one command with data and status word.
func (c *Card) Answer(apdu []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commands++
	cmd, sw := parse(apdu)
	if sw != swDone {
		return answer(nil, sw)
	}
	return answer(c.run(cmd))
}

// Commands counts the commands since the card was made.
func (c *Card) Commands() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.commands
}

// Violations lists what was asked for that nobody here may ask for.
func (c *Card) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.violations)
}

// Tries tells how many tries each PIN has left.
func (c *Card) Tries() map[PIN]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tries()
}

func (c *Card) tries() map[PIN]int {
	out := map[PIN]int{}
	for name, p := range c.pins {
		out[name] = p.left
	}
	return out
}
