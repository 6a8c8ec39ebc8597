package app

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/fence"
	fencerows "madoguchi.example/backend/internal/store/fence"
)

// newFence makes what keeps a restored store from acting on the world.
func (h *house) newFence() *fence.Fence {
	return fence.New(fence.Deps{
		Runner: h.db.Runner(), Rows: fencerows.New(h.db.Reads()), Record: h.record, Queue: h.jobs, IDs: h.ids, Now: h.now,
		Epoch: h.db.ServerEpoch(), InPlace: h.db.InPlace, Log: h.log,
	})
}

// holds tells whether jobs of the kind wait. It is asked once the house is furnished.
func (h *house) holds(ctx context.Context, kind string) bool { return h.fence.HoldsJob(ctx, kind) }

// gaugeTime ends the question whether the fence stands.
const gaugeTime = 2 * time.Second

// fencedGauge is 1 while the fence stands or cannot be asked about.
func (h *house) fencedGauge() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), gaugeTime)
	defer cancel()
	if h.fence.Check(ctx) != nil {
		return 1
	}
	return 0
}
