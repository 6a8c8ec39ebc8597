package population

import "time"

// Staff subjects, which are also the subs at the practice provider.
const (
	SubMinatoClerk      = "s-minato-clerk"
	SubMinatoApprover   = "s-minato-approver"
	SubMinatoManager    = "s-minato-manager"
	SubMinatoClerk2     = "s-minato-clerk-2"
	SubMinatoApprover2  = "s-minato-approver-2"
	SubMinatoApprover3  = "s-minato-approver-3"
	SubMinatoChild      = "s-minato-child"
	SubMinatoChildChief = "s-minato-child-chief"
	SubMinatoChildBoth  = "s-minato-child-both"
	SubMinatoProtector  = "s-minato-protector"
	SubYamanobeClerk    = "s-yamanobe-clerk"
	SubYamanobeApprover = "s-yamanobe-approver"
	SubYamanobeManager  = "s-yamanobe-manager"
)

// Office references, for madoguchi-backend terminal code --office.
const (
	OfficeMinatoClinic     = "minato-clinic"
	OfficeMinatoInsurer    = "minato-kokuho"
	OfficeMinatoCounter    = "minato-counter"
	OfficeMinatoShelter    = "minato-shelter"
	OfficeYamanobeClinic   = "yamanobe-clinic"
	OfficeYamanobeInsurer  = "yamanobe-kokuho"
	OfficeYamanobeCounter  = "yamanobe-counter"
	OfficeYamanobeShelter  = "yamanobe-shelter"
	institutionPayloadBase = "471999" // prefecture 47, medical, a district that does not exist
)

// places writes municipalities, offices and staff.
func (t *Town) places() {
	minato, yamanobe := t.municipalities[0], t.municipalities[1]
	t.row("municipalities.csv", minato.code, minato.name, minato.easy, minato.latin,
		"市民課 住民記録窓口", "市役所 本庁舎 1階 3番", "000-0000-0101", "平日 8:30-17:15")
	t.row("municipalities.csv", yamanobe.code, yamanobe.name, yamanobe.easy, yamanobe.latin,
		"住民課 戸籍住民窓口", "町役場 1階 1番", "000-0000-0201", "平日 8:30-17:15（木曜は19:00まで）")
	for i, m := range t.municipalities {
		clinic := []string{"汐見内科クリニック", "やまのべ町立診療所"}[i]
		t.row("offices.csv", m.key+"-clinic", m.code, "clinic", clinic,
			withInsuranceCheck(institutionPayloadBase+numbered("", 3, i+1)))
		t.row("offices.csv", m.key+"-kokuho", m.code, "insurer_counter", m.name+" 国保年金課", "")
		t.row("offices.csv", m.key+"-counter", m.code, "counter", m.name+" 総合窓口", "")
		t.row("offices.csv", m.key+"-shelter", m.code, "shelter", m.name+" 避難所（小学校体育館）", "")
	}
	for _, s := range t.staff() {
		t.row("staff.csv", s.sub, s.name, s.town.code, s.roles)
		t.signIns = append(t.signIns, signIn{sub: s.sub, label: s.town.name + " 職員（" + s.words + "）", staff: true,
			name: s.name, address: "架空県" + s.town.name + "官舎" + s.house, born: s.born, sex: s.sex})
	}
}

type officer struct {
	sub, name, roles, words, house string
	town                           *municipality
	born                           time.Time
	sex                            sex
}

func (t *Town) staff() []officer {
	a, b := t.municipalities[0], t.municipalities[1]
	born := func(year int) time.Time { return time.Date(year, time.April, year%28+1, 0, 0, 0, 0, time.UTC) }
	return []officer{
		{SubMinatoClerk, "窓口 文香", "clerk", "起案", "1号", a, born(1988), female},
		{SubMinatoApprover, "決裁 正敏", "approver;clerk", "決裁・起案", "2号", a, born(1974), male},
		{SubMinatoManager, "端末 守", "terminal_manager;auditor", "端末管理・監査", "3号", a, born(1981), male},
		{SubMinatoClerk2, "起草 直", "clerk", "起案・2人目", "4号", a, born(1990), male},
		{SubMinatoApprover2, "審査 律子", "approver", "決裁", "5号", a, born(1971), female},
		{SubMinatoApprover3, "代決 修", "approver", "決裁・代決", "6号", a, born(1976), male},
		{SubMinatoChild, "子安 みのり", "child_officer", "こども支援・評価", "7号", a, born(1985), female},
		{SubMinatoChildChief, "見守 宏", "child_approver", "こども支援・決裁", "8号", a, born(1968), male},
		{SubMinatoChildBoth, "兼務 渚", "child_officer;child_approver", "こども支援・評価と決裁", "9号", a, born(1979), female},
		{SubMinatoProtector, "庇護 和", "protector", "支援措置の担当", "10号", a, born(1977), female},
		{SubYamanobeClerk, "山辺 千夏", "clerk", "起案", "1号", b, born(1992), female},
		{SubYamanobeApprover, "谷川 巌", "approver", "決裁", "2号", b, born(1969), male},
		{SubYamanobeManager, "沢 昭子", "terminal_manager;auditor", "端末管理・監査", "3号", b, born(1979), female},
	}
}
