package worker

import (
	"context"
	"errors"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/push"
)

// pushSweep looks for notices whose push job was lost.
type pushSweep struct{}

// Kind names the job in the queue.
func (pushSweep) Kind() string { return "push_sweep" }

// Citizens registers the handlers of what goes out to citizens. Call it before the engine
// starts.
func Citizens(e *job.Engine, pushes *push.Desk, notices *mailbox.Office) error {
	who := actor.System{Name: "worker.push"}
	return errors.Join(
		job.Register(e, func(ctx context.Context, b push.Batch) error {
			return pushes.Deliver(ctx, who, audit.NoticeDelivery, b)
		}),
		job.Register(e, func(ctx context.Context, _ pushSweep) error {
			return notices.Sweep(ctx, who, audit.NoticeDelivery)
		}),
		e.Every(sweepEvery, pushSweep{}),
	)
}
