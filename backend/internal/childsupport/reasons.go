package childsupport

import (
	"fmt"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/notice"
)

// texts makes one text of whole sentences in three languages.
func texts(ja, easy, en string) Texts {
	return Texts{notice.Japanese: ja, notice.EasyJapanese: easy, notice.English: en}
}

func dayJA(d civil.Date) string { return fmt.Sprintf("%d年%d月%d日", d.Year, d.Month, d.Day) }

func dayEN(d civil.Date) string { return fmt.Sprintf("%d %s %d", d.Day, d.Month, d.Year) }

// checkupNames are the check-ups in words.
var checkupNames = map[string]Texts{
	"m4":  texts("4か月児健診", "4か月の 健診（けんしん）", "the check-up at 4 months"),
	"m18": texts("1歳6か月児健診", "1歳6か月の 健診（けんしん）", "the check-up at 18 months"),
	"y3":  texts("3歳児健診", "3歳の 健診（けんしん）", "the check-up at age 3"),
}

var placeNames = map[string]Texts{
	licensed:     texts("認可保育所等", "認可（にんか）の 園（えん）", "a licensed facility"),
	kindergarten: texts("幼稚園", "幼稚園（ようちえん）", "a kindergarten"),
	unlicensed:   texts("認可外保育施設", "認可外（にんかがい）の 園（えん）", "an unlicensed facility"),
}

// say puts a fact into words, each language a whole sentence of its own.
func say(f fact) Texts {
	switch f.Name {
	case itemPlace:
		return sayPlace(f)
	case itemRecognition:
		if f.word == "yes" {
			return texts("施設等利用給付認定を受けています。", "給付（きゅうふ）の 認定（にんてい）を うけています。", "The child is recognised for the grant for use of facilities.")
		}
		return texts("施設等利用給付認定を受けていません。", "給付（きゅうふ）の 認定（にんてい）を うけていません。", "The child is not recognised for the grant for use of facilities.")
	case itemAttendance:
		if f.day.IsZero() {
			return texts("登園した記録がありません。", "園（えん）へ 行った きろくが ありません。", "There is no record of attendance at childcare.")
		}
		return texts("最後に登園したのは"+dayJA(f.day)+"です。", "さいごに 園（えん）へ 行ったのは "+dayJA(f.day)+"です。", "The last day of attendance at childcare was "+dayEN(f.day)+".")
	case itemResult:
		return sayResult(f)
	}
	return sayContact(f)
}

func sayPlace(f fact) Texts {
	p, ok := placeNames[f.word]
	if !ok || f.day.IsZero() {
		return texts("利用している施設の記録がありません。", "つかっている 園（えん）の きろくが ありません。", "There is no record of a facility in use.")
	}
	return texts(dayJA(f.day)+"から"+p[notice.Japanese]+"を利用しています。",
		dayJA(f.day)+"から "+p[notice.EasyJapanese]+"を つかっています。",
		"The child has used "+p[notice.English]+" since "+dayEN(f.day)+".")
}

func sayResult(f fact) Texts {
	c := checkupNames[f.Part]
	ja, easy, en := c[notice.Japanese], c[notice.EasyJapanese], c[notice.English]
	switch f.word {
	case missed:
		return texts(ja+"（予定日 "+dayJA(f.day)+"）を受けていません。", easy+"（"+dayJA(f.day)+"）を うけていません。",
			"Due on "+dayEN(f.day)+", "+en+" did not take place.")
	case excused:
		return texts(ja+"（予定日 "+dayJA(f.day)+"）は届出により見送られました。", easy+"（"+dayJA(f.day)+"）は わけが あって うけませんでした。",
			"Due on "+dayEN(f.day)+", "+en+" was excused.")
	}
	return texts(ja+"（予定日 "+dayJA(f.day)+"）を受けました。", easy+"（"+dayJA(f.day)+"）を うけました。",
		"Due on "+dayEN(f.day)+", "+en+" took place.")
}

func sayContact(f fact) Texts {
	c := checkupNames[f.Part]
	ja, easy, en := c[notice.Japanese], c[notice.EasyJapanese], c[notice.English]
	if f.day.IsZero() {
		return texts(ja+"について、保健課が連絡できた記録がありません。", easy+"の ことで、保健課（ほけんか）が 話せた きろくが ありません。",
			"For "+en+", there is no record of contact by the health section.")
	}
	return texts(ja+"について、保健課が最後に連絡できたのは"+dayJA(f.day)+"です。", easy+"の ことで、保健課（ほけんか）が さいごに 話せたのは "+dayJA(f.day)+"です。",
		"For "+en+", the last contact by the health section was on "+dayEN(f.day)+".")
}

// gone says that an item is there no longer.
func gone(rule ItemRule) Texts {
	return texts(rule.Name[notice.Japanese]+"：保存期間が終わり、消去されました。",
		rule.Name[notice.EasyJapanese]+"：とっておく 日が おわって、けしました。",
		"Expired and erased: "+rule.Name[notice.English]+".")
}

// reasons puts what a flag rests on into words: what is known now of each item, or that it
// is gone.
func (r *Register) reasons(refs []Ref, known facts) []Reason {
	out := make([]Reason, 0, len(refs))
	for _, ref := range refs {
		rule, _ := r.Item(ref.Item)
		source, _ := r.Source(ref.Source)
		one := Reason{Item: ref.Item, Source: source.Name, Ground: rule.Ground, AsOf: ref.AsOf}
		if f, ok := known.get(ref.Item, ref.Part); ok {
			one.Text, one.AsOf, one.Until = say(f), f.AsOf, f.ExpiresOn
		} else {
			one.Text, one.Expired = gone(rule), true
		}
		out = append(out, one)
	}
	return out
}
