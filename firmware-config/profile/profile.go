// Package profile is what a terminal is told about its place and its work: class, office,
// payers and limits. The author writes it, the backend publishes it, the terminal obeys it.
package profile

// Class says what a terminal may be used for.
type Class string

// The classes. Only Clinic and InsurerCounter may ask for insurance numbers.
const (
	Clinic         Class = "clinic"
	InsurerCounter Class = "insurer_counter"
	Counter        Class = "counter"
	Shelter        Class = "shelter"
)

// MayCheckInsurance tells whether terminals of the class may ask for insurance numbers
// (健康保険法 第194条の2 forbids asking outside insurance work).
func (c Class) MayCheckInsurance() bool { return c == Clinic || c == InsurerCounter }

// Payer is one place that answers eligibility inquiries.
type Payer struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Recipient string `json:"recipient"` // age X25519
}

// Profile is one terminal's configuration.
type Profile struct {
	Schema       int     `json:"schema"` // 1
	Terminal     string  `json:"terminal"`
	Class        Class   `json:"class"`
	Office       string  `json:"office"`      // handle
	OfficeName   string  `json:"office_name"` // for the desk's top bar
	Institution  string  `json:"institution"` // 医療機関コード, clinics only
	Municipality string  `json:"municipality"`
	Payers       []Payer `json:"payers"`
	// AnswerTimeoutMS: after so long without an answer a check counts as "no answer".
	AnswerTimeoutMS int64 `json:"answer_timeout_ms"`
	LockAfterMS     int64 `json:"lock_after_ms"`
	// ReceiptKeys verify the marks of receipts; the first signs now.
	ReceiptKeys []ReceiptKey `json:"receipt_keys,omitempty"`
	// ExportRecipient is what an export of the terminal's queue is sealed to, age X25519.
	ExportRecipient string `json:"export_recipient,omitempty"`
	// SpreadMS: after an outage of the line the backlog starts at a random time within it.
	SpreadMS int64 `json:"spread_ms,omitempty"`
}

// ReceiptKey is a public key of the backend that countersigns marks.
type ReceiptKey struct {
	ID        string `json:"id"`
	PublicKey []byte `json:"public_key"` // Ed25519, 32 bytes
}
