package reception

import (
	"net/http"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

// readCard reads the card in the reader with the PIN that the patient typed. The PIN is
// wiped, and goes into no page, log or error.
func (s *server) readCard(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, bodyFault(err))
		return
	}
	v := s.view(w, r)
	s.open(r, v, tabCard)
	if s.Cards == nil {
		v.CardFault = card.NoReader
		s.answer(w, r, http.StatusServiceUnavailable, "act", v)
		return
	}
	pin := []byte(r.PostFormValue("card_pin"))
	r.PostForm.Del("card_pin")
	r.Form.Del("card_pin")
	reading, err := s.Cards.Read(r.Context(), pin, counter.Proof{})
	v.Card = s.Cards.Status()
	if err != nil {
		v.CardFault = card.WordOf(err)
		if v.CardFault == "" {
			s.complain("the desk could not do this", err)
			v.CardFault = card.CardSlow
		}
		s.answer(w, r, statusOf(err), "act", v)
		return
	}
	if v.Held, err = s.held.keep(reading, s.Now(), s.Rand); err != nil {
		s.fail(w, r, fault.Wrap(fault.Unavailable, err, "cannot keep what the card said"))
		return
	}
	v.Person = &reading
	v.Entry.Evidence = eligibility.EvidenceCardPIN
	v.Entry.BirthDate = reading.Person.BirthDate.String()
	s.answer(w, r, http.StatusOK, "act", v)
}
