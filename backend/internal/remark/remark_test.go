package remark_test

import (
	"strings"
	"testing"

	"madoguchi.example/backend/internal/remark"
	"madoguchi.example/shared/fault"
)

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		words string
		want  fault.Code
	}{
		"words":                 {"本人が窓口で\n申し出た。\t済", ""},
		"the shortest":          {"四文字だ", ""},
		"the longest":           {strings.Repeat("髙", 20), ""},
		"too short":             {"三文字", fault.InvalidArgument},
		"too long":              {strings.Repeat("髙", 21), fault.TooLarge},
		"too long to count":     {strings.Repeat("a", 81), fault.TooLarge},
		"not text":              {"abc\xff", fault.InvalidArgument},
		"a bell":                {"abcd\a", fault.InvalidArgument},
		"a C1 control":          {"abcd\u0085", fault.InvalidArgument},
		"a published My Number": {"番号 123456789018", fault.MyNumberRefused},
	} {
		err := remark.Check("reason", c.words, 4, 20)
		if got := fault.CodeOf(err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if err != nil && (fault.PlaceOf(err) != "reason" || strings.Contains(err.Error(), "1234")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingNeedsToBeWritten(t *testing.T) {
	if err := remark.Check("note", "", 0, 20); err != nil {
		t.Error(err)
	}
}
