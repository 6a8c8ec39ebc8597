package reception

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// page is the whole screen. ?case= opens one row in the result column.
func (s *server) page(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	if id := r.URL.Query().Get("case"); id != "" {
		if c, err := s.Desk.Case(r.Context(), id); err == nil {
			v.Case = &c
		}
	}
	v.Tab = r.URL.Query().Get("tab")
	s.whole(w, r, http.StatusOK, v)
}

// part answers with one part that refreshes itself.
func (s *server) part(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := s.view(w, r)
		if name == "list" {
			s.list(r, v)
		}
		s.render(w, http.StatusOK, name, v)
	}
}

func (s *server) showCase(w http.ResponseWriter, r *http.Request) {
	c, err := s.Desk.Case(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, err)
		return
	}
	v := s.view(w, r)
	v.Case = &c
	s.answer(w, r, http.StatusOK, "result", v)
}

// record takes the form. A doubt comes back as a hint beside its field with the same
// values, and the second time it is recorded.
func (s *server) record(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxFormBytes)
	if err := r.ParseForm(); err != nil {
		s.fail(w, bodyFault(err))
		return
	}
	v := s.view(w, r)
	v.Entry = s.entry(r)
	v.Entry.Operator, v.Entry.OperatorID = v.Operator, "op_"+strconv.Itoa(v.OperatorNo+1)
	c, doubts, err := s.Desk.Record(r.Context(), v.Entry)
	switch {
	case err != nil:
		v.explain(err)
		s.complain(err)
		s.answer(w, r, statusOf(err), "checked", v)
	case len(doubts) > 0:
		v.doubt(doubts)
		s.answer(w, r, http.StatusOK, "checked", v)
	default:
		v.Entry = s.blank()
		v.Recorded = c.RecordID
		shown, err := s.Desk.Case(r.Context(), c.RecordID)
		if err != nil { // it is recorded all the same, and must not be typed again
			shown = check.View{Case: c, Display: check.DisplayOffline}
		}
		v.Case = &shown
		w.Header().Set("X-Record-Id", c.RecordID)
		s.answer(w, r, http.StatusCreated, "checked", v)
	}
}

// complain logs what kept a check from being recorded, where that is not the entry itself.
func (s *server) complain(err error) {
	switch code := fault.CodeOf(err); code {
	case fault.InvalidArgument, fault.TooLarge, fault.MyNumberRefused, fault.Forbidden:
	default:
		s.Log.Error("a check was not recorded", "code", string(code), "error", err)
	}
}

// entry copies the form as typed; check decides what it means.
func (s *server) entry(r *http.Request) check.Entry {
	copayment, _ := strconv.Atoi(r.PostFormValue("copayment"))
	return check.Entry{
		Insurer: r.PostFormValue("insurer_number"), Symbol: r.PostFormValue("symbol"),
		Number: r.PostFormValue("number"), Branch: r.PostFormValue("branch"),
		BirthDate: r.PostFormValue("birth_date"), VisitDay: r.PostFormValue("visit_day"),
		Label: r.PostFormValue("label"), Evidence: eligibility.Evidence(r.PostFormValue("evidence")),
		Copayment: copayment, Override: r.PostFormValue("override") == "1",
	}
}

func (s *server) closeTask(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxFormBytes)
	v := s.view(w, r)
	if err := s.Desk.CloseTask(r.Context(), r.PathValue("id"), v.Operator); err != nil {
		s.fail(w, err)
		return
	}
	s.showCase(w, r)
}

// verify takes the text of a code, or a file or picture of one.
func (s *server) verify(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxPictureBytes)
	input, err := verifyInput(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	v := s.view(w, r)
	v.Tab = "scan"
	verdict, read, of, err := s.Verifier.Verify(r.Context(), input)
	switch {
	case err != nil:
		s.fail(w, err)
		return
	case of > 0 && read < of:
		v.PartsRead, v.PartsOf = read, of
		v.ScanText = string(input)
	default:
		s.judged(r, v, verdict)
		v.LinkText = linkText(verdict, input)
	}
	s.answer(w, r, http.StatusOK, "verified", v)
}

