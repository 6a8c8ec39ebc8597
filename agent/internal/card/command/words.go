package command

import (
	"cmp"
	"fmt"
	"strings"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/counter"
)

// said is what every word of package card means to who stands at the reader, in Japanese,
// with what to do.
var said = map[card.Word]string{
	card.NoPCSCD:       "カードリーダーのサービス (pcscd) が動いていません。サービスを始めてください。",
	card.PCSCDGone:     "カードリーダーのサービス (pcscd) が途中で止まりました。もう一度読み取ってください。",
	card.PCSCDRefused:  "カードリーダーを使う許可がありません。このプログラムの利用者に pcscd の使用を許可してください。",
	card.PCSCDOther:    "カードリーダーのサービス (pcscd) がこのプログラムの知らない方式です。",
	card.NoReader:      "カードリーダーがありません。つないでください。",
	card.ReaderUnknown: "指定された名前のカードリーダーがありません。",
	card.ReaderGone:    "カードリーダーが外れました。つなぎ直してください。",
	card.ReaderInUse:   "ほかのプログラムがカードを使っています。終わってからもう一度読み取ってください。",
	card.TwoCards:      "カードが二枚あります。どちらを使うか選んでください (--reader)。",
	card.NoCard:        "カードがありません。カードを置いてください。",
	card.MuteCard:      "カードが答えません。向きを直し、IC の面を拭いてください。",
	card.CardRemoved:   "読み取りの途中でカードが外れました。置き直してください。",
	card.CardReset:     "ほかのプログラムがカードをリセットしました。もう一度読み取ってください。",
	card.CardSlow:      "カードが時間内に答えません。置き直してください。",
	card.UnknownCard:   "マイナンバーカードではありません。",
	card.PhoneCard:     "スマートフォンです。顔認証付きカードリーダーの横の汎用カードリーダーで読み取ってください。",
	card.NoPINCard:     "暗証番号のない顔認証マイナンバーカードです。顔認証か目視確認をしてください。",
	card.CardMalformed: "カードの中身を読み取れません。目視確認をしてください。",
	card.NotGenuine:    "カードの署名が証明書と合いません。目視確認をし、カードを確かめてください。",
	card.Guarded:       "このプログラムの誤りです。カードには何も送っていません。",
	card.PINForm:       "暗証番号は数字四けたです。まだ試していません。",
	card.PINWrong:      "暗証番号が違います。",
	card.PINLastTry:    "暗証番号はあと一回でロックされるため、試していません。顔認証か目視確認をしてください。",
	card.PINBlocked:    "暗証番号がロックされています。顔認証か目視確認をし、再設定は市区町村の窓口を案内してください。",
}

var kinds = map[counter.Kind]string{
	counter.None:          "カードなし",
	counter.MyNumber:      "マイナンバーカード",
	counter.MyNumberPhone: "マイナンバーカード（スマートフォン）",
	counter.MyNumberNoPIN: "顔認証マイナンバーカード（暗証番号なし）",
	counter.Other:         "マイナンバーカードではないカード",
	counter.Mute:          "答えないカード",
}

var certificates = map[string]string{
	string(counter.Good):        "証明書: 有効（失効は確認していません）",
	string(counter.Expired):     "証明書: 期限切れ",
	string(counter.NotYetValid): "証明書: まだ始まっていません。この端末の時計を確かめてください",
	string(counter.Untrusted):   "証明書: 信頼できる発行者のものと確かめられません",
}

// Said gives what a word means to who stands at the reader, in Japanese; "" for no word.
func Said(w card.Word) string { return said[w] }

// words says the line to a person.
func (t told) words() string {
	var b strings.Builder
	if t.Fault != "" {
		fmt.Fprintln(&b, cmp.Or(Said(card.Word(t.Fault)), t.Fault))
	}
	if t.Fault == "" || t.Card != counter.None {
		fmt.Fprint(&b, kinds[t.Card])
		if t.Reader != "" {
			fmt.Fprintf(&b, "  [%s]", t.Reader)
		}
		fmt.Fprintln(&b)
	}
	if t.PINLeft >= 0 {
		fmt.Fprintf(&b, "暗証番号: あと%d回\n", t.PINLeft)
	}
	if p := t.Person; p != nil {
		fmt.Fprintf(&b, "氏名: %s\n住所: %s\n生年月日: %s\n性別: %s\n", p.NameKanji, p.Address, p.BirthDate, p.Sex)
	}
	if text, read := certificates[t.Certificate]; read {
		fmt.Fprintln(&b, text)
	}
	return b.String()
}
