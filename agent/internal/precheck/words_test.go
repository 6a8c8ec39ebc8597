package precheck_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/precheck"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// Whatever is wrong with a list is told in the reader's language, with its line and column
// and what to do, and without the value.
func TestFaultsOfAListAreTold(t *testing.T) {
	said := map[string]bool{}
	for _, lang := range notice.Languages() {
		for _, c := range []struct{ csv, where string }{
			{header + "24:00,P-1,ヤマダ ハナ,1980-04-01,06139997,12,3456,01,2026-11-23\n", map[notice.Language]string{notice.Japanese: "2行目・時刻", notice.English: "Line 2, time"}[lang]},
			{"\x83\x84", map[notice.Language]string{notice.Japanese: "ファイル", notice.English: "The file"}[lang]},
			{header + "x\n", map[notice.Language]string{notice.Japanese: "2行目", notice.English: "Line 2"}[lang]},
		} {
			_, err := precheck.Parse([]byte(c.csv), civil.In(evening))
			all := precheck.Faults(lang, err)
			if len(all) != 1 || all[0].Mend == "" || all[0].Where == "" || (c.where != "" && all[0].Where != c.where) || strings.Contains(all[0].Mend+all[0].Where, "24:00") {
				t.Errorf("%s: %q", lang, all)
			}
		}
		for _, column := range strings.Split(strings.TrimSpace(header), ",") {
			for _, word := range precheck.Words() {
				all := precheck.Faults(lang, fault.At(fault.InvalidArgument, "line 7 column "+column, "%s", word))
				if len(all) != 1 || all[0].Mend == "" || !strings.Contains(all[0].Where, "7") || strings.HasSuffix(all[0].Where, "%s") || strings.Contains(all[0].Where, "%!") || len(all[0].Where) < len("7")+3 {
					t.Errorf("%s: %s in %s: %q", lang, word, column, all)
				} else if lang == notice.English {
					said[all[0].Mend] = true
				}
			}
		}
		if got := precheck.Faults(lang, fault.New(fault.Unavailable, "disk")); got != nil {
			t.Errorf("another fault is told as the list's: %q", got)
		}
	}
	if len(said) != len(precheck.Words()) {
		t.Errorf("%d sentences for %d words: %q", len(said), len(precheck.Words()), slices.Sorted(maps.Keys(said)))
	}
}
