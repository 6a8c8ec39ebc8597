package door

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Names of the cookies. Over TLS they are bound to the host and to TLS by their prefix.
const (
	sessionCookie    = "madoguchi-session"
	lanSessionCookie = "__Host-madoguchi-session"
	deviceCookie     = "__Host-madoguchi-device"
)

// seenEvery is how often it is stored that a session is in use.
const seenEvery = time.Minute

// session is one browser's. The cookie's value is nowhere but in the browser.
type session struct {
	Device   string    `json:"device,omitempty"`
	UID      int       `json:"uid"` // the user of the machine whose browser it is; -1 where it is not known
	Operator string    `json:"operator,omitempty"`
	Last     string    `json:"last,omitempty"` // the operator before the lock, whom the sign-in offers first
	Locked   bool      `json:"locked,omitempty"`
	Created  time.Time `json:"created"`
	Seen     time.Time `json:"seen"`

	key     string
	stored  time.Time                        // the Seen that lies on the shelf
	streams map[*context.CancelFunc]struct{} // open streams, to end when it is locked
}

// held is a session as one request found it.
type held struct {
	key, csrf, operator, last, device string
	locked                            bool
}

type heldKey struct{}

// heldOf gives the session of a request that has one.
func heldOf(r *http.Request) held {
	h, _ := r.Context().Value(heldKey{}).(held)
	return h
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// secret makes 256 random bits.
func secret(rand io.Reader) (string, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(rand, b); err != nil {
		return "", fmt.Errorf("cannot make a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func (d *Door) loadSessions(ctx context.Context) error {
	var gone []string
	now := d.c.Now()
	err := d.c.Sessions.Each(ctx, func(key string, value []byte) error {
		s := &session{key: key}
		if json.Unmarshal(value, s) != nil || d.over(s, now) {
			gone = append(gone, key)
			return nil
		}
		s.stored = s.Seen
		d.sessions[key] = s
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot read the sessions: %w", err)
	}
	for _, key := range gone {
		d.unstore(ctx, key)
	}
	return nil
}

// over tells whether a session's life has ended, or its device's. The caller holds mu, or is
// New.
func (d *Door) over(s *session, now time.Time) bool {
	_, paired := d.devices[s.Device]
	age := now.Sub(s.Created)
	return age >= SessionLife || age < -SessionLife || (s.Device != "" && !paired)
}

// store keeps a session on the shelf. A full disk keeps nobody from the desk: then a restart
// costs a sign-in. The caller holds mu.
func (d *Door) store(ctx context.Context, s *session) {
	text, err := json.Marshal(s)
	if err == nil {
		err = d.c.Sessions.PutAll(ctx, map[string][]byte{s.key: text})
	}
	if err != nil {
		d.c.Log.Warn("a session could not be stored", "error", err)
		return
	}
	s.stored = s.Seen
}

// Keep stores all sessions and paired devices anew, as they are in memory: for shelves that
// were replaced by what could be salvaged of them.
func (d *Door) Keep(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	sessions, devices := map[string][]byte{}, map[string][]byte{}
	for key, s := range d.sessions {
		text, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("cannot encode a session: %w", err)
		}
		sessions[key] = text
	}
	for id, v := range d.devices {
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("cannot encode a device: %w", err)
		}
		devices[id] = text
	}
	return errors.Join(d.c.Sessions.PutAll(ctx, sessions), d.c.Devices.PutAll(ctx, devices))
}

func (d *Door) unstore(ctx context.Context, key string) {
	if err := d.c.Sessions.Delete(ctx, key); err != nil {
		d.c.Log.Warn("a session could not be removed", "error", err)
	}
}

// begin makes a session and sets its cookie.
func (e *entrance) begin(w http.ResponseWriter, r *http.Request, device string) (held, error) {
	cookie, err := secret(e.c.Rand)
	if err != nil {
		return held{}, err
	}
	now := e.c.Now()
	s := &session{Device: device, UID: e.userOf(r), Created: now, Seen: now, key: hashOf(cookie)}
	e.mu.Lock()
	own := func(s *session) bool { return device != "" && s.Device == device }
	for e.count(own) >= MaxPerDevice {
		e.drop(r.Context(), e.oldest(own))
	}
	for len(e.sessions) >= MaxSessions {
		e.drop(r.Context(), e.oldest(func(*session) bool { return true }))
	}
	e.sessions[s.key] = s
	e.store(r.Context(), s)
	e.mu.Unlock()
	e.cookie(w, e.sessionName(), cookie, SessionLife)
	return held{key: s.key, csrf: csrfOf(cookie), device: device}, nil
}

func (e *entrance) sessionName() string {
	if e.lan {
		return lanSessionCookie
	}
	return sessionCookie
}

func (e *entrance) cookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: true, Secure: e.lan, SameSite: http.SameSiteStrictMode, MaxAge: int(life / time.Second),
	})
}

// count gives how many sessions are of a kind. The caller holds mu.
func (d *Door) count(of func(*session) bool) int {
	n := 0
	for _, s := range d.sessions {
		if of(s) {
			n++
		}
	}
	return n
}

