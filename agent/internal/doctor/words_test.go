package doctor_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/oqsfolder"
	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/shared/notice"
)

// vocabulary is every word that a part can say.
func vocabulary() map[string][]string {
	return map[string][]string{
		"configuration": {"unreadable", "no_permission", "no_file", "silent"},
		"enrolment":     {"not_enrolled", "no_permission", "unreadable", "withdrawn", "cloned", "silent"},
		"store":         {"locked", "wrong_key", "no_permission", "unreadable", "full", "lost", "put_aside", "stale", "dead", "waiting", "weak_key", "silent"},
		"disk":          {"full", "nearly_full", "read_only", "no_permission", "no_folder", "failed", "fast_commit", "no_copy", "silent"},
		"clock":         {"set_back", "behind", "ahead", "before_certificate", "after_certificate", "silent"},
		"backend": {
			doctor.NoNetwork, doctor.NoName, doctor.RefusedConnection, doctor.TimedOut, doctor.TLSNotYetValid, doctor.TLSExpired,
			doctor.TLSAuthority, doctor.TLSName, doctor.TLSOther, doctor.Captive, doctor.Out, doctor.NotOurs, doctor.Other, "silent",
		},
		"trust":     {"none", "stale", "unreadable", "left_out", "silent"},
		"pcscd":     {string(card.NoPCSCD), string(card.PCSCDGone), string(card.PCSCDRefused), string(card.PCSCDOther), "silent"},
		"reader":    {string(card.NoReader), string(card.ReaderUnknown), string(card.ReaderGone), string(card.ReaderInUse), string(card.TwoCards), string(card.MuteCard)},
		"scanner":   {scanner.NoDevice, scanner.UnknownPort, scanner.SeveralPorts, scanner.NoPermission, scanner.Busy, scanner.NoScanner, scanner.Failed, "silent"},
		"folder":    {oqsfolder.FaultNoFolder, oqsfolder.FaultNotWritable, oqsfolder.FaultNotReadable, oqsfolder.FaultFull, oqsfolder.FaultSilent, oqsfolder.FaultZip, "trouble", "waiting"},
		"operators": {"none", "unreadable", "without_pin", "silent"},
		"scan":      {scanner.FaultLayout, scanner.FaultTooLong, scanner.FaultBinary, scanner.FaultIncomplete},
	}
}

func TestEveryWordIsInEveryLanguage(t *testing.T) {
	var want []string
	for part, words := range vocabulary() {
		if part != "scan" {
			want = append(want, part+".name", part+".ok")
		}
		for _, w := range words {
			want = append(want, part+"."+w+".said", part+"."+w+".mend")
		}
	}
	slices.Sort(want)
	for _, lang := range notice.Languages() {
		got := slices.Sorted(maps.Keys(doctor.Catalogue(string(lang))))
		if !slices.Equal(got, want) {
			for _, key := range append(got, want...) {
				if slices.Contains(got, key) != slices.Contains(want, key) {
					t.Errorf("%s: %s stands on one side only", lang, key)
				}
			}
		}
	}
	if doctor.Catalogue("fr") != nil {
		t.Error("there are words in a language that nobody wrote")
	}
}

func TestWordsHaveTheSamePlaces(t *testing.T) {
	places := regexp.MustCompile(`%\[\d\]s|%`)
	ja := doctor.Catalogue("ja")
	for _, lang := range notice.Languages() {
		for key, text := range doctor.Catalogue(string(lang)) {
			count := func(s string) []string {
				return slices.Sorted(slices.Values(slices.Compact(places.FindAllString(s, -1))))
			}
			if text == "" || !slices.Equal(count(text), count(ja[key])) {
				t.Errorf("%s: %s: %q", lang, key, text)
			}
		}
	}
}

// TestPlainJapaneseCanBeRead wants furigana at every kanji of the plain catalogue.
func TestPlainJapaneseCanBeRead(t *testing.T) {
	furigana := regexp.MustCompile(`\{[^{|}]+\|[ぁ-んー]+\}`)
	for key, text := range doctor.Catalogue("ja-easy") {
		if bare := furigana.ReplaceAllString(text, ""); strings.ContainsFunc(bare, func(r rune) bool { return unicode.Is(unicode.Han, r) }) || strings.ContainsAny(bare, "{|}") {
			t.Errorf("%s: %s", key, bare)
		}
	}
}

func TestFindingsTravelAsJSON(t *testing.T) {
	in := []doctor.Finding{
		{Part: doctor.Clock, Fault: "set_back", Args: []string{"61"}, Since: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)},
		{Part: doctor.Disk},
		{Part: doctor.Operators, Hint: "without_pin", Args: []string{"2"}},
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out []doctor.Finding
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	for i := range in {
		if out[i].Part != in[i].Part || out[i].Fault != in[i].Fault || out[i].Hint != in[i].Hint || !out[i].Since.Equal(in[i].Since) || !slices.Equal(out[i].Args, in[i].Args) {
			t.Errorf("%+v became %+v", in[i], out[i])
		}
	}
	var raw []struct {
		Part, Fault string
		OK          bool
		Code        int
		Said, Mend  map[string]string
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	first := raw[0]
	if first.Part != "clock" || first.OK || first.Code != 14 || first.Fault != "set_back" || len(first.Mend) != 3 ||
		!strings.Contains(first.Said["ja"], "61分") || !strings.Contains(first.Said["en"], "61 minutes") || strings.Contains(first.Said["ja-easy"], "|") {
		t.Errorf("%+v", first)
	}
	if !raw[1].OK || raw[1].Code != 0 || len(raw[1].Mend) != 0 || raw[1].Said["ja"] == "" {
		t.Errorf("%+v", raw[1])
	}
}

func TestEveryPartHasACodeOfItsOwn(t *testing.T) {
	seen := map[int]doctor.Part{}
	for part := range vocabulary() {
		if part == "scan" {
			continue
		}
		code := doctor.Part(part).ExitCode()
		if other, twice := seen[code]; twice || code < 10 || code > 21 {
			t.Errorf("%s and %s end with %d", part, other, code)
		}
		seen[code] = doctor.Part(part)
	}
	for part, want := range map[doctor.Part]int{doctor.Configuration: 10, doctor.Clock: 14, doctor.PCSCD: 17, doctor.Folder: 20, doctor.Operators: 21, "": 1} {
		if got := part.ExitCode(); got != want {
			t.Errorf("%s ends with %d", part, got)
		}
	}
}
