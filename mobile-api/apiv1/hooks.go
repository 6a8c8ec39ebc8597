package apiv1

import (
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"madoguchi.example/shared/fault"
)

// Prepare sets huma's package-wide hooks once, before the first registration: error
// answers are Problems that repeat nothing, and names of fields are compared exactly.
//
// Huma's own hooks echo values, unknown names and the texts of decoders; each of them is
// replaced here and nowhere else.
var Prepare = sync.OnceFunc(func() {
	known := knownNames()
	huma.ValidateStrictCasing = true
	huma.ErrorFormatter = func(string, ...any) string { return "invalid" }
	for _, message := range messages() {
		*message = "invalid"
	}
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError {
		return statusProblem(status, errs, known)
	}
	huma.NewErrorWithContext = func(_ huma.Context, status int, _ string, errs ...error) huma.StatusError {
		return statusProblem(status, errs, known)
	}
})

func statusProblem(status int, errs []error, known map[string]bool) *Problem {
	p := NewProblem(status, CodeOfStatus(status))
	seen := map[string]bool{}
	for _, err := range errs {
		d, ok := err.(huma.ErrorDetailer)
		if !ok || d.ErrorDetail() == nil {
			continue
		}
		place := cutPlace(d.ErrorDetail().Location, known)
		if place != "" && !seen[place] && len(p.Places) < maxPlaces {
			seen[place] = true
			p.Places = append(p.Places, place)
		}
	}
	return p
}

// maxPlaces caps how many places one answer names.
const maxPlaces = 20

// CodeOfStatus gives the code of an error that is known by its status alone, such as
// one that a framework made.
func CodeOfStatus(status int) fault.Code {
	switch status {
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented: // no such thing here
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return fault.TooLarge
	case http.StatusUnsupportedMediaType:
		return fault.UnsupportedMedia
	case http.StatusTooManyRequests:
		return fault.RateLimited
	case http.StatusRequestTimeout, http.StatusServiceUnavailable:
		return fault.Unavailable
	case http.StatusGatewayTimeout:
		return fault.Unknown
	}
	if status < http.StatusInternalServerError {
		return fault.InvalidArgument
	}
	return fault.Internal
}

// cutPlace keeps the parts of a location that the contract itself names, and cuts it at
// the first that it does not: an unknown name, or an index of more than three digits, is
// the caller's own text.
func cutPlace(location string, known map[string]bool) string {
	var kept []string
	for i, part := range strings.Split(location, ".") {
		name, index, indexed := strings.Cut(part, "[")
		if i == 0 && !places[name] || i > 0 && !known[name] {
			break
		}
		kept = append(kept, name)
		if indexed && !smallIndex(index) {
			break
		}
	}
	return strings.Join(kept, ".")
}

var places = map[string]bool{"path": true, "query": true, "header": true, "body": true}

func smallIndex(s string) bool {
	digits, ok := strings.CutSuffix(s, "]")
	if !ok || len(digits) == 0 || len(digits) > 3 {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// knownNames gives every name of a field, header, path or query value that any
// operation declares.
func knownNames() map[string]bool {
	known := map[string]bool{}
	seen := map[reflect.Type]bool{}
	for _, d := range All() {
		collectNames(d.In, known, seen)
	}
	return known
}

func collectNames(t reflect.Type, known map[string]bool, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return
	}
	seen[t] = true
	for f := range t.Fields() {
		for _, key := range []string{"json", "path", "query", "header"} {
			if name, _, _ := strings.Cut(f.Tag.Get(key), ","); name != "" {
				known[name] = true
			}
		}
		collectNames(f.Type, known, seen)
	}
}

func messages() []*string {
	return []*string{
		&validation.MsgUnexpectedProperty, &validation.MsgExpectedRFC3339DateTime,
		&validation.MsgExpectedRFC1123DateTime, &validation.MsgExpectedRFC3339Date,
		&validation.MsgExpectedRFC3339Time, &validation.MsgExpectedRFC5322Email,
		&validation.MsgExpectedRFC5890Hostname, &validation.MsgExpectedRFC2673IPv4,
		&validation.MsgExpectedRFC2373IPv6, &validation.MsgExpectedRFCIPAddr,
		&validation.MsgExpectedRFC3986URI, &validation.MsgExpectedRFC4122UUID,
		&validation.MsgExpectedRFC6570URITemplate, &validation.MsgExpectedRFC6901JSONPointer,
		&validation.MsgExpectedRFC6901RelativeJSONPointer, &validation.MsgExpectedRegexp,
		&validation.MsgExpectedMatchAtLeastOneSchema, &validation.MsgExpectedMatchExactlyOneSchema,
		&validation.MsgExpectedNotMatchSchema, &validation.MsgExpectedPropertyNameInObject,
		&validation.MsgExpectedBoolean, &validation.MsgExpectedDuration, &validation.MsgExpectedNumber,
		&validation.MsgExpectedInteger, &validation.MsgExpectedString, &validation.MsgExpectedBase64String,
		&validation.MsgExpectedArray, &validation.MsgExpectedObject, &validation.MsgExpectedArrayItemsUnique,
		&validation.MsgExpectedOneOf, &validation.MsgExpectedMinimumNumber,
		&validation.MsgExpectedExclusiveMinimumNumber, &validation.MsgExpectedMaximumNumber,
		&validation.MsgExpectedExclusiveMaximumNumber, &validation.MsgExpectedNumberBeMultipleOf,
		&validation.MsgExpectedMinLength, &validation.MsgExpectedMaxLength,
		&validation.MsgExpectedBePattern, &validation.MsgExpectedMatchPattern,
		&validation.MsgExpectedMinItems, &validation.MsgExpectedMaxItems,
		&validation.MsgExpectedMinProperties, &validation.MsgExpectedMaxProperties,
		&validation.MsgExpectedRequiredProperty, &validation.MsgExpectedDependentRequiredProperty,
	}
}
