package wedge_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/wedge"
)

// The keys in the same order on both keyboards, as they are printed on them; \x00 is a key
// that writes nothing. They are written out here apart from the code's own table.
const (
	usKeys  = "1234567890-=qwertyuiop[]asdfghjkl;'`\\zxcvbnm,./ " + "\x00\x00"
	usShift = "!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:\"~|ZXCVBNM<>? " + "\x00\x00"
	jpKeys  = "1234567890-^qwertyuiop@[asdfghjkl;:\x00]zxcvbnm,./ " + "\\\\"
	jpShift = "!\"#$%&'()\x00=~QWERTYUIOP`{ASDFGHJKL+*\x00}ZXCVBNM<>? " + "_|"
)

// seen gives what a machine writes when a scanner presses the keys for text.
func seen(t testing.TB, text, meant, meantShift, machine, machineShift string) string {
	t.Helper()
	var out strings.Builder
	for _, r := range text {
		at, keys := strings.IndexRune(meant, r), machine
		if at < 0 {
			at, keys = strings.IndexRune(meantShift, r), machineShift
		}
		if at < 0 {
			t.Fatalf("no key writes %q", r)
		}
		if keys[at] != 0 {
			out.WriteByte(keys[at])
		}
	}
	return out.String()
}

func usOnJapanese(t testing.TB, text string) string {
	return seen(t, text, usKeys, usShift, jpKeys, jpShift)
}

func japaneseOnUS(t testing.TB, text string) string {
	return seen(t, text, jpKeys, jpShift, usKeys, usShift)
}

// composing is what an input method in romaji mode shows of keys that make no kana.
func composing(text string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '/':
			return '・'
		case '.':
			return '。'
		case ',':
			return '、'
		case '-':
			return 'ー'
		case '[':
			return '「'
		case ']':
			return '」'
		case ' ':
			return '　'
		case '"':
			return '”'
		case '\'':
			return '’'
		case '`':
			return '‘'
		case '\\':
			return '￥'
		}
		return r + '！' - '!'
	}, text)
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// sdjwt is a credential with disclosures whose Base64url holds - and _ .
func sdjwt(bound bool) string {
	out := b64(`{"alg":"ES256","typ":"dc+sd-jwt"}`) + "." + b64(`{"iss":"https://issuer.example","vct":"urn:x","_sd":["a?>~"]}`) + "." + strings.Repeat("Ab_-", 21) + "Aw"
	for _, d := range []string{`["2GLC42sKQveCfGfryNRN9w", "given_name", "花子?>~"]`, `["eluV5Og3gSNII8EYnsxA_A", "family_name", "見本"]`, `["6Ij7tM-a5iVPGboS5tmvVA", {"a":["b"]}]`} {
		out += "~" + b64(d)
	}
	out += "~"
	if bound {
		out += b64(`{"alg":"ES256","typ":"kb+jwt"}`) + "." + b64(`{"nonce":"n_-~"}`) + "." + strings.Repeat("zZ-_", 21) + "zw"
	}
	return out
}

