// Package door is the way into the desk: who may open it, from where, and who stands there.
//
// It answers only under the terminal's own names, only to pages of its own, and only after a
// one-time code that a program of the same person asked for over the control socket; other
// PCs of the clinic come in over TLS with a key that a lead has accepted. Behind it every
// request of the desk has a session and an operator; without them a visitor learns no name,
// only how many records wait. Secrets stand in cookies and bodies, never in an address, and
// lie on the terminal as hashes.
package door

import (
	"context"
	"errors"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/shared/notice"
)

// Shelves of the vault that the door keeps its things on.
const (
	SessionShelf = "session"
	DeviceShelf  = "device"
)

// Limits.
const (
	// SessionLife is how long a session lasts at most; a restart does not end it.
	SessionLife = 16 * time.Hour
	// MaxSessions are open at once; the one that was longest unused gives way.
	MaxSessions = 64
	// MaxPerDevice of them are of one paired PC.
	MaxPerDevice = 8
	// MaxStreams are open at once in one session; a further one ends at once.
	MaxStreams = 16
	// MaxFormBytes and MaxFileBytes bound what the door reads to find a form's token.
	MaxFormBytes = 128 << 10
	MaxFileBytes = 10 << 20
)

// Shelf is encrypted storage by opaque key. The vault's shelves are one.
type Shelf interface {
	Each(ctx context.Context, visit func(key string, value []byte) error) error
	PutAll(ctx context.Context, values map[string][]byte) error
	Delete(ctx context.Context, key string) error
}

// Config is what a Door is made of. All but LAN, Log, Office, Pending, SweepEvery and Browser
// must be set.
type Config struct {
	Operators *operator.Book
	Sessions  Shelf
	Devices   Shelf
	// LockAfter without an act of the operator the session asks for the PIN again.
	LockAfter time.Duration
	// Pending counts the records that wait to be sent: the one figure that a lock page shows.
	Pending func() int
	// Office names the clinic on pages behind the launch.
	Office func() string
	LAN    LAN
	Now    func() time.Time
	Rand   io.Reader
	Log    *slog.Logger
	// SweepEvery is how often Run looks for sessions to lock; 0: every second.
	SweepEvery time.Duration
}

// Visitor is who stands behind a request of the desk.
type Visitor struct {
	Device   string // "" = this terminal, else a paired one's id
	Operator operator.Operator
	SignedIn bool   // an operator gave their PIN
	Locked   bool   // and the session was locked since; the desk never sees one
	CSRF     string // for the hidden field csrf and the header X-CSRF-Token
}

type visitorKey struct{}

// From gives the visitor of a request that came through the door, and nobody elsewhere.
func From(ctx context.Context) Visitor {
	v, _ := ctx.Value(visitorKey{}).(Visitor)
	return v
}

// WithVisitor puts a visitor into ctx.
func WithVisitor(ctx context.Context, v Visitor) context.Context {
	return context.WithValue(ctx, visitorKey{}, v)
}

// Door lets visitors in. It is safe for concurrent use.
type Door struct {
	c        Config
	pages    *template.Template
	words    map[notice.Language]words
	launcher launcher

	mu       sync.Mutex
	sessions map[string]*session // by the hash of the cookie
	devices  map[string]device   // by id
	waiting  map[string]*waiting // by the hash of the key
}

// New makes a Door and reads the sessions and devices that it had.
func New(c Config) (*Door, error) {
	if c.Operators == nil || c.Sessions == nil || c.Devices == nil || c.Now == nil || c.Rand == nil || c.LockAfter <= 0 {
		return nil, errors.New("cannot make the door: a part is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Pending == nil {
		c.Pending = func() int { return 0 }
	}
	if c.Office == nil {
		c.Office = func() string { return "" }
	}
	if c.SweepEvery == 0 {
		c.SweepEvery = time.Second
	}
	d := &Door{c: c, sessions: map[string]*session{}, devices: map[string]device{}, waiting: map[string]*waiting{}}
	d.launcher = launcher{now: c.Now, rand: c.Rand}
	if err := d.loadPages(); err != nil {
		return nil, err
	}
	ctx := context.Background()
	return d, errors.Join(d.loadDevices(ctx), d.loadSessions(ctx))
}

// Run locks sessions whose operator is away, until ctx ends. Without it they are locked at
// the next request, and open streams stay open.
func (d *Door) Run(ctx context.Context) error {
	tick := time.NewTicker(d.c.SweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			d.sweep(ctx)
		}
	}
}

