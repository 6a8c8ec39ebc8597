// Package oqsfolder asks the clinic's own 資格確認端末 through its shared folders and takes
// what it answers.
//
// A request is written whole under a name that the terminal ignores, is on the disk, and
// only then gets its name in the request folder; where that fails nothing half-written
// stays. Files of others are never deleted, moved, renamed or locked, nor is a foreign
// answer taken: an answer is ours by the record id in its ArbitraryFileIdentifier alone.
// The folders are watched by events and scanned, since network shares give no events. A
// half-written file is tried again, and after Config.Timeout it is a fault that stays in
// sight, as is everything else that could not be taken. An answer that another program took
// away first is no fault: the check is asked again. "No answer" is never decided here.
package oqsfolder

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/oqs"
)

// Config names the folders and what is written into them. Now, Rand and Log are required.
// A folder on a network share should lie below the mount point, so that it is gone while
// the share is.
type Config struct {
	ReqDir, ResDir string
	FaceDir        string // "" where there is no face reader
	Institution    insurance.InstitutionCode
	Encoding       oqs.Encoding
	Ceiling        bool // patients agree at the counter that 限度額 is told
	Now            func() time.Time
	Rand           io.Reader
	Log            *slog.Logger
	Timeout        time.Duration // how long a file may stay unreadable and a folder silent; 10 s where zero
	ScanEvery      time.Duration // 2 s where zero
}

// Bounds.
const (
	defaultTimeout = 10 * time.Second
	defaultScan    = 2 * time.Second
	retryEvery     = 300 * time.Millisecond // of a half-written file
	keepAnswers    = 40 * 24 * time.Hour    // files that are older at the start are not read
	keepFaces      = 36 * time.Hour         // likewise: a face result is for its day
	keepTrouble    = 24 * time.Hour         // of a fault that time alone resolves
	maxWaiting     = 10_000
	maxDecided     = 20_000
	maxTrouble     = 50
)

// Taker is given what the terminal answered, in progress and abnormal ends too. After a
// start, what still lies in the folders is given once more, so taking twice changes
// nothing. An error of code fault.NotFound says that the identifier is not ours, and
// fault.Conflict that the record has another answer, which is a Trouble; after any other
// error the file is given again.
type Taker interface {
	TakeOnline(ctx context.Context, r oqs.Result) error
	TakeFace(ctx context.Context, file string, r oqs.Result) error
	TakeReception(ctx context.Context, r oqs.Reception) error
	TakeBulk(ctx context.Context, r oqs.Result) error
}

// Health is what the desk and doctor tell of the exchange.
type Health struct {
	Ready      bool   // can ask and be answered; the face folder may be out all the same
	Fault      string // one of the folder's faults
	Folder     string // which one: "req", "res", "face"
	Since      time.Time
	LastAnswer time.Time
	Waiting    int       // asked, and no answer yet
	Untaken    int       // requests that the terminal has not taken away in Config.Timeout, if it does that
	Lost       int       // answers that went away before they were read
	Trouble    []Trouble // at most 50, oldest first
}

// Trouble is one file that could not be taken. It stays in sight until the file is gone,
// is whole, or is old.
type Trouble struct {
	File  string // its name; no name holds personal data
	Fault string // one of a file's faults
	Code  string // the terminal's error code, with FaultAbnormal
	Since time.Time
}

// The faults of a folder.
const (
	FaultNoFolder    = "no_folder"
	FaultNotWritable = "not_writable"
	FaultNotReadable = "not_readable"
	FaultFull        = "full"
	FaultSilent      = "silent" // the file system does not answer
)

// The faults of one file.
const (
	FaultUnreadable = "unreadable" // half-written for too long, or no document
	FaultEncoding   = "encoding"   // not the character set it claims
	FaultTooLarge   = "too_large"  // more than any answer has
	FaultRefused    = "refused"    // entities, elements twice, another document
	FaultZip        = "zip"        // the terminal is set to send archives with a password
	FaultAbnormal   = "abnormal"   // the terminal says that the check ended abnormally
	FaultSecond     = "second"     // another answer than the one that was taken first
	FaultOtherDay   = "other_day"  // our question's answer for another day than it asked for
)

