// Package worker holds the handlers of jobs and their schedules: an edge, as httpapi is.
//
// A handler promises to be repeatable, and calls one use case with the system's actor.
package worker
