package reception

import (
	"errors"
	"io"
	"net/http"
	"slices"

	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/wedge"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/fault"
)

// verify takes the text of a code, or a file or picture of one.
func (s *server) verify(w http.ResponseWriter, r *http.Request) {
	input, typed, err := verifyInput(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.view(w, r)
	s.open(r, v, tabScan)
	if typed {
		text, repairs, faults := wedge.Repair(string(input))
		v.Repairs, v.ScanFaults, input = repairs, faults, []byte(text)
	}
	s.judge(w, r, v, input)
}

// takeScan verifies what a scanner delivered to the agent itself. Of several desks the first
// that asks has it.
func (s *server) takeScan(w http.ResponseWriter, r *http.Request) {
	v := s.view(w, r)
	s.open(r, v, tabScan)
	if s.Scans == nil {
		s.fail(w, r, fault.New(fault.NotFound, "no scanner is connected"))
		return
	}
	if v.Visitor.Device != "" { // the scanner stands at this terminal, not at the other desk
		w.WriteHeader(http.StatusNoContent)
		return
	}
	scan, ok := s.Scans.Take()
	if !ok {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	v.Repairs, v.ScanFaults = scan.Repairs, scan.Faults
	input := scan.Bytes
	if text, ok := scan.Text(); ok {
		input = []byte(text)
	}
	s.judge(w, r, v, input)
}

// judge shows the verdict on a scan, or what keeps it from having one.
func (s *server) judge(w http.ResponseWriter, r *http.Request, v *pageView, input []byte) {
	if slices.Contains(v.ScanFaults, scanner.FaultLayout) || slices.Contains(v.ScanFaults, scanner.FaultTooLong) ||
		slices.Contains(v.ScanFaults, scanner.FaultIncomplete) {
		s.answer(w, r, http.StatusUnprocessableEntity, "verified", v)
		return
	}
	verdict, read, of, err := s.Verifier.Verify(r.Context(), input)
	switch {
	case err != nil:
		s.fail(w, r, err)
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
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, bodyFault(err))
		return
	}
	v := s.view(w, r)
	s.open(r, v, tabScan)
	v.LinkText = r.PostFormValue("link")
	if v.Line.Up {
		s.judged(r, v, s.Verifier.Fetch(r.Context(), []byte(v.LinkText), r.PostFormValue("passcode")))
		s.answer(w, r, http.StatusOK, "verified", v)
		return
	}
	verdict, _, _, err := s.Verifier.Verify(r.Context(), []byte(v.LinkText))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Verdict = &verdict
	s.answer(w, r, http.StatusServiceUnavailable, "verified", v)
}

// verifyInput gives a file, or the text that was typed or scanned into the field.
func verifyInput(r *http.Request) (input []byte, typed bool, err error) {
	if err := r.ParseMultipartForm(MaxPictureBytes); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return nil, false, bodyFault(err)
	}
	if r.MultipartForm != nil {
		defer func() { _ = r.MultipartForm.RemoveAll() }()
		if file, _, err := r.FormFile("file"); err == nil {
			defer func() { _ = file.Close() }()
			if input, err := io.ReadAll(file); err != nil || len(input) > 0 {
				return input, false, err
			}
		}
	}
	return []byte(r.PostFormValue("text")), true, nil
}

// believable tells whether the claims of a verdict may be shown as fact.
func believable(o cert.Outcome) bool {
	return o == cert.Valid || o == cert.StaleTrust || o == cert.StaleRevocation
}
