package office

import (
	"context"
	"net/url"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/fault"
)

const (
	certificatesPath = "/office/certificates"
	// correctionsShown is how many requests the queue shows; the oldest come first.
	correctionsShown = 200
)

func correctionPath(reference string) string {
	return certificatesPath + "/corrections/" + url.PathEscape(reference)
}

func paperPath(reference string) string {
	return certificatesPath + "/papers/" + url.PathEscape(reference)
}

// certified is the first page of certificates.
type certified struct {
	sheet
	Waiting []Correction
	More    bool
	Done    string
}

// CertificatesPage shows the requests that wait, and where to look a reference up.
func (o *Office) CertificatesPage(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	return o.certificatesPage(ctx, who, r, newSheet("find", url.Values{}))
}

func (o *Office) certificatesPage(ctx context.Context, who actor.Staff, r Request, s sheet) (Page, error) {
	waiting, err := o.Certificates.Corrections(ctx, who, correctionsShown)
	if err != nil {
		return Page{}, err
	}
	return o.sheetPage(ctx, who, r, "certificates", s, certified{s, waiting, len(waiting) >= correctionsShown, doneOf(r)})
}

// FindPaper looks a reference up: of a request, a certificate or a refusal.
func (o *Office) FindPaper(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("find", r.Form)
	typed := s.words("reference", 1, maxRefBytes)
	if s.ok() {
		if c, err := o.Certificates.Correction(ctx, who, typed); err == nil {
			return Page{Location: correctionPath(c.Reference)}, nil
		}
		p, err := o.Certificates.Find(ctx, who, typed)
		if err == nil {
			return Page{Location: paperPath(p.Reference)}, nil
		}
		if fault.CodeOf(err) == fault.NotFound {
			s.blame("reference", "no_reference")
		} else if err := s.take(err, "reference"); err != nil {
			return Page{}, err
		}
	}
	return o.certificatesPage(ctx, who, r, s)
}

// correcting is the page of one request.
type correcting struct {
	sheet
	CorrectionDetail
	Answers []string
	Open    bool
	Done    string
}

// CorrectionPage shows one request.
func (o *Office) CorrectionPage(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	return o.correctionPage(ctx, who, r, newSheet("answer", url.Values{}))
}

func (o *Office) correctionPage(ctx context.Context, who actor.Staff, r Request, s sheet) (Page, error) {
	d, err := o.Certificates.Correction(ctx, who, r.Param["id"])
	if err != nil {
		return Page{}, err
	}
	return o.sheetPage(ctx, who, r, "correction", s, correcting{s, d, []string{AnswerCorrected, AnswerNothing}, d.State == answerOpen, doneOf(r)})
}

// AnswerCorrection takes the officer's word.
func (o *Office) AnswerCorrection(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("answer", r.Form)
	answer, words := s.oneOf("answer", AnswerCorrected, AnswerNothing), s.reason("words")
	if s.ok() {
		err := o.Certificates.Answer(ctx, who, r.Param["id"], answer, words)
		if err == nil {
			return Page{Location: certificatesPath + "?done=answered"}, nil
		}
		if err := s.take(err, "answer", "words"); err != nil {
			return Page{}, err
		}
	}
	return o.correctionPage(ctx, who, r, s)
}

// paper is the page of one certificate.
type paper struct {
	sheet
	Paper
	MayRevoke bool
	Done      string
}

// PaperPage shows one certificate, or why one was refused.
func (o *Office) PaperPage(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	return o.paperPage(ctx, who, r, newSheet("revoke", url.Values{}))
}

func (o *Office) paperPage(ctx context.Context, who actor.Staff, r Request, s sheet) (Page, error) {
	p, err := o.Certificates.Find(ctx, who, r.Param["id"])
	if err != nil {
		return Page{}, err
	}
	may := who.Has(actor.Approver) && p.Refused == "" && p.Revoked.IsZero()
	return o.sheetPage(ctx, who, r, "certificate", s, paper{s, p, may, doneOf(r)})
}

// RevokePaper takes a certificate back.
func (o *Office) RevokePaper(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("revoke", r.Form)
	reason := s.reason("reason")
	if s.Form.Get("sure") != "yes" {
		s.blame("sure", "sure")
	}
	if s.ok() {
		err := o.Certificates.Revoke(ctx, who, r.Param["id"], reason)
		if err == nil {
			return Page{Location: paperPath(r.Param["id"]) + "?done=revoked"}, nil
		}
		if err := s.take(err, "reason"); err != nil {
			return Page{}, err
		}
	}
	return o.paperPage(ctx, who, r, s)
}

// correctionTasks tell clerks of the requests that wait.
func (o *Office) correctionTasks(ctx context.Context, who actor.Staff) ([]task, error) {
	if o.Certificates == nil || !who.Has(actor.Clerk) {
		return nil, nil
	}
	waiting, err := o.Certificates.Corrections(ctx, who, queueShown)
	if err != nil {
		return nil, err
	}
	var out []task
	for _, c := range waiting {
		out = append(out, task{Key: "correct_" + c.Kind, To: correctionPath(c.Reference), Since: c.Since})
	}
	return out, nil
}

// RefusedFor says why a certificate was refused.
func (v view) RefusedFor(key string) string { return v.known("refused.", key, "other") }
