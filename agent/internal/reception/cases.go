package reception

import (
	"net/http"
	"strings"
	"time"

	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/precheck"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
)

func (s *server) showCase(w http.ResponseWriter, r *http.Request) {
	c, err := s.Desk.Case(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.view(w, r)
	v.Case, v.Unmasked = &c, r.URL.Query().Get("number") == "shown"
	s.answer(w, r, http.StatusOK, "result", v)
}

func (s *server) closeTask(w http.ResponseWriter, r *http.Request) {
	if err := s.Desk.CloseTask(r.Context(), r.PathValue("id"), by(r).Operator); err != nil {
		s.fail(w, r, err)
		return
	}
	s.showCase(w, r)
}

// void takes a record back, for a reason.
func (s *server) void(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	id := r.PathValue("id")
	err := s.Desk.Void(r.Context(), id, eligibility.AmendReason(r.PostFormValue("reason")), by(r))
	status := http.StatusOK
	if err != nil {
		v.explain(err)
		s.complain("the desk could not do this", err)
		status = statusOf(err)
	}
	c, found := s.Desk.Case(r.Context(), id)
	if found != nil {
		s.fail(w, r, found)
		return
	}
	v.Case = &c
	s.answer(w, r, status, "result", v)
}

// copyOut gives a case's fields in the receipt computer's order, a line, tabs between.
func (s *server) copyOut(w http.ResponseWriter, r *http.Request) {
	fields := s.Desk.Reply(r.Context(), r.PathValue("id"))
	if fields == nil {
		http.Error(w, "there is no such case", http.StatusNotFound)
		return
	}
	values := make([]string, len(fields))
	for i, f := range fields {
		values[i] = strings.Map(noTabs, f.Value)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(strings.Join(values, "\t")))
}

func noTabs(r rune) rune {
	if r == '\t' || r == '\n' || r == '\r' {
		return ' '
	}
	return r
}

// assignFace puts a result of the face reader on a row.
func (s *server) assignFace(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	c, err := s.Desk.AssignFace(r.Context(), r.PathValue("id"), r.PostFormValue("record"), by(r))
	if err != nil {
		v.explain(err)
		s.complain("the desk could not do this", err)
		s.open(r, v, tabFaces)
		s.answer(w, r, statusOf(err), "act", v)
		return
	}
	s.open(r, v, tabFaces)
	if shown, err := s.Desk.Case(r.Context(), c.RecordID); err == nil {
		v.Case = &shown
	}
	s.answer(w, r, http.StatusOK, "checked", v)
}

// dropFace takes a result off the list: no patient of this desk.
func (s *server) dropFace(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	if err := s.Desk.DropFace(r.Context(), r.PathValue("id"), by(r)); err != nil {
		v.explain(err)
		s.complain("the desk could not do this", err)
	}
	s.open(r, v, tabFaces)
	s.answer(w, r, http.StatusOK, "act", v)
}

// monthOf is the month asked for (2026-11), this one where none was.
func (s *server) monthOf(r *http.Request) (int, time.Month) {
	if t, err := time.Parse("2006-01", r.URL.Query().Get("month")); err == nil {
		return t.Year(), t.Month()
	}
	today := civil.In(s.Now())
	return today.Year, today.Month
}

// loadBookings reads tomorrow's patients from a file.
func (s *server) loadBookings(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	input, _, err := verifyInput(r)
	if err == nil && s.Bookings != nil {
		v.Loaded, err = s.Bookings.Load(r.Context(), input)
	}
	status := http.StatusOK
	if err != nil {
		if v.ListFaults = precheck.Faults(v.W.Lang, err); len(v.ListFaults) == 0 {
			v.explain(err)
		}
		s.complain("the desk could not do this", err)
		status = statusOf(err)
	} else {
		v.Said = "said.loaded"
	}
	s.open(r, v, tabBookings)
	s.answer(w, r, status, "act", v)
}

// checkBookings has the booked patients asked for now.
func (s *server) checkBookings(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	v.Said = "said.asked"
	status := http.StatusOK
	if err := s.Bookings.Run(r.Context()); err != nil {
		v.Said = ""
		v.explain(err)
		s.complain("the desk could not do this", err)
		status = statusOf(err)
	}
	s.open(r, v, tabBookings)
	s.answer(w, r, status, "act", v)
}

func (s *server) cancelBooking(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	if err := s.Bookings.Cancel(r.Context(), r.PathValue("id")); err != nil {
		v.explain(err)
		s.complain("the desk could not do this", err)
	}
	s.open(r, v, tabBookings)
	s.answer(w, r, http.StatusOK, "act", v)
}

// practiceLine takes the practised line away or brings it back.
func (s *server) practiceLine(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	if err := s.Practice.Cut(r.Context(), r.PostFormValue("cut") == "1"); err != nil {
		s.complain("the desk could not do this", err)
	}
	v.Line = s.Line()
	s.open(r, v, tabHelp)
	s.answer(w, r, http.StatusOK, "act", v)
}

// print gives one sheet about one case.
func (s *server) print(sheet string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.Desk.Case(r.Context(), r.PathValue("id"))
		if err != nil {
			s.fail(w, r, err)
			return
		}
		v := s.view(w, r)
		v.Case, v.Sheet = &c, sheet
		s.render(w, http.StatusOK, "sheet", v)
	}
}

// printDay gives the day's list.
func (s *server) printDay(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	v.Sheet = "day"
	s.list(r, v)
	today := civil.In(s.Now())
	var rows []check.View
	for _, c := range v.Cases {
		if c.VisitDay == today || civil.In(c.RecordedAt) == today {
			rows = append(rows, c)
		}
	}
	v.Cases = rows
	s.render(w, http.StatusOK, "sheet", v)
}
