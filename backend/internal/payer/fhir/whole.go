package fhir

// Each type reads and writes itself whole: its fields, and its Rest.

// UnmarshalJSON implements json.Unmarshaler.
func (x *CoverageEligibilityRequest) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x CoverageEligibilityRequest) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *RequestInsurance) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x RequestInsurance) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *CoverageEligibilityResponse) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x CoverageEligibilityResponse) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *ResponseInsurance) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x ResponseInsurance) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Item) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Item) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Benefit) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Benefit) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *ResponseError) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x ResponseError) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Coverage) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Coverage) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Patient) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Patient) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Name) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Name) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Organization) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Organization) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *OperationOutcome) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x OperationOutcome) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Issue) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Issue) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Identifier) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Identifier) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Reference) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Reference) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Period) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Period) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *CodeableConcept) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x CodeableConcept) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Coding) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Coding) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Extension) UnmarshalJSON(raw []byte) error { return open(raw, x, &x.Rest) }

// MarshalJSON implements json.Marshaler.
func (x Extension) MarshalJSON() ([]byte, error) { return shut(x, x.Rest) }
