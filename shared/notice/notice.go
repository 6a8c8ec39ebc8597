// Package notice holds what a notice is to every face: its kinds, its languages, and how
// far its delivery has come.
package notice

// Language is one of the three that every face speaks (BCP 47, with ja-easy for
// やさしい日本語).
type Language string

// The languages. Japanese is the original; the others may fall back to it.
const (
	Japanese     Language = "ja"
	EasyJapanese Language = "ja-easy"
	English      Language = "en"
)

// Languages lists them in the order in which faces offer them.
func Languages() []Language { return []Language{Japanese, EasyJapanese, English} }

// Kind says what a notice asks of its reader.
type Kind string

// The kinds.
const (
	Information Kind = "information" // to read only
	Action      Kind = "action"      // something to do by a day
)

// Text is a notice's words in one language.
type Text struct {
	Title string `json:"title"`
	Body  string `json:"body"`
}

// Limits of a notice's words, in Unicode code points.
const (
	MaxTitle = 100
	MaxBody  = 4000
)

// Channel is a way to a person.
type Channel string

// The channels.
const (
	App     Channel = "app"
	Letter  Channel = "letter"
	Counter Channel = "counter"
)

// DeliveryState is how far one person's notice has come in one channel. It only moves
// forward in this order; Read is proof of delivery.
type DeliveryState string

// The states.
const (
	InMailbox DeliveryState = "in_mailbox" // waits in the mailbox
	Pushed    DeliveryState = "pushed"     // a push service accepted a push for it
	Read      DeliveryState = "read"       // its owner opened it
)

// Subject is what a notice is about, where the app can show more than the notice says. The
// zero value is nothing.
type Subject struct {
	Kind SubjectKind
	ID   string // a handle
}

// SubjectKind says what a Subject is.
type SubjectKind string

// The kinds of subject.
const (
	Benefit SubjectKind = "benefit" // a decision, "awd_…"
	Offer   SubjectKind = "offer"   // an offer of support, "off_…"

	Certificate SubjectKind = "certificate" // a vaccination certificate, "crt_…"
	Correction  SubjectKind = "correction"  // a correction that was asked for, by its reference
)
