// Package reception is the desk's own web pages: one screen of three columns that a
// receptionist drives by keyboard, served to the terminal's browser and to the clinic's
// other desks.
//
// It shows what check decides and decides nothing itself. It stands behind the door, which
// knows who asks; it works without JavaScript, and with it the columns refresh by
// server-sent events of which all tabs share one stream.
package reception

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/precheck"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/rehearsal"
	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/charge"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// Limits of what the desk's browser may send.
const (
	MaxFormBytes    = 64 << 10
	MaxPictureBytes = 8 << 20
)

// Desk is the receptionist's act. check.Desk is one.
type Desk interface {
	Record(ctx context.Context, e check.Entry) (casebook.Case, []check.Doubt, error)
	Amend(ctx context.Context, recordID string, e check.Entry) (casebook.Case, []check.Doubt, error)
	Void(ctx context.Context, recordID string, reason eligibility.AmendReason, by check.By) error
	Undo(ctx context.Context, by check.By) (check.Entry, error)
	Park(ctx context.Context, e check.Entry) (string, error)
	Parked(ctx context.Context) ([]check.Parked, error)
	Unpark(ctx context.Context, id string) (check.Entry, error)
	Family(ctx context.Context, recordID string) (check.Entry, error)
	Propose(e check.Entry) (c charge.Charge, ok bool)
	Past(ctx context.Context, birth civil.Date, label string) ([]check.View, error)
	Faces(ctx context.Context) ([]check.Face, error)
	AssignFace(ctx context.Context, faceID, recordID string, by check.By) (casebook.Case, error)
	DropFace(ctx context.Context, faceID string, by check.By) error
	RecordVerification(ctx context.Context, format, outcome string) error
	CloseTask(ctx context.Context, recordID, operator string) error
	Case(ctx context.Context, recordID string) (check.View, error)
	Today(ctx context.Context) (rows []check.View, more int, err error)
	Month(ctx context.Context, year int, month time.Month) (check.Month, error)
	Reply(ctx context.Context, recordID string) []check.Field
	Watch() (<-chan struct{}, func())
}

// Verifier reads what a scanner, a file or a picture gave. Verify opens no connection.
type Verifier interface {
	// Verify gives the verdict; for a split code of which parts are missing it gives how
	// many of how many were read and a zero verdict.
	Verify(ctx context.Context, input []byte) (v cert.Verdict, read, of int, err error)
	// Fetch follows a SMART Health Link over the network, which a person has asked for, and
	// gives the verdict on what it leads to.
	Fetch(ctx context.Context, link []byte, passcode string) cert.Verdict
	// TrustAsOf is the day of the terminal's trust snapshot; zero where there is none.
	TrustAsOf(ctx context.Context) time.Time
	// Clock is what the terminal's clock says, checked against the last trusted time.
	Clock() clockfloor.Reading
}

// Cards are the readers. counter.Counter is one.
type Cards interface {
	Status() counter.Status
	Read(ctx context.Context, pin []byte, proof counter.Proof) (counter.Reading, error)
	Watch() (<-chan struct{}, func())
}

// Scans are the codes that devices deliver to the agent itself. Take gives the newest one
// once; waiting tells how many came since the start.
type Scans interface {
	Take() (s scanner.Scan, ok bool)
	Count() uint64
}

// Bookings are tomorrow's patients. precheck.Precheck is one.
type Bookings interface {
	Load(ctx context.Context, csv []byte) (int, error)
	Bookings(ctx context.Context, day civil.Date) ([]precheck.Standing, error)
	Cancel(ctx context.Context, id string) error
	Run(ctx context.Context) error
}

// Practice marks a desk for practising and gives its walk-through. rehearsal.Room is one.
type Practice interface {
	Lessons(ctx context.Context) ([]rehearsal.Lesson, error)
	Specimen() rehearsal.Specimen
	Cut(ctx context.Context, cut bool) error
}

