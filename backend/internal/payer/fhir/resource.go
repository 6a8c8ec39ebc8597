package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"madoguchi.example/shared/fault"
)

// Sizes of resources in bytes, checked before they are decoded, and how deep they may nest.
const (
	MaxResourceBytes = 256 << 10
	maxDepth         = 32
)

// Rest holds the members of an object that have no field of their own, as they were
// written. Together with the fields they are the whole object: reading and writing a
// resource loses nothing.
type Rest map[string]json.RawMessage

// CoverageEligibilityRequest is the R4 resource; so are the types below, each with the
// members that a check needs.
type CoverageEligibilityRequest struct {
	ResourceType string             `json:"resourceType"`
	ID           string             `json:"id"`
	Contained    []json.RawMessage  `json:"contained"`
	Identifier   []Identifier       `json:"identifier"`
	Status       string             `json:"status"`
	Purpose      []string           `json:"purpose"`
	Patient      *Reference         `json:"patient"`
	ServicedDate string             `json:"servicedDate"`
	Created      string             `json:"created"`
	Provider     *Reference         `json:"provider"`
	Insurer      *Reference         `json:"insurer"`
	Insurance    []RequestInsurance `json:"insurance"`
	Rest         Rest               `json:"-"`
}

// RequestInsurance is one coverage that is asked about.
type RequestInsurance struct {
	Focal    *bool      `json:"focal"`
	Coverage *Reference `json:"coverage"`
	Rest     Rest       `json:"-"`
}

// CoverageEligibilityResponse is the payer's word.
type CoverageEligibilityResponse struct {
	ResourceType string              `json:"resourceType"`
	ID           string              `json:"id"`
	Contained    []json.RawMessage   `json:"contained"`
	Identifier   []Identifier        `json:"identifier"`
	Status       string              `json:"status"`
	Purpose      []string            `json:"purpose"`
	Patient      *Reference          `json:"patient"`
	ServicedDate string              `json:"servicedDate"`
	Created      string              `json:"created"`
	Request      *Reference          `json:"request"`
	Outcome      string              `json:"outcome"`
	Disposition  string              `json:"disposition"`
	Insurer      *Reference          `json:"insurer"`
	Insurance    []ResponseInsurance `json:"insurance"`
	Error        []ResponseError     `json:"error"`
	Rest         Rest                `json:"-"`
}

// ResponseInsurance is the word on one coverage.
type ResponseInsurance struct {
	Coverage      *Reference `json:"coverage"`
	Inforce       *bool      `json:"inforce"`
	BenefitPeriod *Period    `json:"benefitPeriod"`
	Item          []Item     `json:"item"`
	Rest          Rest       `json:"-"`
}

// Item is one kind of benefit under a coverage.
type Item struct {
	Benefit []Benefit `json:"benefit"`
	Rest    Rest      `json:"-"`
}

// Benefit is one amount of an Item.
type Benefit struct {
	Type               *CodeableConcept `json:"type"`
	AllowedUnsignedInt *int             `json:"allowedUnsignedInt"`
	Rest               Rest             `json:"-"`
}

// ResponseError is one reason why the payer could not do all of it.
type ResponseError struct {
	Code *CodeableConcept `json:"code"`
	Rest Rest             `json:"-"`
}

// Coverage is what a person is insured under.
type Coverage struct {
	ResourceType string       `json:"resourceType"`
	ID           string       `json:"id"`
	Extension    []Extension  `json:"extension"`
	Identifier   []Identifier `json:"identifier"`
	Status       string       `json:"status"`
	SubscriberID string       `json:"subscriberId"`
	Beneficiary  *Reference   `json:"beneficiary"`
	Dependent    string       `json:"dependent"`
	Period       *Period      `json:"period"`
	Payor        []Reference  `json:"payor"`
	Rest         Rest         `json:"-"`
}

// Patient is the person, of whom a payer is told the birth date alone.
type Patient struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Name         []Name `json:"name"`
	BirthDate    string `json:"birthDate"`
	Rest         Rest   `json:"-"`
}

// Name is a person's name in one script.
type Name struct {
	Extension []Extension `json:"extension"`
	Text      string      `json:"text"`
	Family    string      `json:"family"`
	Given     []string    `json:"given"`
	Rest      Rest        `json:"-"`
}

// Organization is an insurer or a clinic.
type Organization struct {
	ResourceType string       `json:"resourceType"`
	ID           string       `json:"id"`
	Identifier   []Identifier `json:"identifier"`
	Name         string       `json:"name"`
	Rest         Rest         `json:"-"`
}

// OperationOutcome is what a server says instead of an answer.
type OperationOutcome struct {
	ResourceType string  `json:"resourceType"`
	Issue        []Issue `json:"issue"`
	Rest         Rest    `json:"-"`
}

// Issue is one reason of an OperationOutcome. Its words are not read: they may repeat what
// was asked.
type Issue struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Rest     Rest   `json:"-"`
}

// Identifier is a business identifier.
type Identifier struct {
	System string `json:"system"`
	Value  string `json:"value"`
	Rest   Rest   `json:"-"`
}

// Reference points to another resource: "#id" is a contained one.
type Reference struct {
	Reference  string      `json:"reference"`
	Identifier *Identifier `json:"identifier"`
	Display    string      `json:"display"`
	Rest       Rest        `json:"-"`
}

