package audit

import (
	"maps"
	"slices"
	"time"

	"madoguchi.example/shared/auditlog"
)

// Purpose says why data is read or changed. Only a registered purpose may be used.
type Purpose string

// The purposes of the register.
const (
	CertificateIssuance Purpose = "certificate_issuance"
	CertificateDisplay  Purpose = "certificate_display"
	RecordCorrection    Purpose = "record_correction" // what was asked to be corrected, and corrections
	NoticeDelivery      Purpose = "notice_delivery"
	NoticeWriting       Purpose = "notice_writing"
	EligibilityAnswer   Purpose = "eligibility_answer"
	Account             Purpose = "account" // sign-in, devices
	Import              Purpose = "import"
	Self                Purpose = "self" // a person's own reading in the app
	TerminalOperation   Purpose = "terminal_operation"
	AuditReview         Purpose = "audit_review"
	BenefitDecision     Purpose = "benefit_decision" // runs, decisions, refusals, lists
	ChildSupport        Purpose = "child_support"    // items, indicators, cases, offers
	Protection          Purpose = "protection"       // who must not be contacted, and what was withheld
	SigningKeys         Purpose = "signing_keys"     // making, following and withdrawing the keys of certificates
	Restoration         Purpose = "restoration"      // backups, restorations, and what is looked at after one
)

// Rule is one line of the register: what the purpose is called and who may learn of it.
type Rule struct {
	Visibility auditlog.Visibility
	// After is how long an entry of class VisibleLater stays withheld.
	After time.Duration
	// Names by language: "ja", "ja-easy", "en". All three are present.
	Names map[string]string
}

// Purposes is a purpose register. Treat it as constant once a Log uses it.
type Purposes map[Purpose]Rule

// Register gives the register of this product. The caller owns the copy.
func Register() Purposes {
	return Purposes{
		CertificateIssuance: atOnce("証明書の発行", "しょうめいしょを つくる", "Issuing a certificate"),
		CertificateDisplay:  atOnce("証明書の表示", "しょうめいしょを みる", "Showing a certificate"),
		RecordCorrection:    atOnce("接種記録の訂正", "せっしゅの きろくを なおす", "Correcting a vaccination record"),
		NoticeDelivery:      atOnce("お知らせの配信", "おしらせを とどける", "Delivering a notice"),
		NoticeWriting:       atOnce("お知らせの作成", "おしらせを つくる", "Writing a notice"),
		EligibilityAnswer:   atOnce("健康保険の資格確認", "ほけんを かくにんする", "Checking health insurance"),
		Account:             atOnce("サインインと端末の管理", "サインインと スマホの かんり", "Sign-in and devices"),
		Import:              atOnce("台帳からの取り込み", "やくしょの きろくを いれる", "Importing register data"),
		Self:                atOnce("ご本人による閲覧", "じぶんで みた", "Read by yourself"),
		TerminalOperation:   atOnce("窓口端末の運用", "まどぐちの きかいの かんり", "Running a terminal"),
		AuditReview:         atOnce("利用記録の点検", "つかった きろくの てんけん", "Reviewing the access record"),
		BenefitDecision:     atOnce("給付の決定", "お金の きゅうふを きめる", "Deciding a benefit"),
		ChildSupport:        never("こども支援", "子どもを たすける しごと", "Child support"),
		SigningKeys:         atOnce("証明書の署名鍵の管理", "しょうめいしょの かぎの かんり", "Keeping the keys of certificates"),
		Restoration:         atOnce("記録の復元と照合", "きろくを もどして たしかめる", "Restoring and checking the records"),
		Protection:          never("支援措置の対応", "ひとを まもる しごと", "Protective measures"),
	}
}

func atOnce(ja, easy, en string) Rule {
	return Rule{Visibility: auditlog.VisibleAtOnce, Names: map[string]string{"ja": ja, "ja-easy": easy, "en": en}}
}

// never withholds entries from the person's own screen: that an officer looked would tell
// what they looked for. Auditors see them.
func never(ja, easy, en string) Rule {
	r := atOnce(ja, easy, en)
	r.Visibility = auditlog.VisibleNever
	return r
}

// Keys lists the purposes in order.
func (p Purposes) Keys() []Purpose { return slices.Sorted(maps.Keys(p)) }
