package apiv1

import "time"

// ---- offers of support

// ListOffers lists the offers of support made to the caller, newest first.
type ListOffers struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"128"`
}

// Offers is the list. At most 200.
type Offers struct {
	Status       int    `json:"-"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Offers []Offer `json:"offers"`
	}
}

// ByOffer names one offer.
type ByOffer struct {
	ID string `path:"id" minLength:"30" maxLength:"30"`
}

// OneOffer answers with one offer as it stands now.
type OneOffer struct {
	CacheControl string `header:"Cache-Control"`
	Body         Offer
}

// AnswerOffer says yes or no. It may be changed until the offer is closed, and sending the
// same again changes nothing. Past that it is a conflict with the place "deadline" and the
// counter to call. No other procedure looks at the answer.
type AnswerOffer struct {
	ID   string `path:"id" minLength:"30" maxLength:"30"`
	Body struct {
		Answer string `json:"answer" enum:"accepted,declined"`
	}
}

// Offer is a support that the office offers. It says what the support is, and nothing of
// why it is offered.
type Offer struct {
	ID         string     `json:"id" doc:"off_…"`
	Name       []Phrase   `json:"name" doc:"the support's name, Japanese first"`
	What       []Phrase   `json:"what" doc:"what one gets"`
	From       []Phrase   `json:"from" doc:"who gives it"`
	Cost       []Phrase   `json:"cost" doc:"what it costs"`
	How        []Phrase   `json:"how" doc:"what happens after a yes"`
	Notice     string     `json:"notice" doc:"the notice that tells of it, ntc_…"`
	SentAt     time.Time  `json:"sent_at"`
	Answer     string     `json:"answer,omitempty" enum:"accepted,declined" doc:"absent until the caller answered"`
	AnsweredAt *time.Time `json:"answered_at,omitempty"`
	Open       bool       `json:"open" doc:"it can be answered, or the answer changed, now"`
}
