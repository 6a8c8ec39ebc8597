package app

import (
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/shared/notice"
)

// outcomes are the names of how a case ends.
var outcomes = map[childsupport.Outcome]office.Texts{
	childsupport.NoAction:   words("対応の必要なし", "なにも しなくて よい", "Nothing to do"),
	childsupport.NotAsSaid:  words("データが誤り、または古かった", "データが まちがって いた／古かった", "The data was wrong or too old"),
	childsupport.Started:    words("支援が始まった", "たすけが はじまった", "The support began"),
	childsupport.Refused:    words("ご家族が断った", "家族が ことわった", "The family said no"),
	childsupport.InPerson:   words("案内を送らず、人が直接対応した", "おくらないで、人が 会って たすけた", "People helped without an offer"),
	childsupport.NotReached: words("返事がなかった", "へんじが なかった", "No answer came"),
}

// caseWord names cases among what is erased.
var caseWord = words("こども支援の記録", "子どもを たすけた きろく", "Cases of child support")

func words(ja, easy, en string) office.Texts {
	return office.Texts{notice.Japanese: ja, notice.EasyJapanese: easy, notice.English: en}
}
