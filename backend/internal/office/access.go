package office

import (
	"context"
	"net/http"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/fault"
)

// The console's cookies. Session is the name that the access rule reads.
const (
	SessionCookie  = "madoguchi_office"
	bindingCookie  = "madoguchi_office_flow"
	bindingAge     = 10 * time.Minute
	sessionAge     = 12 * time.Hour
	languageAge    = 365 * 24 * time.Hour
	callbackPath   = "/office/callback"
	maxCallbackLen = 2048
)

// Root leads to the first page.
func (o *Office) Root(context.Context, actor.Anyone, Request) (Page, error) {
	return Page{Location: "/office/"}, nil
}

// SignInPage offers to sign in.
func (o *Office) SignInPage(ctx context.Context, _ actor.Anyone, r Request) (Page, error) {
	return o.render(ctx, r, nil, "signin", nil)
}

// BeginSignIn sends the browser to the provider, with the secret that only this browser
// can bring back.
func (o *Office) BeginSignIn(ctx context.Context, _ actor.Anyone, _ Request) (Page, error) {
	to, binding, err := o.SignIn.Start(ctx)
	if err != nil {
		return Page{}, err
	}
	return Page{Location: to, Cookies: []*http.Cookie{o.cookie(bindingCookie, binding, callbackPath, bindingAge)}}, nil
}

// Callback takes the provider's answer.
func (o *Office) Callback(ctx context.Context, _ actor.Anyone, r Request) (Page, error) {
	code, state := r.Query.Get("code"), r.Query.Get("state")
	if code == "" || len(code) > maxCallbackLen || state == "" || len(state) > maxCallbackLen {
		return Page{}, fault.New(fault.InvalidArgument, "the sign-in was not finished")
	}
	session, err := o.SignIn.Finish(ctx, code, state, r.Cookie[bindingCookie])
	if err != nil {
		return Page{}, err
	}
	return Page{Location: "/office/", Cookies: []*http.Cookie{
		o.cookie(bindingCookie, "", callbackPath, 0),
		o.cookie(SessionCookie, session, "/office", sessionAge),
	}}, nil
}

// SignOut ends the session.
func (o *Office) SignOut(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	if err := o.SignIn.SignOut(ctx, who, r.Cookie[SessionCookie]); err != nil {
		return Page{}, err
	}
	return Page{Location: "/office/sign-in", Cookies: []*http.Cookie{o.cookie(SessionCookie, "", "/office", 0)}}, nil
}

// ChooseLanguage remembers the language and goes back to where the officer was.
func (o *Office) ChooseLanguage(_ context.Context, _ actor.Anyone, r Request) (Page, error) {
	l, ok := parseLanguage(r.Form.Get("language"))
	if !ok {
		return Page{}, fault.At(fault.InvalidArgument, "language", "this language is not offered")
	}
	back := r.Form.Get("back")
	if !ourPath(back) {
		back = "/office/"
	}
	return Page{Location: back, Cookies: []*http.Cookie{o.cookie(languageCookie, string(l), "/office", languageAge)}}, nil
}

// ourPath tells whether a path stays inside the console, whatever a form says.
func ourPath(p string) bool {
	return strings.HasPrefix(p, "/office/") && !strings.ContainsAny(p, "\\\r\n:?#") && !strings.Contains(p, "//")
}

// Failed shows what happened. status and code come from the fault; nothing else does.
func (o *Office) Failed(r Request, status int, code fault.Code, trace string) Page {
	signedOut := status == http.StatusUnauthorized
	if signedOut && r.Partial {
		return Page{Status: http.StatusOK, Reload: true}
	}
	if signedOut && r.Path != callbackPath {
		return Page{Location: "/office/sign-in"}
	}
	key := "error." + string(code)
	if !o.words.has(key) {
		key = "error.internal"
	}
	return o.failedPage(r, status, key, trace)
}

// FailedFor shows what happened for a reason that has words of its own, else by the status.
func (o *Office) FailedFor(r Request, status int, reason, trace string) Page {
	key := "error.reason." + reason
	if !o.words.has(key) {
		key = "error.internal"
	}
	return o.failedPage(r, status, key, trace)
}

func (o *Office) failedPage(r Request, status int, key, trace string) Page {
	signedOut := status == http.StatusUnauthorized
	r.Partial, r.Param = false, nil // nothing of what was asked for comes back
	page, err := o.render(context.Background(), r, nil, "failed", failed{key, trace, signedOut || r.Path == callbackPath})
	if err != nil {
		return Page{Status: status}
	}
	page.Status = status
	return page
}

type failed struct {
	Key, Trace string
	Again      bool
}
