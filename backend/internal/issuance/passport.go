package issuance

import (
	"errors"
	"log/slog"
	"strconv"
	"strings"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/jptext"
	"madoguchi.example/shared/mrz"
)

// passport is what the lines of a passport say. It lives for one call.
type passport struct {
	number        string
	family, given string
	nameCut       bool
	birth         civil.Date // zero where the passport does not know it whole
	expires       civil.Date
}

// LogValue masks the passport.
func (*passport) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks the passport.
func (*passport) String() string { return identity.Mask }

// The places of the passport's lines.
const (
	placeMRZ   = "body.mrz"
	placeNames = placeMRZ + ".0"
	placeDates = placeMRZ + ".1"
)

// reasons are the words of the contract for the fields of a zone: of a wrong form, and of a
// wrong check digit.
var reasons = map[mrz.Field][2]string{
	mrz.FieldForm:        {"length"},
	mrz.FieldCode:        {"document"},
	mrz.FieldIssuer:      {"characters"},
	mrz.FieldName:        {"name_form"},
	mrz.FieldNumber:      {"characters", "number_check"},
	mrz.FieldNationality: {"characters"},
	mrz.FieldBirth:       {"birth_date", "birth_date_check"},
	mrz.FieldSex:         {"sex"},
	mrz.FieldExpiry:      {"expiry", "expiry_check"},
	mrz.FieldPersonal:    {"characters", "optional_check"},
	mrz.FieldComposite:   {"characters", "composite_check"},
}

// readPassport reads the lines with all their check digits; nil where there are none. No
// fault repeats a character of them.
func readPassport(asked Asked, today civil.Date) (*passport, error) {
	if len(asked.MRZ) == 0 {
		return nil, nil
	}
	if asked.Use != Overseas {
		return nil, fault.At(fault.InvalidArgument, placeMRZ, "a passport belongs to a certificate for overseas alone")
	}
	d, err := mrz.Parse(asked.MRZ, today)
	if err != nil {
		return nil, zoneFault(err)
	}
	switch {
	case d.Kind != mrz.TD3:
		return nil, reasoned{fault.At(fault.InvalidArgument, placeNames, "these are not the lines of a passport"), "document"}
	case jptext.HoldsMyNumber(d.Optional):
		return nil, fault.At(fault.MyNumberRefused, placeDates, "the line holds a My Number; it was not kept")
	}
	return &passport{d.Number, d.Primary, d.Secondary, d.NameCut, d.Birth, d.Expires}, nil
}

// zoneFault says which field of which line is wrong. The cause stays behind: it may carry
// what was typed.
func zoneFault(err error) error {
	f, ok := errors.AsType[*mrz.Fault](err)
	if !ok {
		return fault.At(fault.InvalidArgument, placeMRZ, "the lines are not those of a passport")
	}
	reason := reasons[f.Field][0]
	if f.Check {
		reason = reasons[f.Field][1]
	}
	place := placeMRZ + "." + strconv.Itoa(min(max(f.Line-1, 0), 1))
	return reasoned{fault.At(fault.InvalidArgument, place, "the passport's line cannot be right: %s", f.Error()), reason}
}

// belongsTo refuses a passport that is out of date or, by the register, of somebody else. A
// name of before a marriage or a second name is for a person to judge, not for a guess.
func (p *passport) belongsTo(who citizen.Resident, today civil.Date) error {
	refused := func(place, reason, words string) error {
		return reasoned{fault.At(fault.InvalidArgument, place, "%s", words), reason}
	}
	switch {
	case p == nil:
		return nil
	case p.expires.Before(today):
		return refused(placeDates, "expired", "the passport has expired")
	case p.birth != who.BirthDate.Date:
		return refused(placeDates, "other_birth_date", "the passport's birth date is not that of the register")
	case !p.bearsName(who.Name):
		return refused(placeNames, "other_name", "the passport's name is not that of the register")
	}
	return nil
}

func (p *passport) bearsName(n identity.PersonName) bool {
	if mrz.SameName(p.family, n.FamilyLatin) && (mrz.SameName(p.given, n.GivenLatin) || p.given == "" && n.GivenLatin == "") {
		return true
	}
	// A long name is cut where its line ends: what is written must begin the register's.
	return p.nameCut && mrz.SameName(p.family, n.FamilyLatin) && p.given != "" && strings.HasPrefix(letters(n.GivenLatin), letters(p.given))
}

// letters are the capital letters of a name alone.
func letters(name string) string {
	plain, err := mrz.Transliterate(name)
	if err != nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < 'A' || r > 'Z' {
			return -1
		}
		return r
	}, plain)
}
