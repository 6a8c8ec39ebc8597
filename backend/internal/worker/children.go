package worker

import (
	"context"
	"errors"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/job"
)

// How often the jobs of child support look whether there is something to do. The indicators
// are looked at once a day and after a delivery: a look that finds neither reads one row
// for each municipality.
const (
	indicateEvery = time.Minute
	expireEvery   = 24 * time.Hour
)

// childIndicate looks at the indicators where something new was delivered or a day began.
type childIndicate struct{}

// Kind names the job in the queue.
func (childIndicate) Kind() string { return "child_indicate" }

// childExpire erases what is past its retention.
type childExpire struct{}

// Kind names the job in the queue.
func (childExpire) Kind() string { return "child_expire" }

// Children registers the handlers of child support. Call it before the engine starts.
func Children(e *job.Engine, desk *childsupport.Desk) error {
	who := actor.System{Name: "worker.child_support"}
	return errors.Join(
		job.Register(e, func(ctx context.Context, _ childIndicate) error {
			return desk.Indicate(ctx, who, audit.ChildSupport)
		}),
		job.Register(e, func(ctx context.Context, _ childExpire) error {
			return desk.Expire(ctx, who, audit.ChildSupport)
		}),
		e.Every(indicateEvery, childIndicate{}),
		e.Every(expireEvery, childExpire{}),
	)
}
