package oqs

import "madoguchi.example/shared/fault"

// ParseResult reads OQSsiquc01res and the results that face readers push.
func ParseResult(b []byte) (Result, error) {
	return Result{}, fault.New(fault.Unavailable, "not read")
}

// ParseBulkResult reads OQSmuquc02res.
func ParseBulkResult(b []byte) (Result, error) {
	return Result{}, fault.New(fault.Unavailable, "not read")
}

// ParseReception reads OQSmuquc01res.
func ParseReception(b []byte) (Reception, error) {
	return Reception{}, fault.New(fault.Unavailable, "not read")
}
