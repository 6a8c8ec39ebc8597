package fhirpayer

import (
	"strings"
	"time"

	"madoguchi.example/deploy/practice/coverage"
)

// Error codes of this insurer's own; a client is configured to know the first two.
const (
	CodeNone    = "member-not-found"
	CodeSeveral = "members-ambiguous"
)

// japan is +09:00.
var japan = time.FixedZone("JST", 9*60*60)

// response answers from the register, in the ways of the behaviour.
func (s *Server) response(q question, b Behaviour, queued bool) object {
	day := q.day
	if b.Broken == "other_day" {
		day = "2000-01-01"
	}
	doc := object{
		"resourceType": "CoverageEligibilityResponse", "status": "active", "purpose": []string{"validation", "benefits"},
		"patient": object{"reference": "#patient"}, "servicedDate": day, "created": s.Now().In(japan).Format(time.RFC3339),
		"request": object{"identifier": object{"system": systemURI, "value": q.identifier}},
		"insurer": object{"identifier": object{"system": systemInsurer, "value": q.insurer}},
	}
	patient := object{"resourceType": "Patient", "id": "patient", "birthDate": q.birth}
	doc["contained"] = []object{patient}
	switch {
	case queued:
		doc["outcome"], doc["disposition"] = "queued", "受け付けました。後で回答します。"
		return doc
	case b.Error != "":
		failed(doc, b.Error)
		return doc
	}
	word, about := s.Register.Find(coverage.Question{
		Insurer: q.insurer, Symbol: q.symbol, Number: q.number, Branch: q.branch, Birth: q.birth, Day: q.day,
	})
	switch word {
	case coverage.None:
		failed(doc, CodeNone)
	case coverage.Several:
		failed(doc, CodeSeveral)
	default:
		s.decided(doc, patient, q, word, about, b)
	}
	return doc
}

func failed(doc object, code string) {
	doc["outcome"] = "error"
	doc["error"] = []object{{"code": object{"coding": []object{{"system": "urn:madoguchi:practice:payer-error", "code": code}}}}}
}

func (s *Server) decided(doc, patient object, q question, word coverage.Word, about *coverage.Coverage, b Behaviour) {
	doc["outcome"] = "complete"
	if b.Partial {
		doc["outcome"] = "partial"
	}
	one := object{"coverage": object{"reference": "#told"}, "benefitPeriod": period(about)}
	if b.Broken != "no_inforce" {
		one["inforce"] = word == coverage.Valid
	}
	doc["contained"] = []object{patient, {
		"resourceType": "Coverage", "id": "told", "status": "active",
		"identifier":  []object{{"system": systemMember, "value": q.member}},
		"beneficiary": object{"reference": "#patient"}, "period": period(about),
		"payor": []object{{"display": about.InsurerName}},
	}}
	all := []object{one}
	switch word {
	case coverage.Valid:
		doc["disposition"] = "資格は有効です。"
		p := about.Holder()
		patient["name"] = []object{name(p.FamilyKanji, p.GivenKanji, "IDE"), name(p.FamilyKana, p.GivenKana, "SYL")}
		one["item"] = []object{{
			"category": object{"coding": []object{{"system": "http://terminology.hl7.org/CodeSystem/ex-benefitcategory", "code": "30"}}},
			"benefit":  []object{{"type": object{"coding": []object{{"code": "copay-percent"}}}, "allowedUnsignedInt": about.Percent}},
		}}
	case coverage.Newer:
		doc["disposition"] = "資格は無効です。新しい資格があります。"
		all = append(all, object{"coverage": object{"display": "新しい資格"}, "inforce": true})
	default:
		doc["disposition"] = "資格は無効です。"
	}
	doc["insurance"] = all
}

func period(c *coverage.Coverage) object {
	p := object{"start": c.From}
	if c.To != "" {
		p["end"] = c.To
	}
	return p
}

func name(family, given, script string) object {
	return object{
		"extension": []object{{"url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation", "valueCode": script}},
		"text":      strings.TrimSpace(family + " " + given), "family": family, "given": []string{given},
	}
}
