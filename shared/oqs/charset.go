package oqs

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"madoguchi.example/shared/jptext"
)

var (
	declaration = regexp.MustCompile(`^<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']`)
	ownWord     = regexp.MustCompile(`<CharacterCodeIdentifier>\s*([01])\s*</CharacterCodeIdentifier>`)
	byteOrder   = []byte("\xef\xbb\xbf")
)

// charsetNames are the names that programs give the two character sets.
var charsetNames = map[string]Encoding{
	"utf-8": UTF8, "utf8": UTF8, "us-ascii": UTF8, "ascii": UTF8,
	"shift_jis": ShiftJIS, "shift-jis": ShiftJIS, "sjis": ShiftJIS, "x-sjis": ShiftJIS, "windows-31j": ShiftJIS,
	"ms932": ShiftJIS, "cp932": ShiftJIS, "ms_kanji": ShiftJIS, "csshiftjis": ShiftJIS,
}

// decodeText gives the document as UTF-8. odd says that the character set found is not the
// one declared.
func decodeText(b []byte) (text string, enc Encoding, odd bool, err error) {
	if err := sound(b); err != nil {
		return "", "", false, err
	}
	rest := bytes.TrimPrefix(b, byteOrder)
	claimed, err := claimedEncoding(rest, len(rest) != len(b))
	if err != nil {
		return "", "", false, err
	}
	own := ownEncoding(rest)
	switch {
	case claimed == "" && own != "":
		claimed = own
	case claimed == "" && utf8.Valid(rest):
		claimed = UTF8
	case claimed == "":
		claimed = ShiftJIS
	case own != "" && own != claimed: // the bytes decide
		odd, claimed = true, ShiftJIS
		if utf8.Valid(rest) {
			claimed = UTF8
		}
	case claimed == ShiftJIS && longUTF8(rest):
		odd, claimed = true, UTF8
	}
	text, err = decodeAs(rest, claimed)
	return text, claimed, odd, err
}

// longUTF8 tells whether the bytes are UTF-8 beyond doubt: with characters of three bytes
// or more. Two can be two half-width kana in Shift_JIS; longer ones would be kanji by
// chance, and names would be read as others.
func longUTF8(b []byte) bool {
	return utf8.Valid(b) && strings.ContainsFunc(string(b), func(r rune) bool { return r >= 0x800 })
}

// sound refuses what is not a document of the two character sets at the first look.
func sound(b []byte) error {
	switch {
	case len(bytes.TrimSpace(b)) == 0:
		return refuse("document", RefusedIncomplete)
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return refuse("document", RefusedZip)
	case bytes.HasPrefix(b, []byte("\xfe\xff")), bytes.HasPrefix(b, []byte("\xff\xfe")),
		bytes.HasPrefix(b, []byte("<\x00")), bytes.HasPrefix(b, []byte("\x00<")):
		return refuse("document", RefusedEncoding)
	case bytes.IndexByte(b, 0) >= 0: // room that a writer has taken but not filled
		return refuse("document", RefusedIncomplete)
	}
	return nil
}

func claimedEncoding(b []byte, byteOrderMark bool) (Encoding, error) {
	if byteOrderMark {
		return UTF8, nil
	}
	m := declaration.FindSubmatch(b[:min(len(b), 300)])
	if m == nil {
		return "", nil
	}
	enc, ok := charsetNames[strings.ToLower(string(m[1]))]
	if !ok {
		return "", refuse("document", RefusedEncoding)
	}
	return enc, nil
}

func ownEncoding(b []byte) Encoding {
	m := ownWord.FindSubmatch(b)
	switch {
	case m == nil:
		return ""
	case m[1][0] == '1':
		return ShiftJIS
	}
	return UTF8
}

func decodeAs(b []byte, enc Encoding) (string, error) {
	if enc == UTF8 {
		if utf8.Valid(b) {
			return string(b), nil
		}
	} else if text, err := jptext.FromShiftJIS(b); err == nil {
		return text, nil
	}
	if !bytes.HasSuffix(bytes.TrimSpace(b), []byte(">")) { // cut within a character
		return "", refuse("document", RefusedIncomplete)
	}
	return "", refuse("document", RefusedEncoding)
}
