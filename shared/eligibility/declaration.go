package eligibility

import (
	"log/slog"

	"madoguchi.example/shared/civil"
)

// Declaration is 被保険者資格申立書: what a patient states of their insurance where it
// cannot be checked, as far as they know it (保発0710第1号, 2023-07-10). It holds personal
// data, stays on the terminal and masks itself in logs.
type Declaration struct {
	NameKanji     string     `json:"name_kanji"` // as on the card
	NameKana      string     `json:"name_kana,omitempty"`
	BirthDate     civil.Date `json:"birth_date"`
	Sex           string     `json:"sex,omitempty"` // ISO 5218: 1 male, 2 female
	Address       string     `json:"address,omitempty"`
	Phone         string     `json:"phone,omitempty"`
	InsuranceKind string     `json:"insurance_kind,omitempty"` // insurance.Kind, or "unknown"
	InsurerName   string     `json:"insurer_name,omitempty"`
	Employer      string     `json:"employer,omitempty"`
	Insured       string     `json:"insured,omitempty"`       // self, dependant
	SharePercent  int        `json:"share_percent,omitempty"` // 負担割合 as the patient remembers it
	Unchanged     bool       `json:"unchanged,omitempty"`     // nothing changed since the last visit
}

// LogValue masks all of it.
func (Declaration) LogValue() slog.Value { return slog.StringValue("***") }

// String masks all of it.
func (Declaration) String() string { return "***" }

// Person is who a My Number Card names: the four attributes, and no insurance. It masks
// itself in logs.
type Person struct {
	NameKanji string     `json:"name_kanji"`
	Address   string     `json:"address,omitempty"`
	BirthDate civil.Date `json:"birth_date"`
	Sex       string     `json:"sex,omitempty"` // ISO 5218
	Proven    bool       `json:"proven"`        // the card's key signed a challenge and its certificate chains to a known root
}

// LogValue masks all of it.
func (Person) LogValue() slog.Value { return slog.StringValue("***") }

// String masks all of it.
func (Person) String() string { return "***" }
