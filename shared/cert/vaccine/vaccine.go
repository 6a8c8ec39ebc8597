// Package vaccine promises one table of vaccines: for each code that our records hold
// (CVX), what every certificate format writes for it. A product without a code in some
// list has an empty string there: a format that needs one refuses, no code is invented.
//
// Sources: CVX and MVX code lists (CDC), ICD-11 for vaccines and diseases (WHO), value sets
// of the EU Digital COVID Certificate (eHealth Network), SNOMED CT disorders.
package vaccine

// Product is one vaccine as records name it.
type Product struct {
	CVX  string // code of the CVX list, as it is written there ("03")
	Name string // brand or, where the code stands for several brands, the generic name; Latin script

	// Manufacturer is the MVX code where the CVX code has one maker alone.
	Manufacturer string

	// ICD11Vaccine is the extension code of the vaccine's kind.
	ICD11Vaccine string

	// ICD11Disease and DiseaseSNOMED name what it protects from. Both are empty for a
	// vaccine against several diseases, which no single code names; ICD11Disease also where
	// ICD-11 has no one category for the disease.
	ICD11Disease  string
	DiseaseSNOMED string

	// The three codes of an EU certificate: vp, mp and ma. All are set or none is.
	EUVaccine string
	EUProduct string
	EUHolder  string

	// Series is the number of doses of the first series; 0 where it depends on age or year.
	Series int

	Names Names
}

// Names is a product's name for people.
type Names struct {
	Ja string
	En string
}

var byCVX = func() map[string]int {
	out := make(map[string]int, len(table))
	for i, p := range table {
		out[p.CVX] = i
	}
	return out
}()

// ByCVX gives the product with this code of the CVX list.
func ByCVX(code string) (Product, bool) {
	i, ok := byCVX[code]
	if !ok {
		return Product{}, false
	}
	return table[i], true
}

// ByEU gives the product for a medicinal product (mp) of the EU value sets. Several CVX
// codes (strengths, adapted strains) share one mp; it is then the first that was approved.
func ByEU(mp string) (Product, bool) {
	if mp == "" {
		return Product{}, false
	}
	for _, p := range table {
		if p.EUProduct == mp {
			return p, true
		}
	}
	return Product{}, false
}

// All gives the whole table.
func All() []Product { return append([]Product(nil), table...) }
