package population

import "strings"

// part is one name in three scripts: as the register writes it, its reading, and Latin
// letters as passports write them (Hepburn, long vowels not marked).
type part struct{ kanji, kana, latin string }

func parts(lines string) []part {
	var out []part
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		f := strings.Split(line, "|")
		out = append(out, part{f[0], f[1], f[2]})
	}
	return out
}

var commonFamilies = parts(`
佐藤|サトウ|SATO
鈴木|スズキ|SUZUKI
高橋|タカハシ|TAKAHASHI
田中|タナカ|TANAKA
伊藤|イトウ|ITO
渡辺|ワタナベ|WATANABE
山本|ヤマモト|YAMAMOTO
中村|ナカムラ|NAKAMURA
小林|コバヤシ|KOBAYASHI
加藤|カトウ|KATO
吉田|ヨシダ|YOSHIDA
山田|ヤマダ|YAMADA
佐々木|ササキ|SASAKI
山口|ヤマグチ|YAMAGUCHI
松本|マツモト|MATSUMOTO
井上|イノウエ|INOUE
木村|キムラ|KIMURA
林|ハヤシ|HAYASHI
斎藤|サイトウ|SAITO
清水|シミズ|SHIMIZU
山崎|ヤマザキ|YAMAZAKI
森|モリ|MORI
池田|イケダ|IKEDA
橋本|ハシモト|HASHIMOTO
阿部|アベ|ABE
石川|イシカワ|ISHIKAWA
山下|ヤマシタ|YAMASHITA
中島|ナカジマ|NAKAJIMA
小川|オガワ|OGAWA
石井|イシイ|ISHII
前田|マエダ|MAEDA
岡田|オカダ|OKADA
長谷川|ハセガワ|HASEGAWA
藤田|フジタ|FUJITA
近藤|コンドウ|KONDO
後藤|ゴトウ|GOTO
村上|ムラカミ|MURAKAMI
遠藤|エンドウ|ENDO
坂本|サカモト|SAKAMOTO
青木|アオキ|AOKI
西村|ニシムラ|NISHIMURA
福田|フクダ|FUKUDA
太田|オオタ|OTA
三浦|ミウラ|MIURA
藤井|フジイ|FUJII
岡本|オカモト|OKAMOTO
松田|マツダ|MATSUDA
中川|ナカガワ|NAKAGAWA
中野|ナカノ|NAKANO
原田|ハラダ|HARADA
小野|オノ|ONO
田村|タムラ|TAMURA
竹内|タケウチ|TAKEUCHI
金子|カネコ|KANEKO
和田|ワダ|WADA
中山|ナカヤマ|NAKAYAMA
石田|イシダ|ISHIDA
上田|ウエダ|UEDA
森田|モリタ|MORITA
原|ハラ|HARA`)

// rareFamilies hold what breaks forms: variants outside JIS X 0208, characters beyond the
// basic plane, one long name and one of a single letter's width.
var rareFamilies = parts(`
髙橋|タカハシ|TAKAHASHI
髙橋﨑|タカハシザキ|TAKAHASHIZAKI
山﨑|ヤマザキ|YAMAZAKI
𠮷田|ヨシダ|YOSHIDA
渡邉|ワタナベ|WATANABE
渡邊|ワタナベ|WATANABE
齋藤|サイトウ|SAITO
齊藤|サイトウ|SAITO
濵田|ハマダ|HAMADA
栁澤|ヤナギサワ|YANAGISAWA
神宮寺|ジングウジ|JINGUJI
勅使河原|テシガワラ|TESHIGAWARA
小鳥遊|タカナシ|TAKANASHI
五百旗頭|イオキベ|IOKIBE
一|ニノマエ|NINOMAE
東恩納|ヒガオンナ|HIGAONNA`)

var foreignFamilies = parts(`
グエン|グエン|NGUYEN
ヴァシリエフ|ヴァシリエフ|VASILEV
サントス|サントス|SANTOS
ワン|ワン|WANG
キム|キム|KIM`)

var menOld = parts(`
茂|シゲル|SHIGERU
清|キヨシ|KIYOSHI
勇|イサム|ISAMU
正雄|マサオ|MASAO
昭|アキラ|AKIRA
実|ミノル|MINORU
勝|マサル|MASARU
義雄|ヨシオ|YOSHIO
幸一|コウイチ|KOICHI
健二|ケンジ|KENJI`)

