// Package tx holds the one transaction that use cases carry between store, jobs and audit
// without knowing what it is.
//
// A use case opens it with Runner.Do and hands the Tx on; only packages below store, and
// job, know how to run SQL on it.
package tx

import (
	"context"
	"errors"
)

// Tx is a transaction in progress. It is opaque here and valid only until the callback
// that received it returns.
type Tx interface{ OpaqueTx() }

// Runner runs callbacks in transactions.
type Runner interface {
	// Do calls fn once with a transaction and commits when fn returns nil.
	//
	// The callback must use the context it is given, not an outer one: it carries the
	// deadline and the mark "inside Do". A nil answer means that everything fn wrote is
	// durable. Any error but ErrUnknown means that nothing was stored.
	Do(ctx context.Context, fn func(ctx context.Context, t Tx) error) error
}

// What Do answers besides the callback's own errors.
var (
	// ErrUnknown: COMMIT failed without the server's word. Repeat under the same id.
	ErrUnknown = errors.New("cannot tell whether the transaction was stored")
	// ErrNested: Do, or a read of the pool, was called inside a callback.
	ErrNested = errors.New("cannot open a transaction inside a transaction")
	// ErrExpired: the callback ran longer than its limit.
	ErrExpired = errors.New("cannot use a transaction after its time limit")
	// ErrBusy: two goroutines used one transaction at once, or rows were still open.
	ErrBusy = errors.New("cannot use a transaction from two places at once")
	// ErrGroup: a neighbour broke the shared commit; nothing was stored, repeat.
	ErrGroup = errors.New("cannot commit: the shared commit failed")
)
