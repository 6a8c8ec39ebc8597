package correction

import "madoguchi.example/shared/notice"

// answerTexts bring the officer's words to whoever asked. They stay in the language in
// which they were written.
func answerTexts(r Request) map[notice.Language]notice.Text {
	words := "\n\n" + r.Answer + "\n\n"
	if r.State == Corrected {
		return map[notice.Language]notice.Text{
			notice.Japanese: {
				Title: "接種記録を訂正しました",
				Body:  "ご依頼（受付番号 " + r.Reference + "）を確認し、接種記録を訂正しました。" + words + "アプリの「証明書」から、新しい記録で発行しなおすことができます。",
			},
			notice.EasyJapanese: {
				Title: "ちゅうしゃの きろくを なおしました",
				Body:  "うけつけばんごう " + r.Reference + "\nやくしょが、ちゅうしゃの きろくを なおしました。" + words + "アプリの「しょうめいしょ」で、もういちど つくって ください。",
			},
			notice.English: {
				Title: "Your vaccination record was corrected",
				Body:  "The office looked into your request (reference " + r.Reference + ") and corrected the record. The office writes:" + words + "You can issue the certificate again under \"Certificates\" in the app.",
			},
		}
	}
	return map[notice.Language]notice.Text{
		notice.Japanese: {
			Title: "接種記録の訂正についての回答",
			Body:  "ご依頼（受付番号 " + r.Reference + "）を確認しましたが、訂正するところはありませんでした。" + words + "納得できないときは、受付番号を窓口に伝えてください。",
		},
		notice.EasyJapanese: {
			Title: "きろくの なおしについて",
			Body:  "うけつけばんごう " + r.Reference + "\nやくしょが しらべました。なおすところは ありませんでした。" + words + "わからないときは、まどぐちに ばんごうを いって ください。",
		},
		notice.English: {
			Title: "Answer to your request for a correction",
			Body:  "The office looked into your request (reference " + r.Reference + ") and found nothing to correct. The office writes:" + words + "If you do not agree, please tell the counter the reference.",
		},
	}
}