// oldest is the session of a kind that was longest unused. The caller holds mu.
func (d *Door) oldest(of func(*session) bool) *session {
	var oldest *session
	for _, s := range d.sessions {
		if of(s) && (oldest == nil || s.Seen.Before(oldest.Seen)) {
			oldest = s
		}
	}
	return oldest
}

// drop ends a session. The caller holds mu.
func (d *Door) drop(ctx context.Context, s *session) {
	s.end()
	delete(d.sessions, s.key)
	d.unstore(ctx, s.key)
}

// end ends the session's streams. The caller holds mu.
func (s *session) end() {
	for stop := range s.streams {
		(*stop)()
	}
	s.streams = nil
}

// session finds the request's session, and notes that it is in use. A paired device without
// one gets one.
func (e *entrance) session(w http.ResponseWriter, r *http.Request) (held, bool) {
	device, ok := "", true
	if e.lan {
		if device, ok = e.deviceOf(r); !ok {
			return held{}, false
		}
	}
	cookie, err := r.Cookie(e.sessionName())
	if err == nil {
		if s, ok := e.use(r, cookie.Value, device); ok {
			return s, true
		}
	}
	if !e.lan || r.Method != http.MethodGet {
		return held{}, false
	}
	s, err := e.begin(w, r, device)
	if err != nil {
		e.c.Log.Error("cannot begin a session", "error", err)
	}
	return s, err == nil
}

func (e *entrance) use(r *http.Request, cookie, device string) (held, bool) {
	uid := e.userOf(r)
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.sessions[hashOf(cookie)]
	now := e.c.Now()
	if !ok || s.Device != device {
		return held{}, false
	}
	if e.over(s, now) {
		e.drop(r.Context(), s)
		return held{}, false
	}
	if uid >= 0 && s.UID >= 0 && uid != s.UID {
		e.c.Log.Warn("another user of this machine came with the desk's cookie", "uid", uid)
		return held{}, false
	}
	e.maybeLock(r.Context(), s, now)
	if !s.Locked && acts(r) {
		s.Seen = now
		if now.Sub(s.stored) >= seenEvery || now.Before(s.stored) {
			e.store(r.Context(), s)
		}
	}
	return held{key: s.key, csrf: csrfOf(cookie), operator: s.Operator, last: s.Last, device: s.Device, locked: s.Locked}, true
}

// acts tells a person's act from what a page does by itself.
func acts(r *http.Request) bool {
	return r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") == "navigate" ||
		(r.Header.Get("HX-Request") == "" && r.URL.Path != eventsPath)
}

// maybeLock locks a session whose operator is away or gone. The caller holds mu.
func (d *Door) maybeLock(ctx context.Context, s *session, now time.Time) {
	if s.Operator == "" {
		return
	}
	_, here := d.c.Operators.Find(s.Operator)
	switch idle := now.Sub(s.Seen); {
	case !here:
		s.Operator, s.Last, s.Locked = "", "", false
	case s.Locked:
		return
	case idle >= d.c.LockAfter:
		s.Locked = true
	case idle < 0: // the clock was set back
		s.Seen = now
		return
	default:
		return
	}
	s.end()
	d.store(ctx, s)
}

// sweep locks and ends what is due.
func (d *Door) sweep(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.c.Now()
	for _, s := range d.sessions {
		if d.over(s, now) {
			d.drop(ctx, s)
			continue
		}
		d.maybeLock(ctx, s, now)
	}
	d.forgetWaiting(now)
}

// change changes a session and stores it; streams of before end.
func (d *Door) change(ctx context.Context, key string, do func(*session)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.sessions[key]; ok {
		do(s)
		s.Seen = d.c.Now()
		s.end()
		d.store(ctx, s)
	}
}

// streaming gives a context that ends when the session is locked or ended.
func (d *Door) streaming(ctx context.Context, h held) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	mine := &cancel
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.sessions[h.key]
	if !ok || s.Locked != h.locked || s.Operator != h.operator || len(s.streams) >= MaxStreams {
		cancel() // it was locked since, or has streams enough
		return ctx, cancel
	}
	if s.streams == nil {
		s.streams = map[*context.CancelFunc]struct{}{}
	}
	s.streams[mine] = struct{}{}
	return ctx, func() {
		cancel()
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(s.streams, mine)
	}
}

// visitor is who a session stands for.
func (e *entrance) visitor(h held) Visitor {
	v := Visitor{Device: h.device, CSRF: h.csrf}
	if o, ok := e.c.Operators.Find(h.operator); ok {
		v.Operator, v.SignedIn, v.Locked = o, true, h.locked
	}
	return v
}

// signOut ends what an operator was signed in to, once they were removed or lost their PIN.
func (d *Door) signOut(ctx context.Context, act, id string) {
	if act != "remove" && act != "reset" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sessions {
		if s.Operator == id {
			s.Operator, s.Last, s.Locked = "", "", false
			s.end()
			d.store(ctx, s)
		}
	}
}
