package insurance

import "madoguchi.example/shared/jptext"

// Kind is the scheme that an insurer belongs to, by 法別番号. Faces have words for each.
type Kind string

// The kinds (reference insurance-terminal.md section 2).
const (
	NationalHealth  Kind = "national_health"  // 国民健康保険: 6 digits
	Kyokai          Kind = "kyokai"           // 01 全国健康保険協会
	Seamen          Kind = "seamen"           // 02 船員保険
	DayLabourer     Kind = "day_labourer"     // 03, 04 日雇
	Society         Kind = "society"          // 06 組合管掌
	SelfDefence     Kind = "self_defence"     // 07 自衛官等
	MutualAid       Kind = "mutual_aid"       // 31 to 34 共済組合
	LateStage       Kind = "late_stage"       // 39 後期高齢者医療
	SpecialRetired  Kind = "special_retired"  // 63, 72 to 75 特例退職
	NationalRetired Kind = "national_retired" // 67 退職者国保, historic
	OtherKind       Kind = "other"            // not in the table
)

// Kind tells the scheme by the number alone.
func (n InsurerNumber) Kind() Kind {
	if len(n) == 6 {
		return NationalHealth
	}
	if len(n) != 8 {
		return OtherKind
	}
	switch n[:2] {
	case "01":
		return Kyokai
	case "02":
		return Seamen
	case "03", "04":
		return DayLabourer
	case "06":
		return Society
	case "07":
		return SelfDefence
	case "31", "32", "33", "34":
		return MutualAid
	case "39":
		return LateStage
	case "63", "72", "73", "74", "75":
		return SpecialRetired
	case "67":
		return NationalRetired
	}
	return OtherKind
}

// CheckMember tells what is unusual for the insurer's scheme. It never refuses.
func CheckMember(insurer InsurerNumber, symbol Symbol, number MemberNumber, branch Branch) []Doubt {
	var doubts []Doubt
	bare := jptext.Bare(string(symbol))
	switch insurer.Kind() {
	case LateStage: // 8 digits with their own check digit, neither symbol nor branch
		if symbol != "" {
			doubts = append(doubts, DoubtSymbol)
		}
		if len(number) != 8 || !CheckDigitHolds(string(number)) {
			doubts = append(doubts, DoubtMemberNumber)
		}
		if branch != "" {
			doubts = append(doubts, DoubtBranch)
		}
	case Kyokai: // claims error 3148
		if len(bare) < 7 || len(bare) > 8 || !jptext.IsDigits(bare) {
			doubts = append(doubts, DoubtSymbol)
		}
	case Society: // claims error 3177; one insurer is excepted
		if bare != "" && !jptext.IsDigits(bare) && insurer != "06110829" {
			doubts = append(doubts, DoubtSymbol)
		}
	}
	return doubts
}

// PointTable is 点数表, the fee schedule that an institution bills by: the third digit of
// its code.
type PointTable string

// The tables (reference insurance-terminal.md section 2).
const (
	Medical    PointTable = "medical"  // 1 医科
	Dental     PointTable = "dental"   // 3 歯科
	Pharmacy   PointTable = "pharmacy" // 4 調剤
	HomeNurse  PointTable = "nursing"  // 6 訪問看護
	OtherTable PointTable = "other"    // not in the table
)

// PointTable tells the fee schedule by the code alone.
func (c InstitutionCode) PointTable() PointTable {
	if len(c) != 10 {
		return OtherTable
	}
	switch c[2] {
	case '1':
		return Medical
	case '3':
		return Dental
	case '4':
		return Pharmacy
	case '6':
		return HomeNurse
	}
	return OtherTable
}
