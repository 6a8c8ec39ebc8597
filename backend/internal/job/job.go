// Package job runs work after the transaction that asked for it has committed.
//
// It promises: a job enqueued in a transaction that commits runs at least once, and starts
// within 200 ms while a worker is free; one enqueued in a transaction that rolls back never
// runs; a handler that fails is called again later; a process that dies loses no job. A
// handler must therefore be repeatable.
//
// Arguments are handles, never personal data: they are stored as they are. A job is a
// batch of work (up to 500 recipients), never one per record or person. Use cases need Args
// and Queue only; handlers live in worker. River is the engine, and nobody else's business.
package job

import (
	"context"

	"madoguchi.example/backend/internal/tx"
)

// Args is the work's description, stored as JSON of at most MaxArgs bytes. Its fields hold
// handles, and whole numbers up to 2^53.
type Args interface {
	// Kind names the handler: two or more of a-z, 0-9, _. It stands in stored jobs: renaming
	// it orphans them. It must answer on a zero value.
	Kind() string
}

// The priorities of jobs that wait. Those of one priority run in the order of their coming.
const (
	Usual  = 1
	Behind = 3 // what may wait for all usual work
)

// Prioritised is what Args implement that are not Usual. A job that runs is not stopped for
// another one.
type Prioritised interface {
	Args
	// Priority is Usual or Behind.
	Priority() int
}

// Queue takes work in the caller's transaction. *Engine implements it.
type Queue interface {
	// Enqueue stores the job in t: it runs once t has committed, or never.
	Enqueue(ctx context.Context, t tx.Tx, a Args) error
}
