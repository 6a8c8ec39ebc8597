package jptext_test

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/jptext"
)

// vector reads a file of the shared vectors, or ends the test with a line that says so.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	root := os.Getenv("MADOGUCHI_VECTORS")
	for dir := "."; root == ""; dir = filepath.Join("..", dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			root = filepath.Join(dir, "..", "shared", "vectors")
		}
		if len(dir) > 100 {
			break
		}
	}
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Skipf("0 cases ran: no shared vectors here (%s)", name)
	}
	return b
}

func rows(t *testing.T, name string) [][]string {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(vector(t, name))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[1:]
}

func TestVectorsKana(t *testing.T) {
	cases := rows(t, "insurance/text/kana_width.csv")
	for _, c := range cases {
		var got string
		switch c[0] {
		case "hankaku_katakana_to_zenkaku_katakana":
			got = jptext.Fold(c[1])
		case "zenkaku_katakana_to_hiragana", "hankaku_katakana_to_hiragana":
			got = jptext.Hiragana(c[1])
		default:
			t.Fatalf("unknown operation %q", c[0])
		}
		if got != c[2] {
			t.Errorf("%s %q: got %q, want %q", c[0], c[1], got, c[2])
		}
	}
	t.Logf("%d cases ran", len(cases))
}

func TestVectorsWareki(t *testing.T) {
	cases := rows(t, "insurance/text/wareki.csv")
	for _, c := range cases {
		d, _, err := jptext.ParseDate(c[0] + c[1] + "年" + c[2] + "月" + c[3] + "日")
		if want, _ := strconv.ParseBool(c[4]); want != (err == nil) || d.String() != c[5] {
			t.Errorf("%v: got %v, %v", c, d, err)
		}
	}
	t.Logf("%d cases ran", len(cases))
}

func TestVectorsWarekiBothWays(t *testing.T) {
	n := 0
	for s := bufio.NewScanner(bytes.NewReader(vector(t, "benefits/formats/wareki.jsonl"))); s.Scan(); n++ {
		var c struct {
			ISO, Era, Letter, Text, Short string
			Year                          int
		}
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		d, err := civil.Parse(c.ISO)
		if err != nil {
			t.Fatal(err)
		}
		if e, year, ok := jptext.EraOf(d); !ok || e.Name != c.Era || e.Letter != c.Letter || year != c.Year {
			t.Errorf("%s: got %s %d %v", c.ISO, e.Name, year, ok)
		}
		if got := jptext.Wareki(d); got != c.Text {
			t.Errorf("%s: got %s, want %s", c.ISO, got, c.Text)
		}
		if got := jptext.ShortWareki(d); got != c.Short {
			t.Errorf("%s: got %s, want %s", c.ISO, got, c.Short)
		}
		for _, typed := range []string{c.Text, c.Short, c.ISO} {
			if got, hint, err := jptext.ParseDate(typed); err != nil || got != d || hint != jptext.HintNone {
				t.Errorf("%s: got %v %q %v", typed, got, hint, err)
			}
		}
	}
	t.Logf("%d cases ran", n)
}

func TestVectorsMunicipalCodes(t *testing.T) {
	n := 0
	for s := bufio.NewScanner(bytes.NewReader(vector(t, "benefits/formats/municipal_codes.jsonl"))); s.Scan(); n++ {
		var c struct {
			Code5, Code6 string
			Valid        bool
		}
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if got := jptext.ValidMunicipalityCode(c.Code6); got != c.Valid {
			t.Errorf("%s: got %v, want %v", c.Code6, got, c.Valid)
		}
		if c.Code5 == "" {
			continue
		}
		if digit, ok := jptext.MunicipalityCheckDigit(c.Code5); !ok || c.Code5+string(digit) != c.Code6 {
			t.Errorf("%s: got %c", c.Code5, digit)
		}
	}
	t.Logf("%d cases ran", n)
}

func TestVectorsMyNumber(t *testing.T) {
	cases := rows(t, "insurance/checkdigit/my_number.csv")
	for _, c := range cases {
		if want, _ := strconv.ParseBool(c[1]); jptext.LooksLikeMyNumber(c[0]) != want {
			t.Errorf("%s: want %v", c[0], want)
		}
	}
	t.Logf("%d cases ran", len(cases))
}
