package door

import (
	"net/http"
)

// Unguarded gives the handler of a desk that holds nothing of anybody, to be served on
// loopback: it answers only under the terminal's own names and only to pages of its own, as
// Wrap does, and there is no session: whoever comes is v.
func Unguarded(desk http.Handler, v Visitor) http.Handler {
	e := &entrance{Door: &Door{}, desk: desk}
	files := http.NewServeMux()
	files.HandleFunc("GET /door/{file}", e.file)
	files.HandleFunc("GET /assets/", e.asset)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.headers(w)
		switch {
		case !e.ownHost(r.Host):
			http.Error(w, "this desk answers only under its own names", http.StatusMisdirectedRequest)
			return
		case !e.ownPage(r):
			http.Error(w, "this desk answers only its own pages", http.StatusForbidden)
			return
		}
		if _, pattern := files.Handler(r); pattern != "" {
			files.ServeHTTP(w, r)
			return
		}
		if err := e.token(w, r, v.CSRF); err != nil {
			http.Error(w, "this page is too old; load it again", http.StatusForbidden)
			return
		}
		desk.ServeHTTP(w, r.WithContext(WithVisitor(r.Context(), v)))
	})
}
