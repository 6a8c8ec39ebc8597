// Package wedge promises the text that a scanner meant when it acts as a keyboard.
//
// Such a scanner presses keys, and what they write is up to the machine. Most scanners leave
// the factory with the key numbers of a US keyboard; a machine that is set to a Japanese one
// then writes other signs, and an input method that is on widens the characters or makes
// kana of them. Repair undoes that where exactly one reading is well-formed: a SMART Health
// Card or link, an HC1 text, an address of a wallet, an SD-JWT, the JSON of a VDS-NC, or
// characters that stand on the same keys everywhere. Otherwise it names the fault; the mend
// is then the scanner's own setting: USB-COM, or keyboard Japanese.
//
// Some keys write nothing on the other layout, so their characters are lost: of US keys on
// a Japanese machine ) ` and ~, the other way round _ \ and |. Where a format leans on one
// of them, it counts as well-formed only if its own structure shows that none is missing.
// A card that was changed all the same fails its signature; nothing here judges it.
package wedge

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/keys"
)

// MaxTyped bounds what is looked at, in characters: more was no scan, but pasted.
const MaxTyped = scanner.MaxScanBytes

// usReadAsJIS and jisReadAsUS lead from what a machine wrote back to what was meant.
var (
	usReadAsJIS = inverse(keys.Misread(keys.US, keys.JIS))
	jisReadAsUS = inverse(keys.Misread(keys.JIS, keys.US))
)

func inverse(m map[rune]rune) map[rune]rune {
	out := map[rune]rune{}
	for meant, seen := range m {
		if seen != 0 {
			out[seen] = meant
		}
	}
	return out
}

// reading is one thing that may have been meant.
type reading struct {
	text    string
	repairs []string
	lossy   bool // a _ may be missing
}

// Repair gives the text that was scanned, with what had to be mended, out of what the
// machine wrote; of several lines, each by itself. A text that cannot be mended comes back as
// it is, with its fault; one of no known form, or over MaxTyped, as it is without a word.
func Repair(typed string) (text string, repairs, faults []string) {
	typed = strings.TrimRight(typed, "\r\n\t")
	if len(typed) > MaxTyped*utf8.UTFMax || utf8.RuneCountInString(typed) > MaxTyped {
		return typed, nil, nil
	}
	if typed == "" || wellFormed(reading{text: typed}) {
		return typed, nil, nil
	}
	lines := strings.FieldsFunc(typed, func(r rune) bool { return r == '\r' || r == '\n' })
	if len(lines) == 1 {
		return line(typed)
	}
	for i := range lines {
		var mended, wrong []string
		lines[i], mended, wrong = line(lines[i])
		if len(wrong) > 0 {
			return typed, nil, wrong
		}
		repairs = append(repairs, mended...)
	}
	if len(repairs) == 0 {
		return typed, nil, nil
	}
	slices.Sort(repairs)
	return strings.Join(lines, "\n"), slices.Compact(repairs), nil
}

// line repairs one line.
func line(typed string) (text string, repairs, faults []string) {
	if wellFormed(reading{text: typed}) {
		return typed, nil, nil
	}
	narrow, kana := fold(typed)
	all := readings(narrow, kana)
	changed := kana || narrow != typed
	if changed {
		for i := range all {
			all[i].repairs = append([]string{widened(kana)}, all[i].repairs...)
		}
	}
	found := wellFormedOnes(all)
	switch {
	case len(found) == 1:
		return found[0].text, found[0].repairs, nil
	case len(found) > 1:
		return typed, nil, []string{scanner.FaultLayout}
	case !changed && !ruined(all):
		return typed, nil, nil
	case !kana && sameEverywhere(narrow) && !ruined(all):
		return narrow, all[0].repairs, nil
	}
	return typed, nil, []string{scanner.FaultLayout}
}

func widened(kana bool) string {
	if kana {
		return scanner.RepairKana
	}
	return scanner.RepairFullwidth
}

// wellFormedOnes gives the readings of known form, each text once.
func wellFormedOnes(all []reading) []reading {
	var found []reading
	for _, r := range all {
		if r.text = complete(r); r.text == "" {
			continue
		}
		if !slices.ContainsFunc(found, func(f reading) bool { return f.text == r.text }) {
			found = append(found, r)
		}
	}
	return found
}

// complete gives the reading's text where it is well-formed, the separators of an SD-JWT
// put back where their key wrote nothing; else "".
func complete(r reading) string {
	if wellFormed(r) {
		return r.text
	}
	if joined, ok := rejoin(r.text); ok && !r.lossy {
		return joined
	}
	return ""
}

// readings lists what may have been meant by narrow text; the first is the text itself. Text
// that still has other than ASCII has at most the reading of its keys.
func readings(narrow string, kana bool) []reading {
	if kana {
		text, ok := keysOfKana(narrow)
		if !ok {
			return nil
		}
		return []reading{{text: text}, {text: strings.Replace(text, "shc;/", "shc:/", 1)}}
	}
	all := []reading{{text: narrow}}
	if text, ok := through(usReadAsJIS, narrow); ok && text != narrow {
		all = append(all, reading{text: text, repairs: []string{scanner.RepairUSLayout}})
	}
	if text, ok := through(jisReadAsUS, narrow); ok && text != narrow {
		all = append(all, reading{text: text, repairs: []string{scanner.RepairJISLayout}, lossy: true})
	}
	for _, r := range all {
		swapped := strings.Map(swapCase, r.text)
		if form := formOf(swapped); form != nil && form.oneCase {
			all = append(all, reading{text: swapped, repairs: append(slices.Clone(r.repairs), scanner.RepairCapsLock), lossy: r.lossy})
		}
	}
	return all
}

func swapCase(r rune) rune {
	if unicode.IsUpper(r) {
		return unicode.ToLower(r)
	}
	return unicode.ToUpper(r)
}

// through reads each character back to what was meant; it fails at one that no key of the
// layout would have written.
func through(back map[rune]rune, text string) (string, bool) {
	var out strings.Builder
	for _, r := range text {
		meant, ok := back[r]
		if !ok && r >= ' ' {
			return "", false
		}
		if !ok {
			meant = r
		}
		out.WriteRune(meant)
	}
	return out.String(), true
}

// sameEverywhere tells whether every character stands on the same key of both layouts.
func sameEverywhere(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || usReadAsJIS[r] != r || jisReadAsUS[r] != r })
}

// ruined tells whether a known form shows through that cannot be brought back: only a
// mended reading begins as one, or the text is a token with signs that none has.
func ruined(all []reading) bool {
	switch {
	case len(all) == 0:
		return true
	case formOf(all[0].text) != nil:
		return false // whoever printed it left it so
	}
	for _, r := range all[1:] {
		if formOf(r.text) != nil {
			return true
		}
	}
	return brokenToken(all[0].text)
}
