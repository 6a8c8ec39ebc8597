package oqs

import (
	"maps"
	"strings"

	"madoguchi.example/shared/eligibility"
)

const rootName = "XmlMsg"

// consentParts are the elements' beginnings of each consent, the one in use first.
var consentParts = []struct {
	kind  eligibility.ConsentKind
	names []string
}{
	{eligibility.ConsentDrugs, []string{"PharmacistsInfo", "PharmaceuticalInfo"}},
	{eligibility.ConsentDiagnosis, []string{"DiagnosisInfo"}},
	{eligibility.ConsentOperation, []string{"OperationInfo"}},
	{eligibility.ConsentCheckups, []string{"SpecificHealthCheckupsInfo"}},
	{eligibility.ConsentCeiling, []string{"LimitApplicationCertificateRelated"}},
	{eligibility.ConsentDiseases, []string{"SpecificDiseasesCertificateRelated"}},
}

// containers are the elements that hold elements.
var containers = set(`XmlMsg MessageHeader MessageBody BulkConfirmUnit ResultList ResultOfQualificationConfirmation
	QualificationConfirmSearchInfo ElderlyRecipientCertificateInfo LimitApplicationCertificateRelatedInfo
	SpecificDiseasesCertificateList SpecificDiseasesCertificateInfo PublicExpenseResultList MedicalTicketInfo`)

// repeats are the elements that may stand more than once in one place.
var repeats = set(`BulkConfirmUnit ResultOfQualificationConfirmation SpecificDiseasesCertificateInfo
	MedicalTicketInfo QualificationConfirmSearchInfo`)

// onceInHeader stand at most once in a document of any kind, onceInSingle in one of a
// single person, wherever they stand.
var (
	onceInHeader = set(`MessageHeader MessageBody ProcessExecutionTime QualificationConfirmationDate MedicalInstitutionCode
		ArbitraryFileIdentifier ReferenceClassification SegmentOfResult CharacterCodeIdentifier ReceptionNumber`)
	onceInSingle = both(onceInHeader, set(`ProcessingResultStatus ProcessingResultCode QualificationValidity ResultList
		QualificationConfirmSearchInfo PrescriptionIssueSelect`))
)

// leaves are the elements that hold text: those that are read, and those that are known
// and not needed.
var leaves = both(set(`ProcessExecutionTime QualificationConfirmationDate MedicalInstitutionCode ArbitraryFileIdentifier
	ReferenceClassification SegmentOfResult ErrorCode ErrorMessage CharacterCodeIdentifier ReceptionNumber
	NumberOfProcessingResult NumberOfNormalProcessing NumberOfError ReceptionDateTime
	PrescriptionIssueSelect ProcessingResultStatus ProcessingResultCode ProcessingResultMessage QualificationValidity
	ReferenceNumber ArbitraryIdentifier
	InsuredCardClassification InsurerNumber InsuredCardSymbol InsuredIdentificationNumber InsuredBranchNumber
	PersonalFamilyClassification InsuredName Name NameOfOther NameKana NameOfOtherKana Sex1 Sex2 Birthdate Address PostNumber
	QualificationDate DisqualificationDate InsuredCertificateIssuanceDate InsuredCardValidDate InsuredCardExpirationDate
	InsuredPartialContributionRatio PreschoolClassification ReasonOfLoss InsurerName
	ElderlyRecipientCertificateDate ElderlyRecipientValidStartDate ElderlyRecipientValidEndDate ElderlyRecipientContributionRatio
	LimitApplicationCertificateClassification LimitApplicationCertificateClassificationFlag LimitApplicationCertificateDate
	LimitApplicationCertificateValidStartDate LimitApplicationCertificateValidEndDate LimitApplicationCertificateLongTermDate
	LimitApplicationCertificateChanged
	SpecificDiseasesDiseaseCategory SpecificDiseasesCertificateDate SpecificDiseasesValidStartDate SpecificDiseasesValidEndDate
	SpecificDiseasesSelfPay
	TicketType MedicalTicketValidDate MedicalTicketExpirationDate IssueNumber MedicalTreatmentMonth
	DesignatedMedicalInstitutionCode DesignatedMedicalInstitutionFlag DesignatedMedicalInstitutionName
	PrescriptionIssuerMedicalInstitutionCode PrescriptionIssuerMedicalInstitutionName InjuryName1 InjuryName2 InjuryName3
	MedicalTreatmentType SelfPayAmount DistrictContactName HandlingContactName SingleOrCombinedUse StatusOfSocialInsurance
	ConsistencyFlag StatusOfInfecton StatusOfInfection StatusOfElderlyMedicalCare StatusOfPrefecturalExpenses
	Remarks1 Remarks2 Remarks3`), consentLeaves())

func consentLeaves() map[string]bool {
	all := map[string]bool{}
	for _, c := range consentParts {
		for _, name := range c.names {
			for _, end := range []string{"ConsFlg", "ConsTime", "AvailableTime", "AcquisitionTime"} {
				all[name+end] = true
			}
		}
	}
	return all
}

func set(words string) map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields(words) {
		all[w] = true
	}
	return all
}

func both(a, b map[string]bool) map[string]bool {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
