package rehearsal

import (
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/oqs"
)

// patient is one invented person of the practice desk, with what 資格確認書 says of them and
// what the other side will answer.
type patient struct {
	Kana, Kanji                     string
	Born                            civil.Date
	Sex                             string
	Insurer, Symbol, Number, Branch string
	InsurerName                     string
	Says                            eligibility.Validity
	Share                           string // as terminals write it: 030
}

// patients are invented. Their numbers have right check digits and belong to no insurer
// that there is.
func patients() []patient {
	return []patient{
		{Kana: "れんしゅう はなこ", Kanji: "練習　花子", Born: civil.Date{Year: 1985, Month: 4, Day: 12}, Sex: "2",
			Insurer: "479907", Symbol: "練１", Number: "1001", Branch: "01", InsurerName: "練習市国民健康保険", Says: eligibility.Valid, Share: "030"},
		{Kana: "れんしゅう たろう", Kanji: "練習　太郎", Born: civil.Date{Year: 2022, Month: 8, Day: 3}, Sex: "1",
			Insurer: "479907", Symbol: "練１", Number: "1001", Branch: "02", InsurerName: "練習市国民健康保険", Says: eligibility.Valid, Share: "020"},
		{Kana: "ためし いちろう", Kanji: "試　一郎", Born: civil.Date{Year: 1990, Month: 11, Day: 30}, Sex: "1",
			Insurer: "479907", Symbol: "練２", Number: "2002", Branch: "01", InsurerName: "練習市国民健康保険", Says: eligibility.NewerCoverage, Share: "030"},
		{Kana: "ためし うめ", Kanji: "試　梅", Born: civil.Date{Year: 1946, Month: 2, Day: 9}, Sex: "2",
			Insurer: "39479985", Number: "00030031", InsurerName: "練習後期高齢者医療広域連合", Says: eligibility.Valid, Share: "010"},
		{Kana: "けいこ さくら", Kanji: "稽古　桜", Born: civil.Date{Year: 1978, Month: 7, Day: 21}, Sex: "2",
			Insurer: "479907", Symbol: "練３", Number: "3003", Branch: "01", InsurerName: "練習市国民健康保険", Says: eligibility.NoneFound},
	}
}

// coverage is what the practised terminal tells of a patient.
func (p patient) coverage() *oqs.Coverage {
	return &oqs.Coverage{
		Insurer: insurance.InsurerNumber(p.Insurer), InsurerName: p.InsurerName, Symbol: p.Symbol, Number: p.Number, Branch: p.Branch,
		Name: p.Kanji, NameKana: p.Kana, Sex: p.Sex, BirthDate: p.Born, From: civil.Date{Year: 2024, Month: 4, Day: 1}, Share: p.Share,
	}
}

// Sheet is what a learner types of one invented patient.
type Sheet struct {
	Kana, Kanji                     string
	Born                            civil.Date
	Insurer, Symbol, Number, Branch string
}

// Sheets are the invented patients, as their 資格確認書 would show them.
func Sheets() []Sheet {
	var all []Sheet
	for _, p := range patients() {
		all = append(all, Sheet{p.Kana, p.Kanji, p.Born, p.Insurer, p.Symbol, p.Number, p.Branch})
	}
	return all
}
