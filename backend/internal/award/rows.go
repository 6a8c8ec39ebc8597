package award

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// Rows is the storage that Office needs. store/award implements it.
type Rows interface {
	RunRows
	DecisionRows
	AnswerRows
	ListRows
}

// RunRows keeps runs.
type RunRows interface {
	// InsertRun stores the run unless its municipality used its client id, and tells
	// whether it did.
	InsertRun(ctx context.Context, t tx.Tx, r Run) (bool, error)
	RunByClient(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, clientID string) (Run, bool, error)
	RunByID(ctx context.Context, t tx.Tx, id string) (Run, bool, error)
	// Runs lists the municipality's runs, newest first.
	Runs(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, limit int) ([]Run, error)
	// Turn begins a state from another: the pages count from 0 again. It tells whether the
	// run was in that state and not paused.
	Turn(ctx context.Context, t tx.Tx, id string, from, to RunState, by string, at time.Time) (bool, error)
	// SetPaused pauses a run that works, or lets it go on, and tells whether it did.
	SetPaused(ctx context.Context, t tx.Tx, id string, paused bool, at time.Time) (bool, error)
	// ClaimPage tells whether this call is the first for the page of a run that works in
	// the state.
	ClaimPage(ctx context.Context, t tx.Tx, id string, state RunState, page int, at time.Time) (bool, error)
	// Advance notes how far the claimed page came. next is the state to go on in.
	Advance(ctx context.Context, t tx.Tx, r Run, next RunState) error
	// Stalled lists runs that work and did not move since, oldest first.
	Stalled(ctx context.Context, t tx.Tx, since time.Time, limit int) ([]Run, error)
	// Open lists runs that may have awards without proof, newest first.
	Open(ctx context.Context, t tx.Tx, since time.Time, limit int) ([]Run, error)
}

// Entitlement is one beneficiary's claim to one month's money.
type Entitlement struct {
	Citizen identity.CitizenID
	Award   string
	Payee   identity.CitizenID
	Amount  int64
}

// Asked is what a family was asked.
type Asked struct {
	Payee identity.CitizenID
	What  string
	Award string
}

// DecisionRows keeps what a page of a run decides.
type DecisionRows interface {
	// Claim stores the entitlements whose key is free.
	Claim(ctx context.Context, t tx.Tx, program string, month benefit.Month, lines []Entitlement, at time.Time) error
	// Owners gives the awards that hold the beneficiaries' entitlements.
	Owners(ctx context.Context, t tx.Tx, program string, month benefit.Month, ids []identity.CitizenID) (map[identity.CitizenID]string, error)
	// Ask stores what was not asked before.
	Ask(ctx context.Context, t tx.Tx, program string, month benefit.Month, asked []Asked) error
	// Asked lists what the payees were asked.
	Asked(ctx context.Context, t tx.Tx, program string, month benefit.Month, payees []identity.CitizenID) ([]Asked, error)
	AddAwards(ctx context.Context, t tx.Tx, awards []Award) error
	AddTroubles(ctx context.Context, t tx.Tx, run string, troubles []Question) error
	// Supersede ends the payees' open questions and calls to apply of earlier runs.
	Supersede(ctx context.Context, t tx.Tx, r Run, payees []identity.CitizenID, by string, at time.Time) error
}

// AnswerRows reads awards, and keeps proofs and ends.
type AnswerRows interface {
	ByID(ctx context.Context, t tx.Tx, id string, today civil.Date) (Award, bool, error)
	// ByIDs gives those of at most MaxListed awards that exist.
	ByIDs(ctx context.Context, t tx.Tx, ids []string, today civil.Date) ([]Award, error)
	// OfRun lists the run's awards in one state, or in any for "", by id after the one given.
	OfRun(ctx context.Context, t tx.Tx, run string, state State, today civil.Date, after string, limit int) ([]Award, error)
	// OfPayee lists the citizen's awards, newest first.
	OfPayee(ctx context.Context, t tx.Tx, id identity.CitizenID, today civil.Date, limit int) ([]Award, error)
	Tallies(ctx context.Context, t tx.Tx, run string, today civil.Date) (map[State]Tally, error)
	// Troubles counts the run's cases that need a person.
	Troubles(ctx context.Context, t tx.Tx, run string) (map[Trouble]int, error)
	// Questions lists them by citizen and trouble after the one given.
	Questions(ctx context.Context, t tx.Tx, run string, after Question, limit int) ([]Question, error)
	// Unproven lists awards that wait for proof, by id after the one given.
	Unproven(ctx context.Context, t tx.Tx, run string, after string, limit int) ([]Award, error)
	// AddProofs stores the first proof of each award.
	AddProofs(ctx context.Context, t tx.Tx, of []Award) error
	// Settle stores how the award ended, unless it has ended, and tells whether it did.
	Settle(ctx context.Context, t tx.Tx, a Award, s Settlement) (bool, error)
	Settled(ctx context.Context, t tx.Tx, a Award) (Settlement, error)
	// ListsOf gives the lists that the award stood on, oldest first.
	ListsOf(ctx context.Context, t tx.Tx, a Award) ([]List, error)
}

// ListRows keeps lists and the ledger.
type ListRows interface {
	InsertList(ctx context.Context, t tx.Tx, l List) error
	ListByID(ctx context.Context, t tx.Tx, id string) (List, bool, error)
	// Lists gives the run's lists, newest first, without those that found nobody.
	Lists(ctx context.Context, t tx.Tx, run string) ([]List, error)
	// ClaimListPage tells whether this call is the first for the page of a list that gathers.
	ClaimListPage(ctx context.Context, t tx.Tx, id string, page int, at time.Time) (bool, error)
	// AdvanceList notes how far the claimed page came, and the state to go on in.
	AdvanceList(ctx context.Context, t tx.Tx, l List) error
	// TurnList changes the state from one to another, and tells whether it did.
	TurnList(ctx context.Context, t tx.Tx, id string, from, to ListState, at time.Time) (bool, error)
	// Free lists the run's awards with money that have not ended and stand on no list, by
	// id after the one given.
	Free(ctx context.Context, t tx.Tx, run string, today civil.Date, after string, limit int) ([]Award, error)
	// AddLines puts awards on a list and gives those that stand on it now: another list may
	// have been faster.
	AddLines(ctx context.Context, t tx.Tx, list string, awards []Award) ([]Award, error)
	Lines(ctx context.Context, t tx.Tx, list, after string, limit int) ([]ListLine, error)
	// SettleList ends as approved the list's awards that have not ended, whose delivery is
	// proven and whose last day to refuse is over, and counts them.
	SettleList(ctx context.Context, t tx.Tx, l List, by string, at time.Time) (int, error)
	// Book writes the list's lines into the ledger.
	Book(ctx context.Context, t tx.Tx, l List, at time.Time) error
	// Summed counts the list's lines, and sums them and the awards that they name.
	Summed(ctx context.Context, t tx.Tx, list string) (lines int, total, awards int64, err error)
	// Booked sums the ledger's entries of the list: of all, and of what is payable.
	Booked(ctx context.Context, t tx.Tx, list string) (sum, payable int64, entries int, err error)
	// StalledLists lists lists that gather and did not move since.
	StalledLists(ctx context.Context, t tx.Tx, since time.Time, limit int) ([]List, error)
}
