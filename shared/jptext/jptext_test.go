package jptext_test

import (
	"errors"
	"testing"
	"time"
	"unicode/utf8"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/jptext"
)

func TestFolding(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(string) string
		in   string
		want string
	}{
		{"fold digits", jptext.Fold, "０１２ＡＢ", "012AB"},
		{"fold voiced half-width kana to one character", jptext.Fold, "ｶﾞﾊﾟ", "ガパ"},
		{"fold leaves signs", jptext.Fold, "①㈱", "①㈱"},
		{"bare", jptext.Bare, " １２－３‐４−５–６—７ー８　９", "123456789"},
		{"katakana", jptext.Katakana, "やまだ ﾀﾛｳ", "ヤマダ タロウ"},
		{"hiragana keeps the long mark", jptext.Hiragana, "ジョージ", "じょーじ"},
		{"kana key", jptext.KanaKey, "じょ－じ　ｽﾐｽ", "ジョージスミス"},
		{"kana key after katakana", jptext.KanaKey, "ジョ－ジ", "ジョージ"},
		{"kana key keeps small kana", jptext.KanaKey, "キヨ キョ", "キヨキョ"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.f(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestParseDate(t *testing.T) {
	day := func(y, m, d int) civil.Date { return civil.Date{Year: y, Month: time.Month(m), Day: d} }
	for _, c := range []struct {
		typed string
		want  civil.Date
		hint  jptext.Hint
	}{
		{"1980-04-01", day(1980, 4, 1), ""},
		{"1980/4/1", day(1980, 4, 1), ""},
		{"１９８０．４．１", day(1980, 4, 1), ""},
		{"19800401", day(1980, 4, 1), ""},
		{"1980年4月1日", day(1980, 4, 1), ""},
		{"S55.4.1", day(1980, 4, 1), ""},
		{"s55/4/1", day(1980, 4, 1), ""},
		{"Ｓ５５－４－１", day(1980, 4, 1), ""},
		{"S550401", day(1980, 4, 1), ""},
		{"3550401", day(1980, 4, 1), ""},
		{"昭55.4.1", day(1980, 4, 1), ""},
		{"昭和55年4月1日", day(1980, 4, 1), ""},
		{" 昭和 55年 4月 1日 ", day(1980, 4, 1), ""},
		{"昭和元年12月25日", day(1926, 12, 25), ""},
		{"㍼55年4月1日", day(1980, 4, 1), ""},
		{"令和2年2月29日", day(2020, 2, 29), ""},
		{"明治45年7月29日", day(1912, 7, 29), ""},
		{"平成31年5月1日", day(2019, 5, 1), jptext.HintEraOver},
		{"昭和64年1月8日", day(1989, 1, 8), jptext.HintEraOver},
		{"令和元年4月30日", day(2019, 4, 30), jptext.HintEraEarly},
	} {
		got, hint, err := jptext.ParseDate(c.typed)
		if err != nil || got != c.want || hint != c.hint {
			t.Errorf("%s: got %v %q %v", c.typed, got, hint, err)
		}
	}
	for _, typed := range []string{
		"", "1980", "1980-13-01", "1980-02-30", "令和2年2月30日", "昭和65年1月1日", "平成32年1月1日", "昭和0年1月1日",
		"明治5年1月1日", "8550401", "S5504011", "1980-4-1x", "昭和五十五年四月一日", "\xff", "99999999999999999999",
	} {
		if got, _, err := jptext.ParseDate(typed); !errors.Is(err, jptext.ErrDate) {
			t.Errorf("%q: got %v, want a refusal", typed, got)
		}
	}
}

func TestParseBirthDate(t *testing.T) {
	today := civil.Date{Year: 2026, Month: time.November, Day: 21}
	for typed, ok := range map[string]bool{
		"2026-11-21": true, "2026-11-22": false, "令和8年11月21日": true, "1896-11-21": true, "1895-11-20": false,
	} {
		if _, _, err := jptext.ParseBirthDate(typed, today); (err == nil) != ok {
			t.Errorf("%s: got %v", typed, err)
		}
	}
}

func TestBoth(t *testing.T) {
	if got := jptext.Both(civil.Date{Year: 1980, Month: time.April, Day: 1}); got != "1980-04-01（昭和55年）" {
		t.Error(got)
	}
}

func TestMyNumber(t *testing.T) {
	for s, want := range map[string]bool{
		"123456789018":   true,
		"1234 5678 9018": true,
		"１２３４－５６７８－９０１８": true,
		"1234‐5678−9018": true,
		"1234ー5678—9018": true,
		"123456789019":   false,
		"1234567890180":  false,
		"0123456789018":  false,
		"x123456789018":  false,
		"０１２３４５６７８９０１２３４５６７８": false,
	} {
		if got := jptext.LooksLikeMyNumber(s); got != want {
			t.Errorf("%s: got %v", s, got)
		}
	}
	for s, want := range map[string]bool{
		"番号は1234-5678-9018です": true,
		"番号１２３４５６７８９０１８":      true,
		"2026 123456789018":   true,
		"1234  5678  9018":    true, // as a whole
		"電話 03-1234-5678":     false,
		"9123456789018":       false,
		"令和8年11月21日":          false,
	} {
		if got := jptext.HoldsMyNumber(s); got != want {
			t.Errorf("%s: got %v", s, got)
		}
	}
}

func TestNameKey(t *testing.T) {
	for _, same := range [][2]string{
		{"山田 花子", "山田　花子"}, {"山田花子", "山田 花子"}, {"葛\U000E0100城 花", "葛城花"},
		{"Nguyen Van An", "ＮＧＵＹＥＮ　ＶＡＮ　ＡＮ"}, {"ジョー・スミス", "ジョー スミス"}, {"ジョ－スミス", "ジョースミス"},
		{"Smith-Jones Mary", "SMITH JONES MARY"},
	} {
		if jptext.NameKey(same[0]) != jptext.NameKey(same[1]) {
			t.Errorf("%q and %q differ", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"山田花子", "山田華子"}, {"高橋", "髙橋"}, {"やまだ", "ヤマダ"}, {"キヨ", "キョ"}} {
		if jptext.NameKey(other[0]) == jptext.NameKey(other[1]) {
			t.Errorf("%q and %q are taken as equal", other[0], other[1])
		}
	}
}

func TestAddressKey(t *testing.T) {
	for _, same := range [][2]string{
		{"みなと市中央一丁目２番３号", "みなと市中央1-2-3"},
		{"みなと市中央１丁目２番地３", "みなと市中央 1－2－3"},
		{"みなと市中央1丁目2番地の3", "みなと市中央一丁目二番三号"},
		{"みなと市中央二十三番地", "みなと市中央23番地"},
		{"みなと市大字霞ヶ浦10番地", "みなと市霞ケ浦10"},
		{"みなと市中央1-2-3コーポ丘101号室", "みなと市中央1－2－3　コーポ丘　101"},
		{"みなと市中央1-2-3-101", "みなと市中央1丁目2番3号-101"},
	} {
		if a, b := jptext.AddressKey(same[0]), jptext.AddressKey(same[1]); a != b {
			t.Errorf("%q gives %q, %q gives %q", same[0], a, same[1], b)
		}
	}
	for _, other := range [][2]string{
		{"みなと市中央1-2-3", "みなと市中央1-23"}, {"みなと市中央12-3", "みなと市中央1-2-3"},
		{"みなと市中央1-2-3", "みなと市中央1-2-4"}, {"みなと市中央1-2", "やまのべ町中央1-2"},
		{"みなと市中央1-2-3コーポA", "みなと市中央1-2-3コーポB"},
	} {
		if a, b := jptext.AddressKey(other[0]), jptext.AddressKey(other[1]); a == b {
			t.Errorf("%q and %q both give %q", other[0], other[1], a)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"1980-04-01", "S55.4.1", "昭和元年12月25日", "3550401", "㍻31年5月1日"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, _, err := jptext.ParseDate(s)
		if err != nil {
			return
		}
		again, hint, err := jptext.ParseDate(d.String())
		if err != nil || again != d || hint != jptext.HintNone {
			t.Fatalf("%v is not read again: %v", d, err)
		}
		if _, year, ok := jptext.EraOf(d); ok && year < 100 {
			if again, _, err := jptext.ParseDate(jptext.Wareki(d)); err != nil || again != d {
				t.Fatalf("%v is not read again in era form: %v", d, err)
			}
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add("みなと市中央一丁目２番３号")
	f.Add("ｼﾞｮｰｼﾞ・ｽﾐｽ")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		for name, key := range map[string]func(string) string{
			"bare": jptext.Bare, "name": jptext.NameKey, "kana": jptext.KanaKey,
		} {
			if once := key(s); key(once) != once {
				t.Fatalf("%s: a key of a key differs: %q, %q", name, once, key(once))
			}
		}
		jptext.AddressKey(s)
		if jptext.LooksLikeMyNumber(s) && !jptext.HoldsMyNumber(s) {
			t.Fatal("the whole is a number that the text does not hold")
		}
	})
}
