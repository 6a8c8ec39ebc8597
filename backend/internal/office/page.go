package office

import (
	"net/http"
	"net/url"
)

// Request is what a page function gets: copies, which stay as they are.
type Request struct {
	Method  string
	Path    string            // as the route table writes it
	Param   map[string]string // the path's parameters
	Query   url.Values
	Form    url.Values // of an unsafe method
	Cookie  map[string]string
	Accept  string // Accept-Language
	Partial bool   // htmx asked: answer the fragment alone
}

// Page is what a page function answers. Status 0 means 200, or 303 with a Location.
type Page struct {
	Status   int
	HTML     []byte
	Location string
	Reload   bool // tells htmx to load the whole page again
	Cookies  []*http.Cookie
}
