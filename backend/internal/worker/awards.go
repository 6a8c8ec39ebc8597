package worker

import (
	"context"
	"errors"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/job"
)

// awardSweepEvery is how often proofs of delivery are looked for, and pages whose job was
// lost.
const awardSweepEvery = 5 * time.Minute

// Awards registers the handler of runs and lists. Call it before the engine starts.
func Awards(e *job.Engine, office *award.Office) error {
	who := actor.System{Name: "worker.award"}
	return errors.Join(
		job.Register(e, func(ctx context.Context, j award.RunJob) error {
			return office.Work(ctx, who, audit.BenefitDecision, j)
		}),
		e.Every(awardSweepEvery, award.RunJob{Phase: award.PhaseSweep}),
	)
}
