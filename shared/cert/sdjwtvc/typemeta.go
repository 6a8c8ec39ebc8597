package sdjwtvc

import (
	"encoding/json"
	"fmt"
)

// Metadata of a credential type (SD-JWT VC section "Type Metadata Format").
type (
	typeMetadata struct {
		VCT         string        `json:"vct"`
		Name        string        `json:"name"`
		Description string        `json:"description"`
		Display     []typeDisplay `json:"display"`
		Claims      []typeClaim   `json:"claims"`
	}
	typeDisplay struct {
		Locale      string `json:"locale"`
		Name        string `json:"name"`
		Description string `json:"description"`
	}
	typeClaim struct {
		Path      []any          `json:"path"`
		Display   []claimDisplay `json:"display"`
		Mandatory bool           `json:"mandatory,omitempty"`
		SD        string         `json:"sd"`
	}
	claimDisplay struct {
		Locale string `json:"locale"`
		Label  string `json:"label"`
	}
)

// Claim is one claim of our type, for the documents that describe it to wallets.
type Claim struct {
	Path      []any // names; nil stands for every entry of an array
	Ja, En    string
	Mandatory bool // always in the credential, shown or withheld
	Hideable  bool // may be shown or withheld on its own
}

// Claims lists the claims of our type that a person sees, in the order of display.
func Claims() []Claim {
	dose := func(name, ja, en string, mandatory bool) Claim {
		return Claim{[]any{claimDoses, nil, name}, ja, en, mandatory, false}
	}
	return []Claim{
		{[]any{claimFamily}, "姓", "Family name", false, true},
		{[]any{claimGiven}, "名", "Given name", false, true},
		{[]any{claimFamily + scriptKanji}, "姓（漢字）", "Family name (kanji)", false, true},
		{[]any{claimGiven + scriptKanji}, "名（漢字）", "Given name (kanji)", false, true},
		{[]any{claimFamily + scriptKana}, "姓（カナ）", "Family name (kana)", false, true},
		{[]any{claimGiven + scriptKana}, "名（カナ）", "Given name (kana)", false, true},
		{[]any{claimBirth}, "生年月日", "Date of birth", true, true},
		{[]any{claimSex}, "性別", "Sex", false, true},
		{[]any{claimDocument}, "旅券番号", "Passport number", false, true},
		{[]any{claimID}, "証明書番号", "Certificate number", false, true},
		{[]any{claimDoses}, "接種記録", "Vaccinations", true, false},
		{[]any{claimDoses, nil}, "接種", "Vaccination", true, true},
		dose("number", "回数", "Dose number", true),
		dose("of", "全回数", "Doses in the series", false),
		dose("date", "接種年月日", "Date of vaccination", true),
		dose("code", "ワクチンのコード", "Vaccine code", true),
		dose("code_system", "コード体系", "Code system", false),
		dose("disease", "対象疾病", "Disease", false),
		dose("product", "ワクチンの名称", "Vaccine product", false),
		dose("manufacturer", "製造者", "Manufacturer", false),
		dose("lot", "製造番号", "Lot number", false),
		dose("performer", "接種の実施者", "Administered by", false),
		dose("country", "接種国", "Country of vaccination", false),
	}
}

// TypeMetadata gives the document to publish at vct.
func TypeMetadata(vct string) ([]byte, error) {
	doc := typeMetadata{
		VCT: vct, Name: "Vaccination certificate",
		Description: "Vaccinations of one person as a Japanese municipality has them on record.",
		Display: []typeDisplay{
			{"ja", "予防接種証明書", "市区町村の記録にある予防接種を証明します。"},
			{"en", "Vaccination certificate", "Certifies vaccinations that a Japanese municipality has on record."},
		},
	}
	for _, c := range Claims() {
		sd := "never"
		if c.Hideable {
			sd = "always"
		}
		doc.Claims = append(doc.Claims, typeClaim{c.Path, []claimDisplay{{"ja", c.Ja}, {"en", c.En}}, c.Mandatory, sd})
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("cannot write the type's metadata: %w", err)
	}
	return text, nil
}
