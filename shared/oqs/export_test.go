package oqs

// EncodePlaceholders writes a request whose fields are any text: the published skeleton has
// words in place of numbers.
func EncodePlaceholders(day, institution, identifier string, search [6]string) ([]byte, error) {
	names := Search{}.fields()
	block := make([]field, len(names))
	for i, f := range names {
		block[i] = field{f.name, search[i]}
	}
	return writer{header: []field{
		{"QualificationConfirmationDate", day}, {"MedicalInstitutionCode", institution}, {"ArbitraryFileIdentifier", identifier},
	}, blocks: [][]field{block}}.encode(UTF8)
}
