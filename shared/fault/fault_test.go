package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"madoguchi.example/shared/fault"
)

func TestCodeTravelsThroughWrapping(t *testing.T) {
	inner := fault.At(fault.InvalidArgument, "line 3", "has %d columns", 4)
	err := fmt.Errorf("cannot read residents.csv: %w", inner)
	if fault.CodeOf(err) != fault.InvalidArgument || fault.PlaceOf(err) != "line 3" {
		t.Errorf("code %q place %q", fault.CodeOf(err), fault.PlaceOf(err))
	}
	if got, want := inner.Error(), "line 3: has 4 columns"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnUnknownErrorIsInternal(t *testing.T) {
	cause := errors.New("disk on fire")
	if fault.CodeOf(cause) != fault.Internal || fault.CodeOf(nil) != "" {
		t.Error("wrong code for a plain error or for nil")
	}
	if !errors.Is(fault.Wrap(fault.Unavailable, cause, "try again"), cause) {
		t.Error("the cause is lost")
	}
}
