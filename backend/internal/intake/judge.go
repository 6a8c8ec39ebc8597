package intake

import (
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// verdict is how a good record is kept and which earlier one it is about.
type verdict struct {
	state  State
	about  string
	by     string
	amends bool // it takes the other one back
}

// judge tells how a record is kept, or why it is refused: an unknown kind, a body that is
// not what its kind says, insurance work from a class that may not do it
// (健康保険法 第194条の2).
func judge(class profile.Class, r wire.Record) (verdict, fault.Code) {
	switch r.Kind {
	case wire.KindEligibilityCheck, wire.KindEligibilityOutcome, wire.KindEligibilityAmendment:
		if !class.MayCheckInsurance() {
			return verdict{}, fault.Forbidden
		}
		v, err := judgeInsurance(r)
		return v, fault.CodeOf(err)
	case wire.KindCertificateVerification:
		_, err := wire.DecodeCertificateVerification(r.Body)
		return verdict{state: Kept}, fault.CodeOf(err)
	}
	return verdict{}, fault.InvalidArgument
}

func judgeInsurance(r wire.Record) (verdict, error) {
	switch r.Kind {
	case wire.KindEligibilityOutcome:
		o, err := wire.DecodeEligibilityOutcome(r.Body)
		if err == nil {
			err = checkOutcome(r, o)
		}
		return verdict{state: Kept, about: o.Of}, err
	case wire.KindEligibilityAmendment:
		a, err := wire.DecodeEligibilityAmendment(r.Body)
		if err == nil {
			err = checkAmendment(r, a)
		}
		return verdict{state: Kept, about: a.Of, by: a.By, amends: true}, err
	}
	c, err := wire.DecodeEligibilityCheck(r.Body)
	if err == nil {
		err = checkClear(r, c)
	}
	v := verdict{state: Kept, about: c.Amends}
	if c.Route != wire.RouteTerminal { // as Record.WantsAnswer tells
		v.state = Open
	}
	return v, err
}
