package scanner_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/cert/qr"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/vdsnc"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

var issued = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// traveller is a person with as many doses as a certificate may have to bear.
func traveller(doses int) cert.Certificate {
	c := cert.Certificate{
		Holder:    identity.PersonName{FamilyKanji: "髙橋﨑", GivenKanji: "ヴァシリエヴィチ", FamilyLatin: "TAKAHASHIZAKI", GivenLatin: "VASILIEVICH"},
		BirthDate: civil.Date{Year: 1990, Month: 4, Day: 1}, TravelDocument: "TZ0000001", Sex: "F",
	}
	for i := range doses {
		c.Doses = append(c.Doses, cert.Dose{
			Number: i + 1, Code: "208", CodeSystem: cert.CVX, Manufacturer: "PFR", Lot: "EW000" + string(rune('1'+i)), Country: "JPN", Performer: "Minato City",
			On: civil.Date{Year: 2021 + i, Month: time.Month(1 + i), Day: 10 + i},
		})
	}
	return c
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// texts issues the same person's certificate in every format that stands in a QR code.
func texts(t *testing.T, doses int) map[string]string {
	t.Helper()
	must := func(text string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	key, authority, sealKey := newKey(t), newKey(t), newKey(t)
	term := vdsnc.Term{From: issued.AddDate(0, -1, 0), UsageUntil: issued.AddDate(0, 14, 0), Until: issued.AddDate(10, 0, 0)}
	csca, err := vdsnc.NewCSCA(authority, vdsnc.Name{Country: "UT", Common: "Specimen CSCA"}, term)
	if err != nil {
		t.Fatal(err)
	}
	bsc, err := vdsnc.NewBSC(csca, authority, sealKey.Public(), vdsnc.Name{Country: "UT", Common: "Specimen Health"}, term)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: term.From, NotAfter: term.Until, Subject: pkix.Name{Country: []string{"JP"}}}
	dsc, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	kanji := must(shc.Issue(key, "https://madoguchi.example", issued, traveller(doses), shc.Options{}))
	latin := must(shc.Issue(key, "https://madoguchi.example", issued, traveller(doses), shc.Options{Name: shc.NameLatin}))
	eu := traveller(doses)
	eu.ID = must(hcert.NewUVCI("JP", "MADOGUCHI/A1B2C3D4E5"))
	seal := traveller(doses)
	seal.ID = "6U5RSWMBASG2"
	return map[string]string{
		"shc":        must(shc.QRText(kanji)),
		"shc, latin": must(shc.QRText(latin)),
		"hcert":      must(hcert.Issue(key, dsc, issued, issued.AddDate(1, 0, 0), eu, hcert.Options{})),
		"hcert, DVC": must(hcert.Issue(key, dsc, issued, time.Time{}, eu, hcert.Options{Kind: hcert.DVC})),
		"vdsnc":      must(vdsnc.Issue(sealKey, bsc, issued, seal, vdsnc.Options{Issuer: "UTO", Centre: "MINATO"})),
	}
}

// zbar reads a picture with another family's decoder (Debian package zbar-tools).
func zbar(t *testing.T, picture []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "code.png")
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	c := exec.Command("zbarimg", "--quiet", "--raw", "--oneshot", "-Sdisable", "-Sqrcode.enable", file)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Errorf("zbarimg: %v %s", err, errs.String())
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// TestIssuedPicturesAreReadByOthers draws what our code issues and has it read by two
// decoders that nobody here wrote. The level and the size are those of the format.
func TestIssuedPicturesAreReadByOthers(t *testing.T) {
	_, err := exec.LookPath("zbarimg")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("this test needs zbarimg (Debian package zbar-tools)")
	}
	if err != nil {
		t.Log("zbarimg (Debian package zbar-tools) is not installed: only one decoder reads the pictures")
	}
	for _, doses := range []int{1, 2, 3, 5} {
		for name, text := range texts(t, doses) {
			version, level, shapeErr := qr.Shape(text)
			picture, drawErr := qr.PNG(text, 4)
			if shapeErr != nil || drawErr != nil {
				t.Errorf("%s of %d doses: %v %v", name, doses, shapeErr, drawErr)
				continue
			}
			t.Logf("%s of %d doses: %d characters, version %d-%s", name, doses, len(text), version, level)
			format, _, _ := strings.Cut(name, ",")
			if wanted := map[string]string{"shc": "L", "hcert": "QM", "vdsnc": "ML"}[format]; !strings.Contains(wanted, string(level)) {
				t.Errorf("%s of %d doses: level %s", name, doses, level)
			}
			if format == "shc" && version > 22 {
				t.Errorf("%s of %d doses: version %d", name, doses, version)
			}
			code, readErr := scanner.Decode(picture)
			if readErr != nil || code.Text != text || len(code.Findings) != 0 {
				t.Errorf("%s of %d doses: not read back: %v %v", name, doses, readErr, code.Findings)
			}
			if err == nil && zbar(t, picture) != text {
				t.Errorf("%s of %d doses: zbarimg reads another text", name, doses)
			}
		}
	}
}