var men = parts(`
誠|マコト|MAKOTO
健一|ケンイチ|KENICHI
大輔|ダイスケ|DAISUKE
拓也|タクヤ|TAKUYA
達也|タツヤ|TATSUYA
翔太|ショウタ|SHOTA
直樹|ナオキ|NAOKI
和也|カズヤ|KAZUYA
哲也|テツヤ|TETSUYA
浩|ヒロシ|HIROSHI
学|マナブ|MANABU
隆|タカシ|TAKASHI
剛|ツヨシ|TSUYOSHI
亮|リョウ|RYO
雄太|ユウタ|YUTA
慎太郎|シンタロウ|SHINTARO`)

var boys = parts(`
蓮|レン|REN
陽翔|ハルト|HARUTO
湊|ミナト|MINATO
蒼|アオイ|AOI
樹|イツキ|ITSUKI
大和|ヤマト|YAMATO
悠真|ユウマ|YUMA
朝陽|アサヒ|ASAHI
律|リツ|RITSU
颯太|ソウタ|SOTA
伊織|イオリ|IORI
碧|アオ|AO`)

var womenOld = parts(`
和子|カズコ|KAZUKO
幸子|サチコ|SACHIKO
節子|セツコ|SETSUKO
洋子|ヨウコ|YOKO
美智子|ミチコ|MICHIKO
文子|フミコ|FUMIKO
トメ|トメ|TOME
キヨ|キヨ|KIYO
照子|テルコ|TERUKO
千代|チヨ|CHIYO`)

var women = parts(`
美咲|ミサキ|MISAKI
愛|アイ|AI
恵|メグミ|MEGUMI
裕子|ユウコ|YUKO
陽子|ヨウコ|YOKO
由美子|ユミコ|YUMIKO
真由美|マユミ|MAYUMI
智子|トモコ|TOMOKO
彩|アヤ|AYA
麻衣|マイ|MAI
千尋|チヒロ|CHIHIRO
沙織|サオリ|SAORI
純子|ジュンコ|JUNKO
香織|カオリ|KAORI
優子|ユウコ|YUKO
奈々|ナナ|NANA`)

var girls = parts(`
陽葵|ヒマリ|HIMARI
凛|リン|RIN
紬|ツムギ|TSUMUGI
結菜|ユイナ|YUINA
芽依|メイ|MEI
さくら|サクラ|SAKURA
葵|アオイ|AOI
莉子|リコ|RIKO
澪|ミオ|MIO
心春|コハル|KOHARU
杏|アン|AN
琴音|コトネ|KOTONE`)

var foreignGivens = map[sex][]part{
	male:   parts("ヴァシリエヴィチ|ヴァシリエヴィチ|VASILEVICH\nミゲル|ミゲル|MIGUEL\nヴァン アン|ヴァン アン|VAN AN\nミンジュン|ミンジュン|MINJUN"),
	female: parts("ティ ラン|ティ ラン|THI LAN\nマリア|マリア|MARIA\nソヨン|ソヨン|SOYEON\nメイリン|メイリン|MEILIN"),
}

// family picks a family name; one in fifteen is a rare one, one in thirty foreign.
func (r *rng) family() (name part, foreign bool) {
	switch n := r.below(30); {
	case n == 0:
		return pick(r, foreignFamilies), true
	case n <= 2:
		return pick(r, rareFamilies), false
	}
	return pick(r, commonFamilies), false
}

// given picks a given name that fits sex and age and that nobody in taken has.
func (r *rng) given(s sex, age int, foreign bool, taken map[string]bool) part {
	var from []part
	switch {
	case foreign:
		from = foreignGivens[s]
	case s == male && age >= 60:
		from = menOld
	case s == male && age >= 20:
		from = men
	case s == male:
		from = boys
	case age >= 60:
		from = womenOld
	case age >= 20:
		from = women
	default:
		from = girls
	}
	start := r.below(len(from))
	for i := range from {
		if p := from[(start+i)%len(from)]; !taken[p.kanji] {
			taken[p.kanji] = true
			return p
		}
	}
	return from[start]
}
