package store

import (
	"errors"

	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// errBegin stands where no transaction could be opened. Nothing was stored.
var errBegin = errors.New("cannot begin a transaction")

// coded gives the store's own errors the code that edges answer with: repeat it, or repeat
// it under the same id. Errors of callbacks, and errors of the program, stay as they are.
func coded(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if errors.Is(err, tx.ErrUnknown) {
		return fault.Wrap(fault.Unknown, err, "it may or may not have been stored: repeat it under the same id")
	}
	for _, again := range []error{tx.ErrGroup, tx.ErrExpired, ErrClosed, errBegin} {
		if errors.Is(err, again) {
			return fault.Wrap(fault.Unavailable, err, "nothing was stored: try again")
		}
	}
	return err
}