func samples() map[string]string {
	return map[string]string{
		"card":           "shc:/567629595326546034602925407728043360287028647167452228092861333145643765314159064022030645045908564355",
		"part of a card": "shc:/2/3/5676295953265460",
		"hc1":            "HC1:6BF+70790T9WJWG.FKY*4GO0.O1CV2 O5 N2FBBRW1*70HS8WY04AC*WIFN0AHCD8KD97TK0F90KECTHGWJC0FDC:5AIA%G7X+AQB9746HS80:54IBQF60R6$A80X6S1BTYACG6M+9XG8KIAWNA91AY%67092L4WJCT3EHS8XJC$+DXJCCWENF6OF63W5NW6WF6%JC QE/IAYJC5LEW34U3ET7DXC9 QE-ED8%E.JCBECB1A-:8$96646AL60A60S6Q$D.UDRYA 96NF6L/5QW6307KQEPD09WEQDD+Q6TW6FA7C466KCN9E%961A6DL6FA7D46JPCT3E5JDLA7$Q6E464W5TG6..DX%DZJC6/DTZ9 QE5$CB$DA/D JC1/D3Z8WED1ECW.CCWE.Y92OAGY8MY9L+9MPCG/D5 C5IA5N9$PC5$CUZCY$5Y$527BHB6*L8ARHDJL.Q7*2T7:SCNFZN70H6*AS6+T$D9UCAD97R8NIBO+/RJVE$9PAGPTBIZEP MO-Q0:R13IURRQ5MV93M9V3X2U:NDZSF",
		"link":           "shlink:/eyJ1cmwiOiJodHRwczovL3NobC5leGFtcGxlL3NobC9xX3ctIn0",
		"wallet":         "openid4vp://?client_id=x509_san_dns%3Averifier.example&request_uri=https%3A%2F%2Fverifier.example%2Fr%2F1&request_uri_method=post",
		"offer":          "openid-credential-offer://?credential_offer_uri=https://issuer.example/o?a=b&c_d=e*+;@!$",
		"page":           "https://example.jp/a_b/?c=d#shlink:/eyJ1cmwiOi_-",
		"engagement":     "mdoc:owBjMS4wAYIB2BhYS6QBAiABIVggWojRgr-Sw9WzkJqSl_dpPH0hSs",
		"seal":           `{"data":{"hdr":{"is":"UTO","t":"icao.vacc","v":1},"msg":{"pid":{"n":"SMITH BILL","sex":"M"},"uvci":"U32870"}},"sig":{"alg":"ES256","cer":"MIIBYTCCAQ_gAwIBAgICGK8-","sigvl":"Az_-1[+*/='<>&^%$#@!]"}}`,
		"sd-jwt":         sdjwt(false),
		"bound sd-jwt":   sdjwt(true),
		"digits":         "4901234567894",
		"patient":        "00012-3",
		"page of none":   "https://",
	}
}

func TestGoodTextIsLeftAlone(t *testing.T) {
	for name, text := range samples() {
		if got, repairs, faults := wedge.Repair(text + "\r\n"); got != text || repairs != nil || faults != nil {
			t.Errorf("%s: %q %v %v", name, got, repairs, faults)
		}
	}
}

// TestUSKeysOnAJapaneseMachine is the trap of nearly every new scanner.
func TestUSKeysOnAJapaneseMachine(t *testing.T) {
	for name, text := range samples() {
		typed := usOnJapanese(t, text)
		got, repairs, faults := wedge.Repair(typed)
		if got != text || len(faults) != 0 {
			t.Errorf("%s: %q became %q: %v", name, typed, got, faults)
		}
		if alone := slices.Equal(repairs, []string{scanner.RepairUSLayout}); typed != text && !alone && !strings.Contains(name, "sd-jwt") {
			t.Errorf("%s: %v", name, repairs)
		}
	}
}

// TestJapaneseKeysOnAUSMachine is the other way round. There _ writes nothing, so forms in
// which one may be missing unseen are named, never guessed.
func TestJapaneseKeysOnAUSMachine(t *testing.T) {
	mended := []string{"card", "part of a card", "hc1", "digits", "patient"}
	for name, text := range samples() {
		typed := japaneseOnUS(t, text)
		got, repairs, faults := wedge.Repair(typed)
		switch {
		case slices.Contains(mended, name):
			if got != text || faults != nil || (typed != text && !slices.Equal(repairs, []string{scanner.RepairJISLayout})) {
				t.Errorf("%s: %q became %q: %v %v", name, typed, got, repairs, faults)
			}
		case got != text && !slices.Equal(faults, []string{scanner.FaultLayout}):
			t.Errorf("%s: %q became %q without a word", name, typed, got)
		}
	}
}

// TestEveryPrintableCharacter puts each one into each form, both ways: what comes back is
// what was printed, or has a fault, or was no text of the form to begin with.
func TestEveryPrintableCharacter(t *testing.T) {
	forms := map[string]string{
		"hc1": "HC1:A%sAAAA", "wallet": "openid4vp://?a=%s", "page": "https://a.example/%s/b",
		"seal": `{"data":"a%sb"}`, "card": "shc:/56%s6", "plain": "a%sb",
	}
	lost := map[string]string{"us": ")`~", "jis": "_\\|"}
	count := 0
	for name, form := range forms {
		for c := rune(' '); c <= '~'; c++ {
			text := fmt.Sprintf(form, string(c))
			before, _, broken := wedge.Repair(text)
			if before != text || len(broken) > 0 {
				t.Errorf("%s with %q: good text became %q %v", name, c, before, broken)
			}
			for way, typed := range map[string]string{"us": usOnJapanese(t, text), "jis": japaneseOnUS(t, text)} {
				got, repairs, faults := wedge.Repair(typed)
				count++
				silent := got != text && len(repairs) > 0 && len(faults) == 0
				if silent && !strings.ContainsRune(lost[way], c) {
					t.Errorf("%s with %q by %s: %q became %q", name, c, way, typed, got)
				}
				if name == "hc1" && strings.ContainsRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", c) && got != text {
					t.Errorf("hc1 with %q by %s: %q became %q %v", c, way, typed, got, faults)
				}
			}
		}
	}
	t.Logf("%d texts", count)
}

