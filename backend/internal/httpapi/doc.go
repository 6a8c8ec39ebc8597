// Package httpapi is the edge that speaks HTTP: it owns every route, each with the rule
// that says who may call it, and turns faults into problem documents.
//
// It promises that no answer and no log line repeats what a caller sent, that handlers
// receive plain values which stay unchanged after the request, that every handler has a
// deadline, and that a server which is told to stop finishes what it can and leaves no
// connection behind. It is the only user of Fiber and of huma's server side.
package httpapi
