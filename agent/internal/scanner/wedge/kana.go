package wedge

import (
	"strings"

	"madoguchi.example/shared/jptext"
)

// composed are the characters that an input method writes for keys in full width, where the
// full-width form of the sign itself is not what it writes.
var composed = map[rune]rune{
	'　': ' ', '・': '/', '。': '.', '、': ',', 'ー': '-', '「': '[', '」': ']', '〜': '~', '￥': '\\', '¥': '\\',
	'”': '"', '“': '"', '’': '\'', '‘': '`', '−': '-', '‐': '-', '‾': '~', '￣': '~',
	'･': '/', '｡': '.', '､': ',', '｢': '[', '｣': ']', 'ｰ': '-',
}

// fold narrows what an input method has widened. kana tells that there is more than that:
// the text has characters that no key writes by itself. It is then given as it is.
func fold(typed string) (narrow string, kana bool) {
	var out strings.Builder
	for _, r := range typed {
		switch as, ok := composed[r]; {
		case ok:
			r = as
		case r >= '！' && r <= '～':
			r += '!' - '！'
		}
		if r > '~' {
			return typed, true
		}
		out.WriteRune(r)
	}
	return out.String(), false
}

// kanaKeys are the kana as they stand on the keys of a JIS keyboard, by the key's own sign.
const (
	kanaOf = "ぬふあうえおやゆよわほへたていすかんなにらせちとしはきくまのりれけむつさそひこみもねるめろ"
	keyOf  = `1234567890-^qwertyuiopasdfghjkl;:]zxcvbnm,./\`
)

var kanaKeys = func() map[rune]rune {
	out, signs := map[rune]rune{}, []rune(keyOf)
	for i, r := range []rune(kanaOf) {
		out[r] = signs[i]
	}
	return out
}()

// keysOfKana gives the keys that were pressed where each wrote its own kana (かな入力). What an
// input method made of several Latin letters (ローマ字入力) has no one reading: し was si or shi.
func keysOfKana(text string) (string, bool) {
	var out strings.Builder
	for _, r := range jptext.Fold(text) {
		if r >= 'ァ' && r <= 'ヶ' {
			r += 'ぁ' - 'ァ'
		}
		key, ok := kanaKeys[r]
		if !ok {
			return "", false
		}
		out.WriteRune(key)
	}
	return out.String(), true
}
