//go:build race

package syncmodel_test

// The race detector makes everything ten times as slow.
const (
	someHistories = 10
	fullRegion    = 30 // terminals that live through the outage
	smallRegion   = 12 // terminals of the control
)
