package rule_test

import (
	"strconv"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
)

func (x *hand) sayUnderThree(k *handChild) benefit.Words {
	if !x.texts {
		return benefit.Words{}
	}
	return benefit.Words{JA: k.said.JA + "生まれの子は3歳未満です（3歳になった月まで）。" + x.month.JA + "分は15,000円です。",
		JAEasy: k.said.JAEasy + "に うまれた 子どもは 3さいに なって いません（3さいに なる 月まで）。" + x.month.JAEasy + "の お金は 15,000円です。",
		EN:     "The child born on " + k.said.EN + " is under three (to the month of the third birthday): 15,000 yen for " + x.month.EN + "."}
}

func (x *hand) sayThirdBefore(k *handChild) benefit.Words {
	if !x.texts {
		return benefit.Words{}
	}
	n := strconv.FormatInt(k.rank, 10)
	return benefit.Words{JA: k.said.JA + "生まれの子は小学校修了前の第" + n + "子です。" + x.month.JA + "分は15,000円です。",
		JAEasy: k.said.JAEasy + "に うまれた 子どもは 小学校を おわる 前で、" + n + "ばん目の 子どもです。" + x.month.JAEasy + "の お金は 15,000円です。",
		EN: "The child born on " + k.said.EN + " is number " + n + " in the family and not past primary school: 15,000 yen for " +
			x.month.EN + "."}
}

func (x *hand) sayThirdSince(k *handChild) benefit.Words {
	if !x.texts {
		return benefit.Words{}
	}
	n := strconv.FormatInt(k.rank, 10)
	return benefit.Words{JA: k.said.JA + "生まれの子は第" + n + "子です。第3子以降の" + x.month.JA + "分は30,000円です。",
		JAEasy: k.said.JAEasy + "に うまれた 子どもは " + n + "ばん目の 子どもです。3ばん目からの " + x.month.JAEasy + "の お金は 30,000円です。",
		EN:     "The child born on " + k.said.EN + " is number " + n + " in the family. From the third child on it is 30,000 yen for " + x.month.EN + "."}
}

func (x *hand) sayBasic(k *handChild) benefit.Words {
	if !x.texts {
		return benefit.Words{}
	}
	return benefit.Words{JA: k.said.JA + "生まれの子の" + x.month.JA + "分は10,000円です。",
		JAEasy: k.said.JAEasy + "に うまれた 子どもの " + x.month.JAEasy + "の お金は 10,000円です。",
		EN:     "For the child born on " + k.said.EN + " it is 10,000 yen for " + x.month.EN + "."}
}

func handMonth(m benefit.Month) benefit.Words {
	y := strconv.Itoa(m.Year)
	ja := y + "年" + strconv.Itoa(int(m.Month)) + "月"
	return benefit.Words{JA: ja, JAEasy: ja, EN: m.Month.String() + " " + y}
}

func handDay(d civil.Date) benefit.Words {
	w, day := handMonth(benefit.MonthOf(d)), strconv.Itoa(d.Day)
	return benefit.Words{JA: w.JA + day + "日", JAEasy: w.JA + day + "日", EN: day + " " + w.EN}
}

func handYen(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
