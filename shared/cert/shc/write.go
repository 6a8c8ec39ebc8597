package shc

import (
	"strconv"
	"strings"
)

// The card's JSON is written by hand: it is minified, its members keep their order, and
// nothing is escaped that need not be. A text that is no UTF-8 stays so and is refused when
// the card is held against its own rules.

// usualPayload is room for a card of some doses, in bytes.
const usualPayload = 2048

func (p cardPayload) json() []byte {
	out := make([]byte, 0, usualPayload)
	out = appendText(append(out, `{"iss":`...), p.ISS)
	out = strconv.AppendInt(append(out, `,"nbf":`...), p.NBF, 10)
	if p.EXP != 0 {
		out = strconv.AppendInt(append(out, `,"exp":`...), p.EXP, 10)
	}
	out = append(out, `,"vc":{"type":["`+healthCardType+`"],"credentialSubject":{"fhirVersion":"`+fhirVersion+`","fhirBundle":{"resourceType":"Bundle","type":"collection","entry":[`...)
	out = p.Patient.append(append(out, `{"fullUrl":"resource:0","resource":`...))
	for n, i := range p.Immunizations {
		out = strconv.AppendInt(append(out, `},{"fullUrl":"resource:`...), int64(n+1), 10)
		out = i.append(append(out, `","resource":`...))
	}
	out = append(out, `}]}}`...)
	if p.RID != "" {
		out = appendText(append(out, `,"rid":`...), p.RID)
	}
	return append(out, `}}`...)
}

func (c cardPatient) append(out []byte) []byte {
	out = append(out, `{"resourceType":"Patient","name":[{`...)
	if c.Family != "" {
		out = appendText(append(out, `"family":`...), c.Family)
	}
	if c.Given != "" {
		if c.Family != "" {
			out = append(out, ',')
		}
		out = append(appendText(append(out, `"given":[`...), c.Given), ']')
	}
	return append(append(append(out, `}],"birthDate":"`...), c.BirthDate.String()...), `"}`...)
}

func (i cardImmunization) append(out []byte) []byte {
	out = append(out, `{"resourceType":"Immunization","status":"completed","vaccineCode":{"coding":[{"system":"`+systemCVX+`","code":`...)
	out = append(appendText(out, i.Code), `}]},"patient":{"reference":"resource:0"},"occurrenceDateTime":"`...)
	out = append(append(out, i.On.String()...), '"')
	if i.MVX != "" {
		out = append(appendText(append(out, `,"manufacturer":{"identifier":{"system":"`+systemMVX+`","value":`...), i.MVX), `}}`...)
	}
	if i.Lot != "" {
		out = appendText(append(out, `,"lotNumber":`...), i.Lot)
	}
	if i.Performer != "" {
		out = append(appendText(append(out, `,"performer":[{"actor":{"display":`...), i.Performer), `}}]`...)
	}
	return append(out, '}')
}

// appendText writes a string (RFC 8259 section 7).
func appendText(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	if !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == '"' || c == '\\' }) {
		return append(append(out, s...), '"')
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
