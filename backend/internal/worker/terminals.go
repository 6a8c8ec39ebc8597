package worker

import (
	"context"
	"errors"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/payer"
)

// sweepEvery is how often checks that stayed open are looked for.
const sweepEvery = time.Minute

// payerSweep asks for the answers of checks that stayed open.
type payerSweep struct{}

// Kind names the job in the queue.
func (payerSweep) Kind() string { return "payer_sweep" }

// Terminals registers the handlers of what terminals send. Call it before the engine starts.
func Terminals(e *job.Engine, desk *payer.Desk) error {
	who := actor.System{Name: "worker.payer"}
	return errors.Join(
		job.Register(e, func(ctx context.Context, a intake.AnswerJob) error {
			return desk.AnswerBatch(ctx, who, audit.EligibilityAnswer, a.Batch)
		}),
		job.Register(e, func(ctx context.Context, _ payerSweep) error {
			return desk.Sweep(ctx, who, audit.EligibilityAnswer)
		}),
		e.Every(sweepEvery, payerSweep{}),
	)
}
