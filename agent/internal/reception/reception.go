// Package reception is the desk's own web pages: one screen of three columns that a
// receptionist drives by keyboard, served to the terminal's browser alone.
//
// It shows what check decides and decides nothing itself. It listens on loopback, refuses
// foreign Host headers and cross-origin posts, and works without JavaScript; with it the
// columns refresh by server-sent events.
package reception

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/cert"
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
	RecordVerification(ctx context.Context, format, outcome string) error
	CloseTask(ctx context.Context, recordID, operator string) error
	Case(ctx context.Context, recordID string) (check.View, error)
	Today(ctx context.Context) (rows []check.View, more int, err error)
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

// Config is what the pages are made of. Every field must be set.
type Config struct {
	Desk      Desk
	Verifier  Verifier
	Profile   func() profile.Profile
	Line      func() uplink.Line
	Stats     func() queue.Stats
	Damage    func() Damage
	Operators []string
	LockAfter time.Duration
	Now       func() time.Time
	Log       *slog.Logger
}

// Damage counts what the terminal's disk has lost, for the bar to say so.
type Damage struct {
	Files int // files that were put aside when the agent started, now or earlier
	Rows  int // rows that can not be read
}

//go:embed assets templates/*.html
var files embed.FS

type server struct {
	Config
	pages *template.Template
	words map[notice.Language]words
}

// New makes the desk's handler.
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
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /parts/bar", s.part("bar"))
	mux.HandleFunc("GET /parts/list", s.part("list"))
	mux.HandleFunc("GET /cases/{id}", s.showCase)
	mux.HandleFunc("POST /checks", s.record)
	mux.HandleFunc("POST /cases/{id}/close", s.closeTask)
	mux.HandleFunc("POST /verify", s.verify)
	mux.HandleFunc("POST /links", s.followLink)
	mux.HandleFunc("POST /operator", s.changeOperator)
	mux.HandleFunc("GET /events", s.events)
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(assets)))
	return s.guard(http.NewCrossOriginProtection().Handler(mux)), nil
}

// guard sets the headers of every answer and refuses requests that name another host, as
// a page elsewhere does that rebinds its name to the loopback address.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this desk answers only on its own terminal", http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
