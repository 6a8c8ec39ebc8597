package oqs

import (
	"madoguchi.example/shared/eligibility"
)

func (r *reader) coverage(n *node) *Coverage {
	c := &Coverage{
		CardClass: r.text(n, "InsuredCardClassification"), InsurerName: r.text(n, "InsurerName"),
		Symbol: r.member(n, "InsuredCardSymbol"), Number: r.member(n, "InsuredIdentificationNumber"), Branch: r.branch(n),
		Family: Family(r.code(n, "PersonalFamilyClassification", map[string]string{
			"1": string(Insured), "2": string(Dependant),
		})),
		InsuredName: r.text(n, "InsuredName"), Name: r.text(n, "Name"), NameOfOther: r.text(n, "NameOfOther"),
		NameKana: r.text(n, "NameKana"), NameOfOtherKana: r.text(n, "NameOfOtherKana"),
		Sex: r.code(n, "Sex1", sexes), SexOther: r.code(n, "Sex2", sexes),
		BirthDate: r.date(n, "Birthdate"), Address: r.text(n, "Address"), PostNumber: r.text(n, "PostNumber"),
		From: r.date(n, "QualificationDate"), Lost: r.date(n, "DisqualificationDate"),
		CardIssued: r.date(n, "InsuredCertificateIssuanceDate"), CardFrom: r.date(n, "InsuredCardValidDate"),
		CardTo: r.date(n, "InsuredCardExpirationDate"),
		Share:  r.share(n, "InsuredPartialContributionRatio"), Preschool: r.text(n, "PreschoolClassification"),
		Loss: Loss(r.code(n, "ReasonOfLoss", map[string]string{
			"01": string(LossDeath), "02": string(LossWelfare), "03": string(LossOtherInsurer), "99": string(LossOther),
		})),
		Elderly: r.elderly(n), Ceiling: r.ceiling(n), Diseases: r.diseases(n), PublicExpense: r.tickets(n),
		Consents: r.consents(n),
	}
	c.Insurer, c.InsurerDoubts = r.insurer(n)
	return c
}

// sexes turns the interface's codes into ISO 5218.
var sexes = map[string]string{"1": "1", "2": "2", "3": "0"}

// share keeps a share as told and remarks one that is no percentage.
func (r *reader) share(n *node, name string) string {
	told := r.text(n, name)
	if told != "" && percent(told) == 0 {
		r.remark(n.below(name), UnknownCode)
	}
	return told
}

// percent reads the three characters of a share, 010 for one tenth; 0 for all that is no
// such share.
func percent(told string) int {
	switch told {
	case "010":
		return 10
	case "020":
		return 20
	case "030":
		return 30
	}
	return 0
}

func (r *reader) elderly(n *node) *Elderly {
	e := n.child("ElderlyRecipientCertificateInfo")
	if e == nil || len(e.children) == 0 {
		return nil
	}
	return &Elderly{
		Span: Span{
			Issued: r.date(e, "ElderlyRecipientCertificateDate"), From: r.date(e, "ElderlyRecipientValidStartDate"),
			To: r.date(e, "ElderlyRecipientValidEndDate"),
		},
		Share: r.share(e, "ElderlyRecipientContributionRatio"),
	}
}

func (r *reader) ceiling(n *node) *Ceiling {
	c := n.child("LimitApplicationCertificateRelatedInfo")
	if c == nil || len(c.children) == 0 {
		return nil
	}
	return &Ceiling{
		Span: Span{
			Issued: r.date(c, "LimitApplicationCertificateDate"), From: r.date(c, "LimitApplicationCertificateValidStartDate"),
			To: r.date(c, "LimitApplicationCertificateValidEndDate"),
		},
		Classification: r.text(c, "LimitApplicationCertificateClassification"),
		Class:          r.text(c, "LimitApplicationCertificateClassificationFlag"),
		LongTermFrom:   r.date(c, "LimitApplicationCertificateLongTermDate"),
	}
}

func (r *reader) diseases(n *node) []Disease {
	var all []Disease
	for _, d := range n.child("SpecificDiseasesCertificateList").all("SpecificDiseasesCertificateInfo") {
		if len(d.children) == 0 {
			continue
		}
		if len(all) == eligibility.MaxConsents {
			r.remark(d.place, TooLong)
			break
		}
		all = append(all, Disease{
			Span: Span{
				Issued: r.date(d, "SpecificDiseasesCertificateDate"), From: r.date(d, "SpecificDiseasesValidStartDate"),
				To: r.date(d, "SpecificDiseasesValidEndDate"),
			},
			Category: r.text(d, "SpecificDiseasesDiseaseCategory"), SelfPay: r.text(d, "SpecificDiseasesSelfPay"),
		})
	}
	return all
}

func (r *reader) tickets(n *node) []Ticket {
	var all []Ticket
	for _, t := range n.child("PublicExpenseResultList").all("MedicalTicketInfo") {
		if len(t.children) == 0 {
			continue
		}
		if len(all) == MaxResults {
			r.remark(t.place, TooLong)
			break
		}
		all = append(all, Ticket{
			Span: Span{From: r.date(t, "MedicalTicketValidDate"), To: r.date(t, "MedicalTicketExpirationDate")},
			Type: r.text(t, "TicketType"), IssueNumber: r.text(t, "IssueNumber"), Month: r.text(t, "MedicalTreatmentMonth"),
			Institution: r.text(t, "DesignatedMedicalInstitutionCode"), SelfPay: r.text(t, "SelfPayAmount"),
		})
	}
	return all
}

// consents gives the flags that were told. 2 says that a given consent is over.
func (r *reader) consents(n *node) []eligibility.Consent {
	var all []eligibility.Consent
	for _, part := range consentParts {
		for _, name := range part.names {
			flag := r.text(n, name+"ConsFlg")
			if flag == "" {
				continue
			}
			if flag != "0" && flag != "1" && flag != "2" {
				r.remark(n.below(name+"ConsFlg"), UnknownCode)
			}
			all = append(all, eligibility.Consent{
				Kind: part.kind, Given: flag == "1", At: r.time(n, name+"ConsTime"), Until: r.time(n, name+"AvailableTime"),
			})
			break
		}
	}
	return all
}