// Config is what the pages are made of. What is not said to be optional must be set.
type Config struct {
	Desk     Desk
	Verifier Verifier
	Profile  func() profile.Profile
	Line     func() uplink.Line
	Stats    func() queue.Stats
	Damage   func() Damage
	Now      func() time.Time
	Rand     io.Reader
	Log      *slog.Logger

	Cards    Cards                                  // nil: no reader is watched
	Scans    Scans                                  // nil: scanners act as keyboards alone
	Bookings Bookings                               // nil: nobody is checked beforehand
	Folder   func() check.Health                    // of the clinic's own 資格確認端末; nil: there is none
	Findings func(context.Context) []doctor.Finding // nil: the help names no faults
	Outbox   Outbox                                 // nil: the terminal's own records are not shown
	Practice Practice                               // not nil: this desk is for practising
	// PracticeURL is where the desk for practising is; empty: there is none.
	PracticeURL func() string
}

// Damage counts what the terminal's disk has lost, for the bar to say so.
type Damage struct {
	Files  int  // files that were put aside when the agent started, now or earlier
	Rows   int  // rows that can not be read
	Closed bool // the terminal's file lies there and does not open with the key; another is used meanwhile
}

//go:embed assets templates/*.html
var files embed.FS

type server struct {
	Config
	pages *template.Template
	words map[notice.Language]words
	held  held
}

// New makes the desk's handler. It is served behind a door.
func New(c Config) (http.Handler, error) {
	s := &server{Config: c}
	var err error
	if s.words, err = loadWords(); err != nil {
		return nil, err
	}
	s.pages, err = template.New("").Funcs(funcs(s.words[notice.Japanese])).ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("cannot read the desk's pages: %w", err)
	}
	assets, err := fs.Sub(files, "assets")
	if err != nil {
		return nil, fmt.Errorf("cannot read the desk's assets: %w", err)
	}
	mux := http.NewServeMux()
	s.routes(mux)
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(assets)))
	return bounded(mux), nil
}

func (s *server) routes(mux *http.ServeMux) {
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /{$}":        s.page,
		"GET /act/{tab}":  s.act,
		"GET /parts/bar":  s.part("bar"),
		"GET /parts/list": s.part("list"),
		"GET /parts/card": s.part("card-status"),
		"GET /events":     s.events,
		"POST /language":  s.changeLanguage,

		"POST /verify":  s.verify,
		"POST /links":   s.followLink,
		"POST /scanned": s.takeScan,
	} {
		mux.HandleFunc(pattern, h)
	}
	mux.HandleFunc("POST /card", s.readCard)
	mux.HandleFunc("POST /outbox/{id}/retry", s.retry)
	if s.Practice != nil {
		mux.HandleFunc("POST /practice/line", s.practiceLine)
	}
	for pattern, h := range map[string]http.HandlerFunc{
		"POST /checks":                s.record,
		"POST /checks/kind":           s.insurerKind,
		"POST /checks/share":          s.proposeShare,
		"POST /park":                  s.park,
		"POST /parked/{id}":           s.unpark,
		"POST /undo":                  s.undo,
		"GET /cases/{id}":             s.showCase,
		"POST /cases/{id}/close":      s.closeTask,
		"POST /cases/{id}/void":       s.void,
		"GET /cases/{id}/amend":       s.amendForm,
		"GET /cases/{id}/family":      s.family,
		"GET /cases/{id}/copy":        s.copyOut,
		"GET /cases/{id}/slip":        s.print("slip"),
		"GET /cases/{id}/declaration": s.print("declaration"),
		"GET /print/day":              s.printDay,
		"POST /past":                  s.past,
		"POST /faces/{id}/assign":     s.assignFace,
		"POST /faces/{id}/drop":       s.dropFace,
		"POST /bookings":              s.loadBookings,
		"POST /bookings/check":        s.checkBookings,
		"POST /bookings/{id}/cancel":  s.cancelBooking,
	} {
		mux.HandleFunc(pattern, s.insuranceOnly(h))
	}
}

// insuranceOnly keeps counters and shelters from everything that asks for insurance
// (健康保険法 第194条の2).
func (s *server) insuranceOnly(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.Profile().Class.MayCheckInsurance() {
			s.fail(w, r, fault.New(fault.Forbidden, "terminals of this class do not ask for insurance"))
			return
		}
		h(w, r)
	}
}

// bounded limits what a request may carry; pictures are the largest.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(MaxFormBytes)
		if r.URL.Path == "/verify" || r.URL.Path == "/bookings" {
			limit = MaxPictureBytes
		}
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
		}
		next.ServeHTTP(w, r)
	})
}
