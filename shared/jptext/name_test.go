package jptext_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/jptext"
)

func TestMatchName(t *testing.T) {
	for _, c := range []struct {
		own, told string
		want      jptext.Match
	}{
		{"窓口　花子", "窓口 花子", jptext.MatchSame},
		{"髙橋 﨑子", "髙橋　﨑子", jptext.MatchSame},
		{"髙橋 﨑子", "●橋　●子", jptext.MatchWildcard},
		{"葛\U000E0100城 花", "●城　花", jptext.MatchWildcard}, // a glyph selector is no character of its own
		{"𠮷田 一郎", "●田　一郎", jptext.MatchWildcard},
		{"髙橋 﨑子", "高橋　﨑子", jptext.MatchDiffers},
		{"髙橋 﨑子", "●●橋　●子", jptext.MatchDiffers}, // ● is exactly one
		{"髙橋 﨑子", "●　●子", jptext.MatchDiffers},
		{"髙橋 﨑子", "●橋　●●", jptext.MatchWildcard},
		{"髙橋 﨑子", "●橋　●", jptext.MatchDiffers},
		{"●橋 子", "高橋　子", jptext.MatchDiffers}, // in the own writing it stands for nothing
		{"●橋 子", "●橋　子", jptext.MatchSame},
		{"やまだ たろう", "ﾔﾏﾀﾞ ﾀﾛｳ", jptext.MatchSame},
		{"ジョージ", "ｼﾞｮｰｼﾞ", jptext.MatchSame},
		{"ジョ－ジ", "ｼﾞｮｰｼﾞ", jptext.MatchSame},
		{"ヤマダ タロウ", "ﾔﾏﾀ ﾀﾛｳ", jptext.MatchDiffers},
		{"キョウコ", "ｷヨｳｺ", jptext.MatchDiffers}, // small and large kana stay different
		{"ヤマダ タロウ", "ﾔ●ﾀﾞ ﾀﾛｳ", jptext.MatchWildcard},
		{"やまだ 花子", "ヤマダ 花子", jptext.MatchDiffers}, // the register's kana are letters of the name
		{"NGUYEN VAN AN", "Ｎｇｕｙｅｎ　Ｖａｎ　Ａｎ", jptext.MatchSame},
		{"", "窓口", jptext.MatchUntold},
		{"窓口", " 　", jptext.MatchUntold},
		{strings.Repeat("窓", 500), strings.Repeat("●", 500), jptext.MatchDiffers},
		{strings.Repeat("髙", 40), strings.Repeat("●", 40), jptext.MatchWildcard},
	} {
		if got := jptext.MatchName(c.own, c.told); got != c.want {
			t.Errorf("%s and %s: got %s, want %s", c.own, c.told, got, c.want)
		}
	}
}

