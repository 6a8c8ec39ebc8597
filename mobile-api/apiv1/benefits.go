package apiv1

import "time"

// ---- benefits

// ListBenefits lists the benefits that are paid to the caller, newest decision first.
type ListBenefits struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"128"`
}

// Benefits is the list. At most 200.
type Benefits struct {
	Status       int    `json:"-"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Benefits []Benefit `json:"benefits"`
	}
}

// ByBenefit names one benefit.
type ByBenefit struct {
	ID string `path:"id" minLength:"30" maxLength:"30"`
}

// OneBenefit answers with one benefit as it stands now.
type OneBenefit struct {
	CacheControl string `header:"Cache-Control"`
	Body         Benefit
}

// RefuseBenefit says that the caller does not want the payment. It may be sent again when
// its answer was lost: a benefit is refused once, and the answer is the same. Past the
// deadline the answer is a conflict with the place "deadline" and the counter to call.
type RefuseBenefit struct {
	ID             string `path:"id" minLength:"30" maxLength:"30"`
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"16" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$"`
}

// Benefit is one decision about one payment to the caller, with its reasons.
type Benefit struct {
	ID    string   `json:"id" doc:"awd_…"`
	Name  []Phrase `json:"name" doc:"the programme's name, Japanese first"`
	Basis string   `json:"basis" doc:"the legal basis, Japanese"`
	Month string   `json:"month" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"the month of entitlement, YYYY-MM"`
	// Amount is absent while it cannot be told: then Needs says what is missing.
	Amount *int64 `json:"amount,omitempty" doc:"yen, all children together; absent while it cannot be told yet"`
	State  string `json:"state" enum:"open_question,must_apply,noticed,proven,silent,refused,listed,approved,withdrawn" doc:"open_question: a fact is missing (needs); must_apply: it is paid on application only; noticed: the notice waits to be read, and silence does not count yet; proven: delivery is proven, and silence after answer_by means yes; silent: the time to answer is over; refused; listed: waits for a second official; approved: will be paid; withdrawn: the office took the decision back"`
	// AnswerBy is absent while delivery is not proven: then there is no end yet.
	AnswerBy  string         `json:"answer_by,omitempty" format:"date" doc:"the last day to refuse, until 24:00 in Japan"`
	PayOn     string         `json:"pay_on,omitempty" format:"date" doc:"the day planned for the payment"`
	Notice    string         `json:"notice,omitempty" doc:"the notice that tells of it, ntc_…; absent until there is one"`
	DecidedAt time.Time      `json:"decided_at"`
	Refusable bool           `json:"refusable" doc:"it can be refused now, in the app"`
	Children  []BenefitChild `json:"children" doc:"whose money it is, by child; empty where the benefit is not per child"`
	Steps     []Reason       `json:"steps" doc:"why, in the order in which the rules were applied"`
	Needs     [][]Phrase     `json:"needs" doc:"what the office has to know first, each in the languages"`
	Timeline  []Milestone    `json:"timeline" doc:"what happened and what is planned, by day"`
}

// BenefitChild is one child's part.
type BenefitChild struct {
	Name      string `json:"name" doc:"kanji"`
	BirthDate string `json:"birth_date" format:"date"`
	Amount    *int64 `json:"amount,omitempty" doc:"yen; absent while it cannot be told"`
}

// Reason is one step of a decision in words.
type Reason struct {
	Article   string     `json:"article" doc:"the article of law behind the step, Japanese"`
	Parameter *Parameter `json:"parameter,omitempty" doc:"the dated value that the step used"`
	Texts     []Phrase   `json:"texts" doc:"Japanese first"`
}

// Parameter names a dated value of a programme.
type Parameter struct {
	Source    string `json:"source" doc:"where the value is published, Japanese"`
	ValidFrom string `json:"valid_from" doc:"the first month of entitlement that it holds for, YYYY-MM"`
}

// Milestone is one day of a benefit. Days after today are plans.
type Milestone struct {
	What string `json:"what" enum:"decided,noticed,delivered,deadline,refused,approved,payment,withdrawn"`
	On   string `json:"on" format:"date" doc:"the day in Japan"`
}

// Phrase is a name or a sentence in one language.
type Phrase struct {
	Language string `json:"language" enum:"ja,ja-easy,en"`
	Text     string `json:"text"`
}
