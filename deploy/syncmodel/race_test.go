//go:build race

package syncmodel_test

// The race detector makes everything ten times as slow.
const (
	someHistories = 20
	fullRegion    = 60 // terminals that live through the outage
)
