// Package office is the console of the offices: page functions that show an officer their
// own municipality's work and do what the officer asks, in three languages.
//
// It knows no HTTP framework: httpapi owns the routes and their access rules, and hands
// over a Request of plain values. Every page works without a script.
package office
