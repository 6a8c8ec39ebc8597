package door

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/shared/fault"
)

// stranger answers a visitor without a session: a page gets the way in, a part gets nothing.
func (e *entrance) stranger(w http.ResponseWriter, r *http.Request) {
	way := "launch"
	if e.lan {
		way = "pair"
	}
	switch {
	case r.Header.Get("HX-Request") == "true":
		w.Header().Set("HX-Reswap", "none")
		w.Header().Set("HX-Trigger", trigger("door-lost", map[string]string{"way": "/" + way}))
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodGet && e.lan:
		e.pairFirst(w, r)
	case r.Method == http.MethodGet && acts(r) && r.URL.Path != eventsPath:
		e.show(w, r, http.StatusUnauthorized, e.view(r, way))
	default:
		http.Error(w, "open the desk first", http.StatusUnauthorized)
	}
}

// shut answers where a PIN is needed first. What a page holds stays where it is.
func (e *entrance) shut(w http.ResponseWriter, r *http.Request, s held) {
	switch {
	case r.Header.Get("HX-Request") == "true":
		w.Header().Set("HX-Reswap", "none")
		w.Header().Set("HX-Trigger", trigger("door-locked", nil))
		w.WriteHeader(http.StatusForbidden)
	case r.URL.Path == eventsPath && r.Method == http.MethodGet:
		e.waitForPIN(w, r, s)
	case r.Method == http.MethodGet:
		v := e.view(r, "sign-in")
		v.To = localPath(r.URL.RequestURI())
		e.show(w, r, http.StatusForbidden, v)
	default:
		http.Error(w, "give your PIN first", http.StatusForbidden)
	}
}

// keepAlive is how often a silent stream says that it is alive.
const keepAlive = 20 * time.Second

// waitForPIN is the stream of a locked session: it says that it is locked, and ends when it
// no longer is, so that the page asks for the desk's stream again.
func (e *entrance) waitForPIN(w http.ResponseWriter, r *http.Request, s held) {
	ctx, stop := e.streaming(r.Context(), s)
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	line := "retry: 1000\nevent: locked\ndata: {}\n\n"
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		if _, err := w.Write([]byte(line)); err != nil || out.Flush() != nil {
			return
		}
		line = ": alive\n\n"
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// signInPage offers the operators. To a part of a page it gives the overlay.
func (e *entrance) signInPage(w http.ResponseWriter, r *http.Request) {
	v := e.view(r, "sign-in")
	v.To = "/"
	e.show(w, r, http.StatusOK, v)
}

// signIn takes a PIN, or the first one twice.
func (e *entrance) signIn(w http.ResponseWriter, r *http.Request) {
	s := heldOf(r)
	id, pin, again := r.PostFormValue("operator"), r.PostFormValue("pin"), r.PostFormValue("again")
	o, err := operator.Operator{}, error(nil)
	switch known, found := e.c.Operators.Find(id); {
	case found && !known.HasPIN && again == "":
		err = fault.At(fault.Conflict, operator.PlacePIN, operator.PINUnset)
	case found && !known.HasPIN && again != pin:
		err = fault.At(fault.InvalidArgument, operator.PlacePIN, "pin_differs")
	case found && !known.HasPIN:
		o, err = e.c.Operators.SetFirst(r.Context(), id, pin)
	default:
		o, err = e.c.Operators.SignIn(r.Context(), id, pin)
	}
	if err != nil {
		e.signInAgain(w, r, id, err)
		return
	}
	e.change(r.Context(), s.key, func(s *session) { s.Operator, s.Last, s.Locked = o.ID, o.ID, false })
	e.c.Log.Info("an operator signed in", "operator", o.ID, "device", s.device)
	if r.Header.Get("HX-Request") == "true" { // the overlay goes; what it lay over is as it was
		w.Header().Set("HX-Trigger", trigger("door-open", map[string]string{"operator": o.ID, "name": o.Name, "csrf": s.csrf}))
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusOK)
		return
	}
	http.Redirect(w, r, localPath(r.PostFormValue("to")), http.StatusSeeOther)
}

func (e *entrance) signInAgain(w http.ResponseWriter, r *http.Request, id string, err error) {
	status, word := told(err)
	if word == "" {
		e.refuse(w, r, err)
		return
	}
	v := e.view(r, "sign-in")
	v.Fault, v.Chosen, v.To = word, id, localPath(r.PostFormValue("to"))
	v.First = word == operator.PINUnset || word == "pin_differs" || word == operator.PINWeak || (word == operator.PINForm && r.PostFormValue("again") != "")
	if word == operator.PINUnset {
		v.Fault, v.Hint = "", "pin_first"
	}
	v.Wait = int(e.c.Operators.Waits(id).Round(time.Second) / time.Second)
	e.show(w, r, status, v)
}

// told gives the status and the word of the catalogue for a fault that a person can mend; no
// word for any other.
func told(err error) (int, string) {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return http.StatusInternalServerError, ""
	}
	word := e.Message
	switch e.Code {
	case fault.Unauthenticated, fault.InvalidArgument, fault.NotFound, fault.MyNumberRefused:
		return http.StatusUnprocessableEntity, word
	case fault.Conflict:
		return http.StatusConflict, word
	case fault.Forbidden:
		return http.StatusForbidden, word
	case fault.RateLimited:
		return http.StatusTooManyRequests, word
	}
	return http.StatusInternalServerError, ""
}

// lock hides the patients until the next PIN.
func (e *entrance) lock(w http.ResponseWriter, r *http.Request) {
	e.change(r.Context(), heldOf(r).key, func(s *session) { s.Locked = s.Operator != "" })
	if r.Header.Get("HX-Request") != "true" {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	v := From(r.Context())
	v.Locked = v.SignedIn
	r = r.WithContext(WithVisitor(r.Context(), v))
	e.show(w, r, http.StatusOK, e.view(r, "sign-in"))
}

// awake is what a page says while somebody types in it.
func (e *entrance) awake(w http.ResponseWriter, r *http.Request) {
	v := From(r.Context())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]bool{"open": v.SignedIn && !v.Locked})
}

// refuse tells what keeps a request from being served.
func (e *entrance) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch fault.CodeOf(err) {
	case fault.Forbidden:
		v := e.view(r, "stale")
		if r.Header.Get("HX-Request") == "true" {
			w.Header().Set("HX-Retarget", "#door")
			w.Header().Set("HX-Reswap", "innerHTML")
			w.Header().Set("HX-Trigger", trigger("door-token", map[string]string{"csrf": v.Visitor.CSRF}))
		}
		e.show(w, r, http.StatusForbidden, v)
	case fault.TooLarge:
		http.Error(w, "the form or picture is too large", http.StatusRequestEntityTooLarge)
	case fault.InvalidArgument:
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
	default:
		e.c.Log.Error("the door failed", "error", err)
		http.Error(w, "cannot do this now; try again", http.StatusServiceUnavailable)
	}
}

// trigger is the header that tells a page's script of an event. A header is ASCII.
func trigger(event string, detail map[string]string) string {
	text, err := json.Marshal(map[string]map[string]string{event: detail})
	if err != nil {
		return ""
	}
	return ascii(string(text))
}
