// Package stage sets the whole house up on one machine: practice partners, backend and
// terminals as the built programs, each in a process group and a folder of its own, with
// lines between them that can be cut.
//
// It promises: every address is a free loopback port unless one is asked for; a program
// counts as started when it has said where it listens; whatever was started is ended by
// Close, also by the death of the process that started it (Linux); nothing waits for the
// clock where an event can be waited for. It is for demonstrations and tests: keys and
// codes lie in plain files below the stage's folder.
package stage