// Wrap gives the handler of the terminal's own listener, which must be on loopback. Files
// below /assets/ are the desk's and public; everything else of the desk needs an operator.
func (d *Door) Wrap(desk http.Handler) http.Handler { return d.entrance(desk, false) }

// WrapLAN gives the handler for the other PCs, to be served with TLS alone: pairing to those
// that are not paired, and the desk to those that are.
func (d *Door) WrapLAN(desk http.Handler) http.Handler { return d.entrance(desk, true) }

// entrance is one of the two ways in.
type entrance struct {
	*Door
	desk http.Handler
	lan  bool
	open *http.ServeMux // what needs no session
	own  *http.ServeMux // what needs one, and may be locked
	lead *http.ServeMux // what needs an operator
}

func (d *Door) entrance(desk http.Handler, lan bool) http.Handler {
	e := &entrance{Door: d, desk: desk, lan: lan, open: http.NewServeMux(), own: http.NewServeMux(), lead: http.NewServeMux()}
	e.open.HandleFunc("GET /door/{file}", e.file)
	e.open.HandleFunc("GET /assets/", e.asset)
	if lan {
		e.open.HandleFunc("GET /pair", e.pairPage)
		e.open.HandleFunc("POST /pair", e.pairAsk)
		e.open.HandleFunc("GET /pair/state", e.pairState)
		e.open.HandleFunc("GET /pair/ca.crt", e.pairAuthority)
	} else {
		e.open.HandleFunc("GET /launch", e.launchPage)
		e.open.HandleFunc("POST /launch", e.launch)
	}
	e.own.HandleFunc("GET /sign-in", e.signInPage)
	e.own.HandleFunc("POST /sign-in", e.signIn)
	e.own.HandleFunc("POST /lock", e.lock)
	e.own.HandleFunc("POST /awake", e.awake)
	e.lead.HandleFunc("GET /operators", e.operatorsPage)
	e.lead.HandleFunc("POST /operators", e.changeOperators)
	if !lan {
		e.lead.HandleFunc("GET /devices", e.devicesPage)
		e.lead.HandleFunc("POST /devices", e.changeDevices)
	}
	return http.HandlerFunc(e.serve)
}

// serve asks, in this order: the name, the page that sends, the session, its token, and the
// operator.
func (e *entrance) serve(w http.ResponseWriter, r *http.Request) {
	e.headers(w)
	if !e.ownHost(r.Host) {
		http.Error(w, "this desk answers only under its own names", http.StatusMisdirectedRequest)
		return
	}
	if !e.ownPage(r) {
		http.Error(w, "this desk answers only its own pages", http.StatusForbidden)
		return
	}
	if _, pattern := e.open.Handler(r); pattern != "" {
		r.Body = http.MaxBytesReader(w, r.Body, MaxFormBytes)
		e.open.ServeHTTP(w, r)
		return
	}
	s, ok := e.session(w, r)
	if !ok {
		e.stranger(w, r)
		return
	}
	v := e.visitor(s)
	r = r.WithContext(context.WithValue(WithVisitor(r.Context(), v), heldKey{}, s))
	if err := e.token(w, r, s.csrf); err != nil {
		e.refuse(w, r, err)
		return
	}
	if _, pattern := e.own.Handler(r); pattern != "" {
		e.own.ServeHTTP(w, r)
		return
	}
	if !v.SignedIn || v.Locked {
		e.shut(w, r, s)
		return
	}
	if _, pattern := e.lead.Handler(r); pattern != "" {
		e.lead.ServeHTTP(w, r)
		return
	}
	if r.URL.Path == eventsPath {
		ctx, stop := e.streaming(r.Context(), s)
		defer stop()
		r = r.WithContext(ctx)
	}
	e.desk.ServeHTTP(w, r)
}

// eventsPath is the desk's stream; it ends when its session is locked.
const eventsPath = "/events"

// asset gives the desk's files to anybody under the right name.
func (e *entrance) asset(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/") { // no list of a folder
		http.NotFound(w, r)
		return
	}
	e.desk.ServeHTTP(w, r)
}