func TestHalfKatakana(t *testing.T) {
	for in, want := range map[string]string{
		"やまだ　タロウ": "ﾔﾏﾀﾞ ﾀﾛｳ", "ガパヴー・": "ｶﾞﾊﾟｳﾞｰ･", "ﾌｼﾞﾜﾗ": "ﾌｼﾞﾜﾗ", "ヰヱ花": "ヰヱ花", "キョン": "ｷｮﾝ",
	} {
		if got := jptext.HalfKatakana(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	for _, c := range rows(t, "insurance/text/kana_width.csv") { // and back
		if c[0] == "hankaku_katakana_to_zenkaku_katakana" && c[1] != c[2] && jptext.HalfKatakana(c[2]) != c[1] {
			t.Errorf("%s: got %s, want %s", c[2], jptext.HalfKatakana(c[2]), c[1])
		}
	}
}

func TestShiftJIS(t *testing.T) {
	for _, s := range []string{"窓口　花子", "髙橋﨑子①㈱", "－～∥―￠￡￢", "ｱｲｳﾞ", "abc\\~\r\n", ""} {
		b, err := jptext.ShiftJIS(s)
		if err != nil || len(jptext.Unsendable(s)) > 0 {
			t.Errorf("%s: %v %q", s, err, jptext.Unsendable(s))
		}
		if back, err := jptext.FromShiftJIS(b); err != nil || back != s {
			t.Errorf("%s comes back as %s, %v", s, back, err)
		}
	}
	if b, err := jptext.ShiftJIS("−〜‖—"); err != nil || string(b) != string(must(t, "－～∥―")) {
		t.Errorf("got % x %v", b, err)
	}
	for s, want := range map[string]string{
		"𠮷田𠮷": "𠮷", "葛\U000E0100城": "\U000E0100", "한글": "한글", "a\u00a0b": "\u00a0", "ゔ": "ゔ", "髙": "",
	} {
		if got := string(jptext.Unsendable(s)); got != want {
			t.Errorf("%s: got %q, want %q", s, got, want)
		}
		if _, err := jptext.ShiftJIS(s); (err != nil) != (want != "") {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, b := range []string{"\x81", "\x81\xff", "\xa0", "\x80", "a\xfd"} {
		if s, err := jptext.FromShiftJIS([]byte(b)); err == nil {
			t.Errorf("% x is read as %q", b, s)
		}
	}
}

func must(t *testing.T, s string) []byte {
	t.Helper()
	b, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseDateInEra(t *testing.T) {
	day := func(y, m, d int) civil.Date { return civil.Date{Year: y, Month: time.Month(m), Day: d} }
	for _, c := range []struct {
		era, typed string
		want       civil.Date
		hint       jptext.Hint
	}{
		{"S", "550401", day(1980, 4, 1), ""},
		{"昭和", "５５０４０１", day(1980, 4, 1), ""},
		{"㍼", "55.4.1", day(1980, 4, 1), ""},
		{"3", "55年4月1日", day(1980, 4, 1), ""},
		{"昭", "64.1.7", day(1989, 1, 7), ""},
		{"昭", "640108", day(1989, 1, 8), jptext.HintEraOver},
		{"H", "31/4/30", day(2019, 4, 30), ""},
		{"H", "310501", day(2019, 5, 1), jptext.HintEraOver},
		{"令和", "元.5.1", day(2019, 5, 1), ""},
		{"R", "010430", day(2019, 4, 30), jptext.HintEraEarly},
		{"S", "H31.4.30", day(2019, 4, 30), ""}, // the text names an era itself
		{"S", "2019-05-01", day(2019, 5, 1), ""},
		{"", "S55.4.1", day(1980, 4, 1), ""},
	} {
		if got, hint, err := jptext.ParseDateInEra(c.era, c.typed); err != nil || got != c.want || hint != c.hint {
			t.Errorf("%s %s: got %v %q %v", c.era, c.typed, got, hint, err)
		}
	}
	for _, c := range [][2]string{{"", "550401"}, {"X", "550401"}, {"S", "650101"}, {"H", "330101"}, {"R", "0"}, {"S", "5504011"}, {"S", "550431"}, {"M", "050101"}} {
		if got, _, err := jptext.ParseDateInEra(c[0], c[1]); err == nil {
			t.Errorf("%v is read as %v", c, got)
		}
	}
}

func FuzzMatchName(f *testing.F) {
	f.Add("髙橋 﨑子", "●橋　●子")
	f.Add("やまだ", "ﾔﾏﾀﾞ")
	f.Fuzz(func(t *testing.T, own, told string) {
		if !utf8.ValidString(own) || !utf8.ValidString(told) {
			return
		}
		got := jptext.MatchName(own, told)
		if got == jptext.MatchWildcard && !strings.ContainsRune(told, jptext.Wildcard) {
			t.Fatal("a wildcard of nowhere")
		}
		if self := jptext.MatchName(own, own); self != jptext.MatchSame && self != jptext.MatchUntold {
			t.Fatalf("a name differs from itself: %s", self)
		}
	})
}

func FuzzShiftJIS(f *testing.F) {
	f.Add("髙橋−〜𠮷")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := jptext.ShiftJIS(s)
		if utf8.ValidString(s) && (err == nil) != (len(jptext.Unsendable(s)) == 0) {
			t.Fatalf("%q: %v, but %q cannot be sent", s, err, jptext.Unsendable(s))
		}
		if err != nil {
			return
		}
		back, err := jptext.FromShiftJIS(b)
		if err != nil {
			t.Fatalf("%q is written and not read: %v", s, err)
		}
		if again, err := jptext.ShiftJIS(back); err != nil || string(again) != string(b) {
			t.Fatalf("%q does not come back", s)
		}
	})
}
