package httpapi

import (
	"net/http"
	"net/url"

	"madoguchi.example/shared/fault"
)

// maxFormFields caps how many fields one form may have.
const maxFormFields = 100

func formOf(in Request) (url.Values, error) {
	if len(in.Body) == 0 {
		return url.Values{}, nil
	}
	if mediaType(in.Header.Get("Content-Type")) != "application/x-www-form-urlencoded" {
		return nil, fault.At(fault.UnsupportedMedia, "header.Content-Type", "the form is not url-encoded")
	}
	form, err := url.ParseQuery(string(in.Body))
	if err != nil || len(form) > maxFormFields {
		return nil, fault.At(fault.InvalidArgument, "body", "the form cannot be read")
	}
	return form, nil
}

func cookiesOf(h http.Header) map[string]string {
	out := map[string]string{}
	for _, c := range (&http.Request{Header: h}).Cookies() {
		out[c.Name] = c.Value
	}
	return out
}
