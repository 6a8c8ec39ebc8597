package door

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"madoguchi.example/agent/internal/control"
	"madoguchi.example/shared/fault"
)

// Limits of the one-time code that opens the desk.
const (
	CodeLife   = 2 * time.Minute
	CodeDigits = 8
	// CodeTries is how many wrong codes burn the ones that are out. Their tickets stay: else
	// whoever reaches the desk's address could keep it closed.
	CodeTries = 5
	// CodesOut are out at once; a further one takes the place of the eldest.
	CodesOut = 4
)

// Launch is what `open` gets of a running agent: a code to type, or a ticket that the file
// posts which the browser opens. Each opens the desk once.
type Launch struct {
	URL     string    `json:"url"`
	Code    string    `json:"code"`
	Ticket  string    `json:"ticket"`
	Expires time.Time `json:"expires"`
}

// launchFile posts the ticket of one launch. Nothing secret stands in an address.
var launchFile = template.Must(template.New("").Parse(`<!doctype html>
<html lang="ja"><head><meta charset="utf-8"><title>受付をひらく</title></head>
<body><form id="f" method="post" action="{{.URL}}"><input type="hidden" name="ticket" value="{{.Ticket}}">
<button type="submit">受付をひらく / Open the desk</button></form>
<script>document.getElementById("f").submit()</script></body></html>
`))

// WriteFile writes the page that opens the desk by itself, once, in whatever browser opens
// it. Only its owner may be able to read it.
func (l Launch) WriteFile(w io.Writer) error { return launchFile.Execute(w, l) }

// ticket is a Launch that is out.
type ticket struct {
	code, secret string // code is empty once wrong ones have burnt it
	expires      time.Time
	wrong        int
	spent        chan struct{}
}

type launcher struct {
	now  func() time.Time
	rand io.Reader

	mu  sync.Mutex
	out []*ticket
}

// issue makes a code and a ticket for the next two minutes.
func (l *launcher) issue(url string) (Launch, error) {
	n, err := rand.Int(l.rand, big.NewInt(100_000_000))
	if err != nil {
		return Launch{}, fmt.Errorf("cannot make a code: %w", err)
	}
	s, err := secret(l.rand)
	if err != nil {
		return Launch{}, err
	}
	t := &ticket{code: fmt.Sprintf("%0*d", CodeDigits, n), secret: s, expires: l.now().Add(CodeLife), spent: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget()
	if len(l.out) >= CodesOut {
		l.out = l.out[1:]
	}
	l.out = append(l.out, t)
	return Launch{URL: url + "/launch", Code: t.code, Ticket: t.secret, Expires: t.expires}, nil
}

// forget drops what is past its time. The caller holds mu.
func (l *launcher) forget() {
	now, kept := l.now(), l.out[:0]
	for _, t := range l.out {
		if left := t.expires.Sub(now); left > 0 && left <= CodeLife {
			kept = append(kept, t)
		}
	}
	l.out = kept
}

// spendCode tells whether the code is out, and takes it in. Every code that is out is
// compared, in the same time for right and wrong ones.
func (l *launcher) spendCode(code string) bool {
	return l.spend(func(t *ticket) string { return t.code }, code, true)
}

// spendTicket does so with a ticket, which nobody guesses: a wrong one burns nothing.
func (l *launcher) spendTicket(s string) bool {
	return l.spend(func(t *ticket) string { return t.secret }, s, false)
}

func (l *launcher) spend(of func(*ticket) string, got string, burns bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget()
	found := -1
	for i, t := range l.out {
		if subtle.ConstantTimeCompare([]byte(of(t)), []byte(got)) == 1 && got != "" {
			found = i
		}
	}
	if found >= 0 {
		close(l.out[found].spent)
		l.out = append(l.out[:found:found], l.out[found+1:]...)
		return true
	}
	if burns {
		for _, t := range l.out {
			if t.wrong++; t.wrong >= CodeTries {
				t.code = ""
			}
		}
	}
	return false
}

// spentOf gives the channel that closes when the ticket opens the desk, or nil
// where it is not out.
func (l *launcher) spentOf(s string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.out {
		if subtle.ConstantTimeCompare([]byte(t.secret), []byte(s)) == 1 {
			return t.spent
		}
	}
	return nil
}

// Acts are what the door does for callers of the control socket: "launch" gives a Launch,
// "launched" waits until a ticket has opened the desk, "reset_pin" takes the PIN of an
// operator away. address is the desk's own, "http://127.0.0.1:8090".
func (d *Door) Acts(address func() string) map[string]control.Act {
	return map[string]control.Act{
		"launch": func(context.Context, control.Peer, json.RawMessage) (any, error) {
			return d.launcher.issue(address())
		},
		"launched": func(ctx context.Context, _ control.Peer, args json.RawMessage) (any, error) {
			var s string
			if err := json.Unmarshal(args, &s); err != nil {
				return nil, fault.New(fault.InvalidArgument, "a ticket is missing")
			}
			spent := d.launcher.spentOf(s)
			if spent == nil {
				return true, nil
			}
			select {
			case <-spent:
				return true, nil
			case <-ctx.Done():
				return false, nil
			case <-time.After(CodeLife):
				return false, nil
			}
		},
		"reset_pin": func(ctx context.Context, _ control.Peer, args json.RawMessage) (any, error) {
			var id string
			if err := json.Unmarshal(args, &id); err != nil {
				return nil, fault.New(fault.InvalidArgument, "an operator is missing")
			}
			if err := d.c.Operators.ResetByOwner(ctx, id); err != nil {
				return nil, err
			}
			d.signOut(ctx, "reset", id)
			return true, nil
		},
	}
}

// launchPage is all that a browser without a session sees of the desk.
func (e *entrance) launchPage(w http.ResponseWriter, r *http.Request) {
	e.show(w, r, http.StatusOK, e.view(r, "launch"))
}

// launch spends a code that was typed, or the ticket of the file.
func (e *entrance) launch(w http.ResponseWriter, r *http.Request) {
	fromFile := e.isLaunchFile(r)
	v := e.view(r, "launch")
	if err := r.ParseForm(); err != nil {
		v.Fault = "launch_wrong"
		e.show(w, r, http.StatusUnprocessableEntity, v)
		return
	}
	right := false
	switch s := r.PostFormValue("ticket"); {
	case s != "":
		right = e.launcher.spendTicket(s)
	case !fromFile:
		right = e.launcher.spendCode(digits(r.PostFormValue("code")))
	}
	if !right {
		v.Fault = "launch_wrong"
		e.show(w, r, http.StatusUnprocessableEntity, v)
		return
	}
	s, err := e.begin(w, r, "")
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	e.c.Log.Info("the desk was opened")
	switch {
	case r.Header.Get("HX-Request") == "true": // a page that lost its session goes on to the PIN
		w.Header().Set("HX-Trigger", trigger("door-token", map[string]string{"csrf": s.csrf}))
		r = r.WithContext(WithVisitor(r.Context(), Visitor{CSRF: s.csrf}))
		e.show(w, r, http.StatusOK, e.view(r, "sign-in"))
	case fromFile: // a strict cookie goes along only when a page of our own leads on
		e.show(w, r, http.StatusOK, e.view(r, "opened"))
	default:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// digits folds full-width digits and drops what people put between digits.
func digits(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= '０' && c <= '９':
			return c - '０' + '0'
		case c >= '0' && c <= '9':
			return c
		}
		return -1
	}, s)
}
