//go:build !race

package syncmodel_test

const (
	someHistories = 100
	fullRegion    = 2000 // terminals that live through the outage
	smallRegion   = 40   // terminals of the control
)
