package card_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/deploy/practice/card"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.FixedZone("JST", 9*60*60))

// Made once: keys take their time.
var (
	authority = sync.OnceValues(func() (*card.Authority, error) { return card.NewAuthority(rand.Reader, now) })
	keys      = sync.OnceValues(func() (*card.Keys, error) { return card.NewKeys(rand.Reader) })
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newCard(t testing.TB, o card.Options) *card.Card {
	t.Helper()
	o.Authority, o.Keys = must[*card.Authority](t)(authority()), must[*card.Keys](t)(keys())
	o.Now, o.Rand = now, rand.Reader
	if o.Person.Name == "" {
		o.Person = card.Person{Name: "架空　花子", Address: "架空県みなと市汐見一丁目２番３号", BirthDate: time.Date(1980, 4, 1, 0, 0, 0, 0, time.UTC), Sex: 2}
	}
	return must[*card.Card](t)(card.New(o))
}

// say sends a command in hexadecimal digits and gives the answer's data and status word.
func say(t testing.TB, c *card.Card, command string) (data []byte, sw string) {
	t.Helper()
	apdu, err := hex.DecodeString(strings.ReplaceAll(command, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	out := c.Answer(apdu)
	if len(out) < 2 {
		t.Fatalf("%s: an answer of %d bytes", command, len(out))
	}
	return out[:len(out)-2], hex.EncodeToString(out[len(out)-2:])
}

// Commands of the published kind.
const (
	jpki     = "00A4040C0A D392F000260100000001"
	text     = "00A4040C0A D3921000310001010408"
	visual   = "00A4040C0A D3921000310001010402"
	authPIN  = "00A4020C02 0018"
	textPIN  = "00A4020C02 0011"
	query    = "00200080"
	right    = "0020008004 31323334"
	wrong    = "0020008004 39393939"
	authCert = "00A4020C02 000A"
	authKey  = "00A4020C02 0017"
	fourAttr = "00A4020C02 0002"
	digest   = "3031300D060960864801650304020105000420 2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824"
	sign     = "802A008033" + digest + "00"
)

// Every line is a whole conversation: command, then the status word it must get.
func TestTheCardRefusesWhatARealOneRefuses(t *testing.T) {
	for name, talk := range map[string][]string{
		"a short header":                       {"00A404", "6700"},
		"an instruction that is unknown":       {"00CA0000", "6d00", "00880000", "6d00", "002A0080", "6d00"},
		"a class that is unknown":              {"A0A40000023F00", "6e00"},
		"another length than it says":          {"00A4040C0B D392F000260100000001", "6700", "00A4040C09 D392F000260100000001 00 00", "6700"},
		"extended lengths":                     {jpki, "9000", authCert, "9000", "00B00000000100", "6700", "00A4040C00000A D392F000260100000001", "6700"},
		"an applet that is not there":          {"00A4040C07 A0000000031010", "6a82", "00A4040C0A D3921000310001010100", "6a82"},
		"an applet by half of its name":        {"00A4040C05 D392F00026", "6a82"},
		"other parameters of SELECT":           {"00A404040A D392F000260100000001", "6a86", jpki, "9000", "00A4000C020018", "6a86", "00A40200020018", "6a86"},
		"a file before its applet":             {authPIN, "6a82"},
		"a file of another applet":             {jpki, "9000", textPIN, "6a82", text, "9000", authPIN, "6a82"},
		"a file that is not there":             {jpki, "9000", "00A4020C02FFFF", "6a82"},
		"a file's name of one byte":            {jpki, "9000", "00A4020C0118", "6700"},
		"READ without a file":                  {jpki, "9000", "00B0000004", "6986"},
		"READ of a PIN or a key":               {jpki, "9000", authPIN, "9000", "00B0000004", "6981", authKey, "9000", "00B0000004", "6981"},
		"READ without a length":                {jpki, "9000", authCert, "9000", "00B00000", "6700"},
		"READ behind the end":                  {jpki, "9000", "00A4020C020006", "9000", "00B0002000", "6b00", "00B07F0001", "6b00"},
		"READ across the end":                  {jpki, "9000", "00A4020C020006", "9000", "00B0001E04", "6282", "00B0001E00", "9000"},
		"READ by short file identifier":        {jpki, "9000", "00B0860004", "6a86"},
		"VERIFY without a PIN selected":        {jpki, "9000", query, "6986", authCert, "9000", query, "6a88", right, "6a88"},
		"VERIFY with other parameters":         {jpki, "9000", authPIN, "9000", "00200000", "6a86", "00200180", "6a86", "0020008100", "6a86"},
		"VERIFY that expects data":             {jpki, "9000", authPIN, "9000", "00200080043132333400", "6700"},
		"attributes without the PIN":           {text, "9000", fourAttr, "9000", "00B0000007", "6982"},
		"a signature without the PIN":          {jpki, "9000", authKey, "9000", sign, "6982"},
		"a signature without a key":            {jpki, "9000", sign, "6986", authPIN, "9000", right, "9000", sign, "6a88"},
		"a signature of nothing":               {jpki, "9000", authPIN, "9000", right, "9000", authKey, "9000", "802A008000", "6700", "802A0080023130", "6700"},
		"a signature with another parameter":   {jpki, "9000", authPIN, "9000", right, "9000", authKey, "9000", "802A9E9A02313000", "6a86"},
		"the certificate for signatures":       {jpki, "9000", "00A4020C020001", "9000", "00B0000004", "6982", "00A4020C020018", "9000", right, "9000", "00A4020C020001", "9000", "00B0000004", "6982"},
		"the PIN of one applet in another":     {text, "9000", textPIN, "9000", right, "9000", jpki, "9000", authKey, "9000", sign, "6982"},
		"a PIN after SELECT of an applet":      {text, "9000", textPIN, "9000", right, "9000", jpki, "9000", text, "9000", fourAttr, "9000", "00B0000007", "6982"},
		"a PIN after SELECT of the same":       {text, "9000", textPIN, "9000", right, "9000", text, "9000", fourAttr, "9000", "00B0000007", "6982"},
		"a PIN after a wrong one":              {text, "9000", textPIN, "9000", right, "9000", wrong, "63c2", fourAttr, "9000", "00B0000007", "6982"},
		"the front without the number printed": {visual, "9000", fourAttr, "9000", "00B0000007", "6982"},
		"tries":                                {jpki, "9000", authPIN, "9000", query, "63c3", wrong, "63c2", query, "63c2", right, "9000", query, "63c3"},
		"a PIN of three digits":                {jpki, "9000", authPIN, "9000", "0020008003313233", "63c2"},
		"a blocked PIN":                        {jpki, "9000", authPIN, "9000", wrong, "63c2", wrong, "63c1", wrong, "63c0", right, "6984", query, "63c0"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCard(t, card.Options{})
			for i := 0; i < len(talk); i += 2 {
				if _, sw := say(t, c, talk[i]); sw != talk[i+1] {
					t.Errorf("command %d, %s: %s, want %s", i/2+1, talk[i], sw, talk[i+1])
				}
			}
			if v := c.Violations(); len(v) > 0 {
				t.Error(v)
			}
		})
	}
}

// A failed SELECT leaves what was selected, and a reset does not.
func TestWhatIsLostWithTheSession(t *testing.T) {
	c := newCard(t, card.Options{})
	for _, command := range []string{text, textPIN, right, fourAttr} {
		say(t, c, command)
	}
	say(t, c, "00A4040C07 A0000000031010")
	if _, sw := say(t, c, "00B0000007"); sw != "9000" {
		t.Errorf("after an applet that is not there: %s", sw)
	}
	c.Reset()
	if _, sw := say(t, c, "00B0000007"); sw != "6986" {
		t.Errorf("after a reset: %s", sw)
	}
}

func TestTheNumberIsNeverThereAndAskingIsTold(t *testing.T) {
	for _, talk := range [][]string{
		{text, "00A4020C020001"}, {text, "00A40000020001"}, {text, "00A4020002000100"}, {text, "00B0810011"}, {text, "00A4020C020014"}, {visual, "00A4020C020013"},
	} {
		c := newCard(t, card.Options{})
		var sw string
		for _, command := range talk {
			_, sw = say(t, c, command)
		}
		if v := c.Violations(); len(v) != 1 || sw == "9000" {
			t.Errorf("%v: %s, violations %q", talk, sw, v)
		}
	}
}

// read selects a file and reads the whole of it.
func read(t testing.TB, c *card.Card, file string) []byte {
	t.Helper()
	if _, sw := say(t, c, file); sw != "9000" {
		t.Fatalf("%s: %s", file, sw)
	}
	var out []byte
	for {
		part, sw := say(t, c, "00B0"+hex.EncodeToString([]byte{byte(len(out) >> 8), byte(len(out))})+"00")
		if sw == "6b00" {
			return out
		}
		if sw != "9000" {
			t.Fatalf("%s at %d: %s", file, len(out), sw)
		}
		out = append(out, part...)
	}
}

func TestWhatAPlasticCardHolds(t *testing.T) {
	c := newCard(t, card.Options{})
	say(t, c, jpki)
	if token := read(t, c, "00A4020C020006"); string(token) != "JPKIAPICCTOKEN2"+strings.Repeat(" ", 17) {
		t.Errorf("token %q", token)
	}
	der := read(t, c, authCert)
	cert := must[*x509.Certificate](t)(x509.ParseCertificate(der))
	if strings.Contains(string(der), "花子") || !bytes.Equal(der, c.Certificate()) {
		t.Error("the certificate names its holder, or is another one")
	}
	root := must[*x509.Certificate](t)(x509.ParseCertificate(read(t, c, "00A4020C02000B")))
	if !root.Equal(must[*card.Authority](t)(authority()).Root()) || root.SignatureAlgorithm != x509.SHA256WithRSA {
		t.Error("another root")
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	say(t, c, authPIN)
	say(t, c, right)
	say(t, c, authKey)
	signature, sw := say(t, c, sign)
	sum := sha256.Sum256([]byte("hello"))
	if err := rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, sum[:], signature); sw != "9000" || err != nil {
		t.Errorf("%s: %v", sw, err)
	}
	say(t, c, text)
	say(t, c, textPIN)
	say(t, c, right)
	four := read(t, c, fourAttr)
	for _, want := range []string{"\xDF\x22\x0F架空　花子", "架空県みなと市汐見一丁目２番３号", "\xDF\x24\x0819800401", "\xDF\x25\x012"} {
		if !bytes.Contains(four, []byte(want)) {
			t.Errorf("no %q in %q", want, bytes.TrimRight(four, "\xFF"))
		}
	}
	if !bytes.HasPrefix(four, []byte{0xFF, 0x20}) || len(four) != 2048 || four[2047] != 0xFF {
		t.Errorf("a file of %d bytes that begins %x", len(four), four[:4])
	}
}

func TestFileControlInformation(t *testing.T) {
	data, sw := say(t, newCard(t, card.Options{}), "00A404000A D392F000260100000001 00")
	if sw != "9000" || hex.EncodeToString(data) != "6f0c840ad392f000260100000001" {
		t.Errorf("%x %s", data, sw)
	}
}

func TestKinds(t *testing.T) {
	for kind, want := range map[card.Kind]struct {
		atr, applets string // the status words of the three applets
		talk         []string
	}{
		card.Plastic:    {"3be000ff8131fe4514", "9000 9000 9000", []string{jpki, "9000", authCert, "9000", "00B0000004", "9000"}},
		card.Phone:      {"3b80800101", "9000 6a82 6a82", []string{jpki, "9000", authCert, "9000", "00B0000004", "6982", authPIN, "9000", right, "9000", authCert, "9000", "00B0000004", "9000"}},
		card.NoPIN:      {"3be000ff8131fe4514", "9000 9000 9000", []string{jpki, "9000", authPIN, "6a82", authCert, "9000", "00B0000004", "9000", authKey, "9000", sign, "6982", text, "9000", textPIN, "6a82", fourAttr, "9000", "00B0000004", "6982"}},
		card.VisualOnly: {"3be000ff8131fe4514", "9000 9000 9000", []string{jpki, "9000", authCert, "6a82", authKey, "6a82", authPIN, "6a82", text, "9000", textPIN, "9000", query, "63c3"}},
		card.Foreign:    {"3bf01300008131fe45e8", "6a82 6a82 6a82", nil},
	} {
		c := newCard(t, card.Options{Kind: kind})
		if got := hex.EncodeToString(c.ATR()); got != want.atr {
			t.Errorf("%s: ATR %s", kind, got)
		}
		var words []string
		for _, applet := range []string{jpki, text, visual} {
			_, sw := say(t, c, applet)
			words = append(words, sw)
		}
		if got := strings.Join(words, " "); got != want.applets {
			t.Errorf("%s: applets %s, want %s", kind, got, want.applets)
		}
		for i := 0; i < len(want.talk); i += 2 {
			if _, sw := say(t, c, want.talk[i]); sw != want.talk[i+1] {
				t.Errorf("%s: %s: %s, want %s", kind, want.talk[i], sw, want.talk[i+1])
			}
		}
	}
	if len(card.Kinds()) != 5 {
		t.Error("a kind is not tried")
	}
}

// The last byte of an ATR that offers more than T=0 makes all bytes but the first cancel out
// (ISO/IEC 7816-3, 8.2.5).
func TestATRsAddUp(t *testing.T) {
	atrs := [][]byte{card.ContactlessATR()}
	for _, kind := range card.Kinds() {
		atrs = append(atrs, newCard(t, card.Options{Kind: kind}).ATR())
	}
	for _, atr := range atrs {
		check := byte(0)
		for _, b := range atr[1:] {
			check ^= b
		}
		if check != 0 {
			t.Errorf("%x does not add up", atr)
		}
	}
}

func TestOptions(t *testing.T) {
	expired := must[*x509.Certificate](t)(x509.ParseCertificate(newCard(t, card.Options{Expired: true}).Certificate()))
	if !expired.NotAfter.Before(now) || now.Sub(expired.NotAfter) > 25*time.Hour {
		t.Errorf("an expired certificate ends at %s", expired.NotAfter)
	}
	if got := len(newCard(t, card.Options{CertificateBytes: 1501}).Certificate()); got != 1501 {
		t.Errorf("a certificate of %d bytes", got)
	}
	c := newCard(t, card.Options{Tries: map[card.PIN]int{card.TextPIN: 0}, BlockedWord: 0x6983})
	say(t, c, text)
	say(t, c, textPIN)
	for _, command := range []string{query, right} {
		if _, sw := say(t, c, command); sw != "6983" {
			t.Errorf("%s: %s", command, sw)
		}
	}
	for name, o := range map[string]card.Options{
		"a kind":            {Kind: "golden"},
		"tries":             {Tries: map[card.PIN]int{card.AuthPIN: 4}},
		"a PIN":             {Kind: card.Phone, Tries: map[card.PIN]int{card.TextPIN: 1}},
		"five digits":       {PIN: "12345"},
		"a long name":       {Person: card.Person{Name: strings.Repeat("長", 700), Address: "x", BirthDate: now}},
		"no address":        {Person: card.Person{Name: "x", BirthDate: now}},
		"a short filler":    {CertificateBytes: 300},
		"small letters":     {SignPIN: "practice"},
		"a short sign PIN":  {SignPIN: "P1"},
		"letters in a PIN":  {TextPIN: "12a4"},
		"a certificate + 1": {CertificateBytes: len(newCard(t, card.Options{}).Certificate()) + 1},
	} {
		o.Authority, o.Keys, o.Now, o.Rand = must[*card.Authority](t)(authority()), must[*card.Keys](t)(keys()), now, rand.Reader
		if o.Person.Name == "" {
			o.Person = card.Person{Name: "x", Address: "y", BirthDate: now}
		}
		if _, err := card.New(o); err == nil {
			t.Errorf("%s that cannot be is taken", name)
		}
	}
}

func TestRootsAreWrittenInTheTrustLayout(t *testing.T) {
	dir := t.TempDir()
	a := must[*card.Authority](t)(authority())
	for range 2 {
		if err := a.WriteRoots(dir); err != nil {
			t.Fatal(err)
		}
	}
	files := must[[]string](t)(filepath.Glob(filepath.Join(dir, "jpki", "*.pem")))
	if len(files) != 1 {
		t.Fatal(files)
	}
	block, rest := pem.Decode(must[[]byte](t)(os.ReadFile(files[0])))
	if block == nil || len(rest) > 0 || !slices.Equal(block.Bytes, a.Root().Raw) {
		t.Error("another root, or more")
	}
}

func FuzzAnswer(f *testing.F) {
	c := newCard(f, card.Options{})
	for _, command := range []string{jpki, text, visual, authPIN, textPIN, query, right, authCert, authKey, sign, "00B0000000", "00B0860004", "00A404000AD392F00026010000000100"} {
		apdu, err := hex.DecodeString(strings.ReplaceAll(command, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(apdu)
	}
	f.Fuzz(func(t *testing.T, apdu []byte) {
		if out := c.Answer(apdu); len(out) < 2 || len(out) > 258 {
			t.Errorf("%x: an answer of %d bytes", apdu, len(out))
		}
	})
}
