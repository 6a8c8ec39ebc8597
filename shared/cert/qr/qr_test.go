package qr_test

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"madoguchi.example/shared/cert/qr"
	"madoguchi.example/shared/cert/shc"
)

// maxVersion is what a SMART Health Card may be printed as (specification, 40 mm).
const maxVersion = 22

func TestLongestCardFitsVersion22(t *testing.T) {
	text, err := shc.QRText(strings.Repeat("e", shc.MaxSingleQR))
	if err != nil {
		t.Fatal(err)
	}
	if version, _, err := qr.Shape(text); err != nil || version != maxVersion {
		t.Errorf("version %d, %v", version, err)
	}
	if version, _, err := qr.Shape(text + "0000"); err != nil || version <= maxVersion {
		t.Errorf("two characters more: version %d, %v", version, err)
	}
}

// The level follows the format, and gives way where the code would be too fine.
func TestLevelOfEachFormat(t *testing.T) {
	const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
	for name, c := range map[string]struct {
		text    string
		level   qr.Level
		version int // at most
	}{
		"card":            {"shc:/" + strings.Repeat("01", 600), qr.L, 16},
		"HC1":             {"HC1:" + strings.Repeat(alphanumeric, 12), qr.Q, 19},
		"HC1 of a DVC":    {"HC1:" + strings.Repeat(alphanumeric, 30), qr.M, 29},
		"link":            {"shlink:/" + strings.Repeat("eyJ", 80), qr.M, 14},
		"VDS-NC, 1 dose":  {`{"data":` + strings.Repeat("x", 900) + "}", qr.M, 24},
		"VDS-NC, 3 doses": {`{"data":` + strings.Repeat("x", 1700) + "}", qr.L, 32},
		"offer":           {"openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fmadoguchi.example", qr.M, 7},
	} {
		version, level, err := qr.Shape(c.text)
		if err != nil || level != c.level || version > c.version {
			t.Errorf("%s: version %d level %s, %v", name, version, level, err)
		}
	}
}

func TestPNGKeepsTheQuietZone(t *testing.T) {
	const module, quiet = 2, 4
	picture, err := qr.PNG("shc:/5676290952", module)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	version, _, err := qr.Shape("shc:/5676290952")
	if err != nil {
		t.Fatal(err)
	}
	side := (17 + 4*version + 2*quiet) * module
	if img.Bounds().Dx() != side || img.Bounds().Dy() != side {
		t.Errorf("%v, want %d pixels a side", img.Bounds(), side)
	}
	for i := range quiet * module {
		if r, _, _, _ := img.At(i, side/2).RGBA(); r != 0xffff {
			t.Errorf("the quiet zone is dark at %d", i)
		}
	}
	if r, _, _, _ := img.At(quiet*module, quiet*module).RGBA(); r != 0 {
		t.Error("no finder pattern behind the quiet zone")
	}
}

func TestPNGRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		module int
	}{
		"nothing": {"", 4}, "too much": {strings.Repeat("1", qr.MaxText+1), 4}, "bytes beyond version 40": {strings.Repeat("é", 2000), 4},
		"no pixels": {"x", 0}, "many pixels": {"x", qr.MaxModule + 1},
	} {
		if _, err := qr.PNG(c.text, c.module); err == nil {
			t.Errorf("%s: drawn", name)
		}
	}
}