func TestInputMethods(t *testing.T) {
	for _, name := range []string{"card", "part of a card", "link", "engagement", "digits", "patient"} {
		text := samples()[name]
		if name == "link" || name == "engagement" {
			text = strings.NewReplacer("a", "b", "e", "f", "i", "j", "o", "p", "u", "v").Replace(text)
			text = strings.Replace(strings.Replace(text, "shljnk", "shlink", 1), "mdpc", "mdoc", 1)
		}
		for way, typed := range map[string]string{"own layout": text, "us": usOnJapanese(t, text)} {
			got, repairs, faults := wedge.Repair(composing(typed))
			if got != text || len(faults) > 0 || repairs[0] != scanner.RepairFullwidth {
				t.Errorf("%s, %s: %q became %q %v %v", name, way, composing(typed), got, repairs, faults)
			}
		}
	}
	hc1 := samples()["hc1"]
	if got, repairs, _ := wedge.Repair(composing(usOnJapanese(t, hc1))); got != hc1 || !slices.Equal(repairs, []string{scanner.RepairFullwidth, scanner.RepairUSLayout}) {
		t.Errorf("hc1: %q %v", got, repairs)
	}
}

func TestKanaByTheKey(t *testing.T) {
	for typed, want := range map[string]string{"ﾇﾌｱｳｴｵﾔﾕﾖﾜ": "1234567890", "ぬふあほう": "123-4"} {
		got, repairs, faults := wedge.Repair(typed)
		if got != want || !slices.Equal(repairs, []string{scanner.RepairKana}) || faults != nil {
			t.Errorf("%s: %q %v %v", typed, got, repairs, faults)
		}
	}
	for _, colon := range []string{"け", "れ"} { // of a JIS and of a US scanner
		got, repairs, _ := wedge.Repair("とくそ" + colon + "めえおやおふよ")
		if got != "shc:/567629" || !slices.Equal(repairs, []string{scanner.RepairKana}) {
			t.Errorf("%q %v", got, repairs)
		}
	}
}

func TestCapsLock(t *testing.T) {
	for _, name := range []string{"card", "hc1"} {
		text := samples()[name]
		swapped := strings.ToUpper(text)
		if name == "hc1" {
			swapped = strings.ToLower(text)
		}
		if got, repairs, _ := wedge.Repair(swapped); got != text || !slices.Equal(repairs, []string{scanner.RepairCapsLock}) {
			t.Errorf("%s: %q %v", name, got, repairs)
		}
		if got, repairs, _ := wedge.Repair(usOnJapanese(t, swapped)); got != text || !slices.Equal(repairs, []string{scanner.RepairUSLayout, scanner.RepairCapsLock}) {
			t.Errorf("%s: %q %v", name, got, repairs)
		}
	}
}

func TestWhatHasNoOneReadingIsNamed(t *testing.T) {
	for name, typed := range map[string]string{
		"romaji":                       "おぺにd４ｖｐ：・・？",
		"romaji in a token":            "えｙＪ。えｙＪ。あ",
		"kana of several keys":         "しゃけ",
		"a wallet's address, composed": "ｏｐｅｎｉｄ４ｖｐ：・・？ｃlじぇんt",
		"a lost bracket":               usOnJapanese(t, `{"data":"a(b)c"}`)[:13] + usOnJapanese(t, `c"}`),
		"a card cut short":             usOnJapanese(t, "shc:/567"),
		"hc1 with a foreign sign":      usOnJapanese(t, "HC1:AB=AAA"),
		"hc1 beyond what it can hold":  usOnJapanese(t, "HC1::::"),
		"hc1 beyond in its last group": usOnJapanese(t, "HC1:AAA::"),
		"an array that is none":        strings.ReplaceAll(strings.SplitN(sdjwt(false), "~", 2)[0]+b64(`["a","b","c","d"]`), "~", ""),
		"half a disclosure":            strings.ReplaceAll(usOnJapanese(t, sdjwt(false)), "~", "")[:400],
		"full width without a form":    "ａ＝ｂ",
	} {
		got, repairs, faults := wedge.Repair(typed)
		if got != typed || repairs != nil || !slices.Equal(faults, []string{scanner.FaultLayout}) {
			t.Errorf("%s: %q became %q %v %v", name, typed, got, repairs, faults)
		}
	}
}