// Period is from day to day, both of which count.
type Period struct {
	Start string `json:"start"`
	End   string `json:"end"`
	Rest  Rest   `json:"-"`
}

// CodeableConcept is a meaning in one or more code systems.
type CodeableConcept struct {
	Coding []Coding `json:"coding"`
	Rest   Rest     `json:"-"`
}

// Coding is one code.
type Coding struct {
	System string `json:"system"`
	Code   string `json:"code"`
	Rest   Rest   `json:"-"`
}

// Extension is a member that a profile adds.
type Extension struct {
	URL         string `json:"url"`
	ValueString string `json:"valueString"`
	ValueCode   string `json:"valueCode"`
	Rest        Rest   `json:"-"`
}

// Resource is one of the resource types above.
type Resource interface {
	CoverageEligibilityRequest | CoverageEligibilityResponse | Coverage | Patient | Organization | OperationOutcome
}

// Decode reads one resource, strictly as far as it knows it: the right resourceType, no
// member twice, no null, members of the right kind. What it does not know it keeps.
func Decode[R Resource](raw []byte) (R, error) {
	var r R
	if len(raw) > MaxResourceBytes {
		return r, fault.At(fault.TooLarge, "resource", "must be at most %d bytes", MaxResourceBytes)
	}
	if !shallow(raw) {
		return r, fault.At(fault.InvalidArgument, "resource", "must not nest deeper than %d", maxDepth)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fault.At(fault.InvalidArgument, "resource", "must be FHIR R4 in JSON")
	}
	if reflect.ValueOf(r).FieldByName("ResourceType").String() != reflect.TypeOf(r).Name() {
		return r, fault.At(fault.InvalidArgument, "resource.resourceType", "must be %s", reflect.TypeOf(r).Name())
	}
	return r, nil
}

// TypeOf tells the resourceType of what may be a resource, "" for what is none.
func TypeOf(raw []byte) string {
	var r struct {
		ResourceType string `json:"resourceType"`
	}
	if len(raw) > MaxResourceBytes || json.Unmarshal(raw, &r) != nil {
		return ""
	}
	return r.ResourceType
}

// shallow tells whether brackets nest no deeper than maxDepth; in strings they do not count.
func shallow(raw []byte) bool {
	depth, inString, escaped := 0, false, false
	for _, c := range raw {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return true
}

// open reads an object into the fields of the struct that into points to; rest takes what
// has no field. Names must be spelt exactly.
func open(raw []byte, into any, rest *Rest) error {
	all, err := members(raw)
	if err != nil {
		return err
	}
	v := reflect.ValueOf(into).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("json")
		one, ok := all[name]
		if name == "-" || !ok {
			continue
		}
		if err := json.Unmarshal(one, v.Field(i).Addr().Interface()); err != nil {
			return err
		}
		delete(all, name)
	}
	*rest = nil
	if len(all) > 0 {
		*rest = all
	}
	return nil
}

// members gives an object's members. A name twice is refused, for readers differ in which
// they take; so is null, which FHIR does not have.
func members(raw []byte) (Rest, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, fmt.Errorf("cannot read an object")
	}
	all := Rest{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("cannot read a member's name")
		}
		var one json.RawMessage
		if err := d.Decode(&one); err != nil {
			return nil, err
		}
		if _, twice := all[name]; twice || string(one) == "null" {
			return nil, fmt.Errorf("cannot read a member that is null or stands twice")
		}
		all[name] = one
	}
	return all, nil
}

// shut writes what open read: the fields that are not zero, then the rest by name.
func shut(from any, rest Rest) ([]byte, error) {
	var b bytes.Buffer
	put := func(name string, one any) error {
		raw, err := json.Marshal(one)
		if err != nil {
			return err
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		b.Write(key)
		b.WriteByte(':')
		b.Write(raw)
		return err
	}
	b.WriteByte('{')
	v := reflect.ValueOf(from)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("json")
		if name == "-" || isEmpty(v.Field(i)) {
			continue
		}
		if err := put(name, v.Field(i).Interface()); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		if err := put(name, rest[name]); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// isEmpty tells what is not written: FHIR has neither empty texts nor empty lists.
func isEmpty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice {
		return v.Len() == 0
	}
	return v.IsZero()
}

// code gives the concept's first code, "" where there is none.
func (c *CodeableConcept) code() string {
	if c == nil || len(c.Coding) == 0 {
		return ""
	}
	return c.Coding[0].Code
}

// has tells whether one of the concept's codes is among these.
func (c *CodeableConcept) has(codes []string) bool {
	return c != nil && slices.ContainsFunc(c.Coding, func(x Coding) bool { return slices.Contains(codes, x.Code) })
}

// local gives the id of the contained resource that the reference points to, "" for others.
func (r *Reference) local() string {
	if r == nil {
		return ""
	}
	id, ok := strings.CutPrefix(r.Reference, "#")
	if !ok {
		return ""
	}
	return id
}

// contained finds the contained resource of the type that the reference points to.
func contained[R Resource](all []json.RawMessage, to *Reference) (R, bool) {
	var none R
	id := to.local()
	if id == "" {
		return none, false
	}
	for _, raw := range all {
		r, err := Decode[R](raw)
		if err == nil && reflect.ValueOf(r).FieldByName("ID").String() == id {
			return r, true
		}
	}
	return none, false
}