// judged puts a verdict on the page and counts it.
func (s *server) judged(r *http.Request, v *pageView, verdict cert.Verdict) {
	v.Verdict = &verdict
	if err := s.Desk.RecordVerification(r.Context(), string(verdict.Format), string(verdict.Outcome)); err != nil {
		s.Log.Warn("cannot count the verification", "code", fault.CodeOf(err))
	}
}

// linkText gives a link back to the page, from which a person may open it; nothing of it is
// kept here.
func linkText(verdict cert.Verdict, input []byte) string {
	if !slices.Contains(verdict.Findings, cert.NeedsNetwork) {
		return ""
	}
	return string(inspect.Text(input))
}

// followLink opens a link over the network by a person's act. While the line is down nothing
// is sent.
func (s *server) followLink(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxFormBytes)
	if err := r.ParseForm(); err != nil {
		s.fail(w, bodyFault(err))
		return
	}
	v := s.view(w, r)
	v.Tab, v.LinkText = "scan", r.PostFormValue("link")
	if v.Line.Up {
		s.judged(r, v, s.Verifier.Fetch(r.Context(), []byte(v.LinkText), r.PostFormValue("passcode")))
		s.answer(w, r, http.StatusOK, "verified", v)
		return
	}
	verdict, _, _, err := s.Verifier.Verify(r.Context(), []byte(v.LinkText))
	if err != nil {
		s.fail(w, err)
		return
	}
	v.Verdict = &verdict
	s.answer(w, r, http.StatusServiceUnavailable, "verified", v)
}

func verifyInput(r *http.Request) ([]byte, error) {
	if err := r.ParseMultipartForm(MaxPictureBytes); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return nil, bodyFault(err)
	}
	if r.MultipartForm != nil {
		defer func() { _ = r.MultipartForm.RemoveAll() }()
		if file, _, err := r.FormFile("file"); err == nil {
			defer func() { _ = file.Close() }()
			if input, err := io.ReadAll(file); err != nil || len(input) > 0 {
				return input, err
			}
		}
	}
	return []byte(r.PostFormValue("text")), nil
}

func (s *server) changeOperator(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxFormBytes)
	chosen, err := strconv.Atoi(r.PostFormValue("operator"))
	if err != nil || chosen < 0 || chosen >= len(s.Operators) {
		s.fail(w, fault.At(fault.InvalidArgument, "operator", "choose one of the list"))
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "operator", Value: strconv.Itoa(chosen), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// language is the one asked for, remembered in a cookie.
func (s *server) language(w http.ResponseWriter, r *http.Request) notice.Language {
	asked := notice.Language(r.URL.Query().Get("lang"))
	if slices.Contains(notice.Languages(), asked) {
		http.SetCookie(w, &http.Cookie{Name: "lang", Value: string(asked), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		return asked
	}
	if c, err := r.Cookie("lang"); err == nil && slices.Contains(notice.Languages(), notice.Language(c.Value)) {
		return notice.Language(c.Value)
	}
	return notice.Japanese
}

// operator is the one chosen by F12, the first where none was.
func (s *server) operator(r *http.Request) (int, string) {
	if c, err := r.Cookie("operator"); err == nil {
		if n, err := strconv.Atoi(c.Value); err == nil && n >= 0 && n < len(s.Operators) {
			return n, s.Operators[n]
		}
	}
	return 0, s.Operators[0]
}

func bodyFault(err error) error {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return fault.Wrap(fault.TooLarge, err, "the form or picture is too large")
	}
	return fault.Wrap(fault.InvalidArgument, err, "the form cannot be read")
}

// statusOf translates a fault once, at this edge.
func statusOf(err error) int {
	switch fault.CodeOf(err) {
	case fault.InvalidArgument, fault.MyNumberRefused:
		return http.StatusUnprocessableEntity
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.QueueFull, fault.Unavailable, fault.Unknown:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// fail answers without a page of its own; the message is ours and never repeats input.
func (s *server) fail(w http.ResponseWriter, err error) {
	status := statusOf(err)
	if status == http.StatusInternalServerError {
		s.Log.Error("the desk failed", "error", err)
		http.Error(w, "cannot do this now; try again", status)
		return
	}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		e = fault.New(fault.Internal, "cannot do this now")
	}
	http.Error(w, e.Message, status)
}

// believable tells whether the claims of a verdict may be shown as fact.
func believable(o cert.Outcome) bool {
	return o == cert.Valid || o == cert.StaleTrust || o == cert.StaleRevocation
}