// TestOtherTextIsNoneOfOurs keeps what is well typed and of no known form.
func TestOtherTextIsNoneOfOurs(t *testing.T) {
	for _, typed := range []string{"", "P12345", "a=b", "shc:/567", "HC1:é", "MSH|^~\\&|", "Hello, World!", `{"data":`, "\x1b[A\x00\x07"} {
		if got, repairs, faults := wedge.Repair(typed); got != typed || repairs != nil || (faults != nil && typed != "HC1:é") {
			t.Errorf("%q became %q %v %v", typed, got, repairs, faults)
		}
	}
}

func TestSeveralLines(t *testing.T) {
	const parts = "shc:/1/2/567629\nshc:/2/2/595326"
	if got, repairs, faults := wedge.Repair(parts + "\n"); got != parts || repairs != nil || faults != nil {
		t.Errorf("%q %v %v", got, repairs, faults)
	}
	typed := strings.ReplaceAll(usOnJapanese(t, strings.ReplaceAll(parts, "\n", " ")), " ", "\r\n")
	if got, repairs, faults := wedge.Repair(typed); got != parts || !slices.Equal(repairs, []string{scanner.RepairUSLayout}) || faults != nil {
		t.Errorf("%q %v %v", got, repairs, faults)
	}
	if got, _, faults := wedge.Repair(typed + "9"); got != typed+"9" || !slices.Equal(faults, []string{scanner.FaultLayout}) {
		t.Errorf("half a pair: %q %v", got, faults)
	}
	document := "{\n  \"data\": {}\n}"
	if got, repairs, faults := wedge.Repair(document); got != document || repairs != nil || faults != nil {
		t.Errorf("%q %v %v", got, repairs, faults)
	}
}

func TestHostileTyping(t *testing.T) {
	for name, typed := range map[string]string{ // pasted: for the verifier, which has bounds of its own
		"100 KB":        strings.Repeat("7", 100_000),
		"100 KB wide":   strings.Repeat("７", 100_000),
		"one too many":  strings.Repeat("７", wedge.MaxTyped+1),
		"broken UTF-8s": strings.Repeat("\xff", 100_000),
	} {
		if got, repairs, faults := wedge.Repair(typed); got != typed || repairs != nil || faults != nil {
			t.Errorf("%s: %d bytes %v %v", name, len(got), repairs, faults)
		}
	}
	four := "{\"data\":\"" + strings.Repeat("ab_:", 1024) + "\"}"
	if got, _, faults := wedge.Repair(usOnJapanese(t, four)); got != four || faults != nil {
		t.Errorf("4 KB: %v", faults)
	}
	// every place may be the end of a disclosure, and none is
	ends := strings.ReplaceAll(strings.SplitN(sdjwt(false), "~", 2)[0], "~", "") + strings.Repeat("XV1d", 1800)
	if _, _, faults := wedge.Repair(ends); !slices.Equal(faults, []string{scanner.FaultLayout}) {
		t.Errorf("ends: %v", faults)
	}
}

func FuzzRepair(f *testing.F) {
	for _, text := range samples() {
		f.Add(text)
		f.Add(usOnJapanese(f, text))
		f.Add(japaneseOnUS(f, text))
		f.Add(composing(text))
	}
	f.Add("とくそけめえおやおふよ")
	f.Fuzz(func(t *testing.T, typed string) {
		got, repairs, faults := wedge.Repair(typed)
		if len(repairs) == 0 && len(faults) == 0 && got != strings.TrimRight(typed, "\r\n\t") {
			t.Errorf("%q became %q without a word", typed, got)
		}
		if len(repairs) > 0 && len(faults) > 0 {
			t.Errorf("%q: both mended and not: %v %v", typed, repairs, faults)
		}
		if len(repairs) == 0 {
			return
		}
		if again, repairs, faults := wedge.Repair(got); again != got || repairs != nil || faults != nil {
			t.Errorf("%q became %q, and that %q %v %v", typed, got, again, repairs, faults)
		}
	})
}