// Exchange is safe for concurrent use.
type Exchange struct {
	config  Config
	disk    disk
	writing chan struct{} // held while a request is written
	scan    sync.Mutex    // held while the folders are read

	mu         sync.Mutex // guards what follows
	folders    map[string]folderFault
	used       bool
	busySince  time.Time // of the reading under way
	lastAnswer time.Time
	waiting    bounded[question]
	requests   bounded[request] // the latest of each kind and identifier
	collects   bool             // the terminal takes requests away when it reads them
	untaken    int
	decided    bounded[digest]
	files      map[string]*file // by folder and name; only those that are there
	swept      map[string]bool  // folders that were listed once
	lost       int
}

// question is out; day is zero for a batch, which its people's days are in.
type question struct {
	at  time.Time
	day civil.Date
}

// request is a file that was written.
type request struct {
	file string
	at   time.Time
}

type folderFault struct {
	word  string
	since time.Time
}

// New gives an exchange. Nothing is touched before it is used.
func New(c Config) *Exchange {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.ScanEvery == 0 {
		c.ScanEvery = defaultScan
	}
	if c.Encoding == "" {
		c.Encoding = oqs.UTF8
	}
	return &Exchange{
		config: c, disk: realDisk{}, writing: make(chan struct{}, 1), folders: map[string]folderFault{},
		waiting: newBounded[question](maxWaiting), requests: newBounded[request](maxWaiting), decided: newBounded[digest](maxDecided), files: map[string]*file{}, swept: map[string]bool{},
	}
}

// Health tells how the folders stood when they were last used, and looks once if they
// never were. It does not wait for a file system longer than Config.Timeout.
func (x *Exchange) Health() Health {
	x.mu.Lock()
	used := x.used
	x.used = true
	x.mu.Unlock()
	if !used {
		x.lookInTime()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	h := Health{LastAnswer: x.lastAnswer, Waiting: x.waiting.len(), Untaken: x.untaken, Lost: x.lost, Trouble: x.trouble()}
	for _, f := range []string{"face", "res", "req"} {
		if bad, ok := x.folders[f]; ok {
			h.Fault, h.Folder, h.Since = bad.word, f, bad.since
		}
	}
	if h.Folder == "" && !x.busySince.IsZero() && x.config.Now().Sub(x.busySince) > x.config.Timeout {
		h.Fault, h.Folder, h.Since = FaultSilent, "res", x.busySince
	}
	h.Ready = h.Fault == "" || h.Folder == "face"
	return h
}

// Probe uses the folders now, with a file of its own that it takes away again, and tells
// how they are. It waits no longer than Config.Timeout.
func (x *Exchange) Probe(ctx context.Context) Health {
	x.lookInTime()
	if err := x.write(ctx, "", "", nil); err != nil {
		x.config.Log.Warn("the request folder cannot be used", "error", err)
	}
	return x.Health()
}

// lookInTime notes whether the folders are there, or that their file system is silent.
func (x *Exchange) lookInTime() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.look()
	}()
	timer := time.NewTimer(x.config.Timeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		x.setFolder("res", FaultSilent)
	}
}

func (x *Exchange) look() {
	for name, dir := range x.dirs() {
		word := x.disk.folder(dir)
		if was := x.faultOf(name); word != "" || was == FaultNoFolder || was == FaultNotReadable || was == FaultSilent {
			x.setFolder(name, word)
		}
	}
}

func (x *Exchange) dirs() map[string]string {
	dirs := map[string]string{"req": x.config.ReqDir, "res": x.config.ResDir}
	if x.config.FaceDir != "" {
		dirs["face"] = x.config.FaceDir
	}
	return dirs
}

func (x *Exchange) faultOf(folder string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.folders[folder].word
}

// setFolder notes how a folder is; "" clears it. What changes is logged once.
func (x *Exchange) setFolder(folder, word string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.used = true
	was := x.folders[folder].word
	switch {
	case was == word:
	case word == "":
		delete(x.folders, folder)
		x.config.Log.Info("the folder can be used again", "folder", folder)
	default:
		x.folders[folder] = folderFault{word, x.config.Now()}
		x.config.Log.Warn("the folder cannot be used", "folder", folder, "fault", word)
	}
}
