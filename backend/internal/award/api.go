package award

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
)

var errSoon = fault.New(fault.Unavailable, "this part is being built")

// Draft makes a run. The same client id with the same draft again gives the run that was
// made; with another draft, a Conflict.
func (x *Office) Draft(ctx context.Context, who actor.Staff, purpose audit.Purpose, d RunDraft) (Run, error) {
	return Run{}, errSoon
}

// Count begins the dry run: it counts what the run would decide and stores no decision.
func (x *Office) Count(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) error {
	return errSoon
}

// Start begins the run. It needs a finished count.
func (x *Office) Start(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) error {
	return errSoon
}

// Pause stops counting or running after the page that is being stored.
func (x *Office) Pause(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) error {
	return errSoon
}

// Resume goes on after the last page that was stored.
func (x *Office) Resume(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) error {
	return errSoon
}

// Runs lists the runs of the officer's municipality, newest first.
func (x *Office) Runs(ctx context.Context, who actor.Staff, purpose audit.Purpose, limit int) ([]Run, error) {
	return nil, errSoon
}

// Show gives one run, how far its awards have come, and a few decisions as a family would
// read them.
func (x *Office) Show(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) (Run, Funnel, []Sample, error) {
	return Run{}, Funnel{}, nil, errSoon
}

// Questions lists the run's cases that need a person.
func (x *Office) Questions(ctx context.Context, who actor.Staff, purpose audit.Purpose, run, after string, limit int) (_ []Question, next string, err error) {
	return nil, "", errSoon
}

// Awards lists a run's awards in one state, or in any for "".
func (x *Office) Awards(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string, state State, after string, limit int) (_ []Award, next string, err error) {
	return nil, "", errSoon
}

// Award gives one award with its reasons.
func (x *Office) Award(ctx context.Context, who actor.Staff, purpose audit.Purpose, id string) (Award, error) {
	return Award{}, errSoon
}

// RecordLetter notes that the notice was delivered as a letter on the day.
func (x *Office) RecordLetter(ctx context.Context, who actor.Staff, purpose audit.Purpose, award string, on civil.Date) error {
	return errSoon
}

// RecordRefusal notes a refusal that the office received on the day. One received in time
// wins until the list is approved.
func (x *Office) RecordRefusal(ctx context.Context, who actor.Staff, purpose audit.Purpose, award string, receivedOn civil.Date, reason string) error {
	return errSoon
}

// Propose gathers what closed in silence into a list and asks for its approval.
func (x *Office) Propose(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) (List, error) {
	return List{}, errSoon
}

// List gives one list with its first lines.
func (x *Office) List(ctx context.Context, who actor.Staff, purpose audit.Purpose, list string) (List, []ListLine, error) {
	return List{}, nil, errSoon
}

// Approve approves the list. Count and total are typed by the approver.
func (x *Office) Approve(ctx context.Context, who actor.Staff, purpose audit.Purpose, list string, count int, total int64, reason string) error {
	return errSoon
}

// Return sends the list back: its awards are free for the next one.
func (x *Office) Return(ctx context.Context, who actor.Staff, purpose audit.Purpose, list, reason string) error {
	return errSoon
}

// Mine lists the awards that are paid to the citizen, newest first. The version changes
// whenever the list would.
func (x *Office) Mine(ctx context.Context, who actor.Citizen, purpose audit.Purpose) (_ []Award, version string, err error) {
	return nil, "", errSoon
}

// One gives one of the citizen's awards.
func (x *Office) One(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string) (Award, error) {
	return Award{}, errSoon
}

// Refuse notes that the citizen does not want the payment, until 24:00 of AnswerBy in Japan.
// Again it changes nothing. Later it is a Conflict at "deadline".
func (x *Office) Refuse(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string) (Award, error) {
	return Award{}, errSoon
}

// Work stores one page of a run or of a list, or looks for pages that lost their job.
func (x *Office) Work(ctx context.Context, who actor.System, purpose audit.Purpose, j RunJob) error {
	return errSoon
}
