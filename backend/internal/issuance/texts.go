package issuance

import "madoguchi.example/shared/notice"

// words are a notice's sentences in the three languages.
type words map[notice.Language]notice.Text

// useName names a certificate by where it is shown.
var useName = map[Use]map[notice.Language]string{
	Domestic: {notice.Japanese: "国内用", notice.EasyJapanese: "日本で つかう", notice.English: "for use in Japan"},
	Overseas: {notice.Japanese: "海外用", notice.EasyJapanese: "外国で つかう", notice.English: "for use abroad"},
}

// revokedTexts say that a certificate is good no more, why, and what to do.
func revokedTexts(use Use, ground Ground) words {
	name := useName[use]
	if ground == ForCorrection {
		return words{
			notice.Japanese: {
				Title: "接種証明書が使えなくなりました（記録の訂正）",
				Body:  "役所が接種記録を訂正したため、発行ずみの接種証明書（" + name[notice.Japanese] + "）を取り消しました。\nこの証明書は、もう使えません。\n\nアプリの「証明書」から、新しい記録で発行しなおしてください。費用はかかりません。\n訂正に心当たりがないときは、窓口に電話してください。",
			},
			notice.EasyJapanese: {
				Title: "しょうめいしょが つかえなくなりました",
				Body:  "やくしょが、ちゅうしゃの きろくを なおしました。\n" + name[notice.EasyJapanese] + "しょうめいしょは、もう つかえません。\n\nアプリの「しょうめいしょ」で、もういちど つくってください。お金は かかりません。\nわからないときは、まどぐちに 電話してください。",
			},
			notice.English: {
				Title: "Your vaccination certificate was cancelled (record corrected)",
				Body:  "The office corrected a vaccination record. Your certificate " + name[notice.English] + " was therefore cancelled and can no longer be used.\n\nPlease issue it again under \"Certificates\" in the app. It is free of charge.\nIf you do not know of a correction, please call the counter.",
			},
		}
	}
	return words{
		notice.Japanese: {
			Title: "接種証明書が取り消されました",
			Body:  "役所が、発行ずみの接種証明書（" + name[notice.Japanese] + "）を取り消しました。\nこの証明書は、もう使えません。\n\n理由は窓口でお答えします。アプリの「証明書」から、発行しなおすことができます。",
		},
		notice.EasyJapanese: {
			Title: "しょうめいしょが とりけされました",
			Body:  "やくしょが、" + name[notice.EasyJapanese] + "しょうめいしょを とりけしました。\nこの しょうめいしょは、もう つかえません。\n\nどうしてかは、まどぐちで きいてください。アプリの「しょうめいしょ」で、もういちど つくることが できます。",
		},
		notice.English: {
			Title: "Your vaccination certificate was cancelled",
			Body:  "The office cancelled your vaccination certificate " + name[notice.English] + ". It can no longer be used.\n\nThe counter will tell you why. You can issue it again under \"Certificates\" in the app.",
		},
	}
}
