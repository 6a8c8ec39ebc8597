// Package review shows auditors the access record of their own municipality. Looking is
// recorded too, in the transaction of the look.
package review

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// MaxEntries caps one look.
const MaxEntries = 500

// Rows is the storage that this package needs. store/review implements it.
type Rows interface {
	// Newest gives a municipality's newest entries, newest first.
	Newest(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, limit int) ([]auditlog.Entry, error)
}

// Desk is where an auditor looks. It is safe for concurrent use.
type Desk struct {
	run  tx.Runner
	rows Rows
	log  *audit.Log
}

// New makes a Desk.
func New(run tx.Runner, rows Rows, log *audit.Log) *Desk { return &Desk{run, rows, log} }

// Newest gives the newest entries of the auditor's municipality.
func (d *Desk) Newest(ctx context.Context, who actor.Staff, purpose audit.Purpose, limit int) ([]auditlog.Entry, error) {
	if !who.Has(actor.Auditor) {
		return nil, fault.New(fault.Forbidden, "only an auditor may look at the record")
	}
	limit = min(max(limit, 1), MaxEntries)
	var out []auditlog.Entry
	err := d.run.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		if out, err = d.rows.Newest(ctx, t, who.Municipality, limit); err != nil {
			return err
		}
		return d.log.Append(ctx, t, who, audit.Event{
			Purpose: purpose, Action: "audit.review", Municipality: who.Municipality,
		})
	})
	if err != nil {
		return nil, err // what was read is not shown when the look could not be recorded
	}
	return out, nil
}
