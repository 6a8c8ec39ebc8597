package mailbox

import (
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
	"madoguchi.example/shared/notice"
)

// Draft is a notice as an officer writes it.
type Draft struct {
	// ClientID is made by the console when the form is opened.
	ClientID string
	Kind     notice.Kind
	// Deadline is the last day to act; needed for an action, allowed otherwise.
	Deadline civil.Date
	// Texts has Japanese at least.
	Texts map[notice.Language]notice.Text
	// Recipients are resident_refs of the officer's municipality, one per line of the form.
	// The same one twice counts once.
	Recipients []string
	// LeaveOut sends to those who were found and leaves out the lines that name nobody;
	// the officer has seen which in the preview. Otherwise one such line stops all.
	LeaveOut bool
}

var clientID = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)

// check finds the first fault of the draft itself. A fault names the field and never
// repeats what stands in it.
func (d Draft) check(today civil.Date) error {
	switch {
	case !clientID.MatchString(d.ClientID):
		return fault.At(fault.InvalidArgument, "client_id", "the form has no proper id: open it again")
	case d.Kind != notice.Information && d.Kind != notice.Action:
		return fault.At(fault.InvalidArgument, "kind", "a notice informs or asks for an action")
	case d.Kind == notice.Action && d.Deadline.IsZero():
		return fault.At(fault.InvalidArgument, "deadline", "an action has a last day")
	case !d.Deadline.IsZero() && d.Deadline.Before(today):
		return fault.At(fault.InvalidArgument, "deadline", "the last day lies in the past")
	case len(d.Recipients) == 0:
		return fault.At(fault.InvalidArgument, "recipients", "there is nobody to send to")
	case len(d.Recipients) > MaxRecipients:
		return fault.At(fault.TooLarge, "recipients", "a notice goes to at most %d people", MaxRecipients)
	}
	if err := checkTexts(d.Texts); err != nil {
		return err
	}
	return d.refuseMyNumbers()
}

// refuseMyNumbers looks at what the officer typed. Words that come from data and templates
// are not typed, and a long number in them is none.
func (d Draft) refuseMyNumbers() error {
	for _, language := range notice.Languages() {
		for part, words := range map[string]string{"title": d.Texts[language].Title, "body": d.Texts[language].Body} {
			if jptext.HoldsMyNumber(words) {
				return fault.At(fault.MyNumberRefused, "texts."+string(language)+"."+part, "the text holds a My Number, which must not be sent")
			}
		}
	}
	return nil
}

func checkTexts(texts map[notice.Language]notice.Text) error {
	if _, ok := texts[notice.Japanese]; !ok {
		return fault.At(fault.InvalidArgument, "texts.ja.title", "the Japanese text is needed")
	}
	for language, text := range texts {
		if !slices.Contains(notice.Languages(), language) {
			return fault.At(fault.InvalidArgument, "texts", "there is a language that the app does not speak")
		}
		if err := checkWords("texts."+string(language)+".title", text.Title, notice.MaxTitle, false); err != nil {
			return err
		}
		if err := checkWords("texts."+string(language)+".body", text.Body, notice.MaxBody, true); err != nil {
			return err
		}
	}
	return nil
}

func checkWords(place, words string, limit int, lines bool) error {
	// A code point takes at most four bytes: longer text is refused before it is read.
	if len(words) > 4*limit || utf8.RuneCountInString(words) > limit {
		return fault.At(fault.TooLarge, place, "the text is longer than %d characters", limit)
	}
	if words == "" || !utf8.ValidString(words) {
		return fault.At(fault.InvalidArgument, place, "the text is empty or not text")
	}
	for _, r := range words {
		if r < ' ' && !(lines && (r == '\n' || r == '\r' || r == '\t')) || r == 0x7f {
			return fault.At(fault.InvalidArgument, place, "the text holds control characters")
		}
	}
	return nil
}

// line names a recipient by the line of the form.
func line(n int) string { return fmt.Sprintf("recipients line %d", n+1) }
