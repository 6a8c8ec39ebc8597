package app

import (
	"context"

	"madoguchi.example/backend/internal/fence"
	fencerows "madoguchi.example/backend/internal/store/fence"
)

// newFence makes what keeps a restored store from acting on the world.
func (h *house) newFence() *fence.Fence {
	return fence.New(fence.Deps{
		Runner: h.db.Runner(), Rows: fencerows.New(h.db.Reads()), Record: h.record, Queue: h.jobs, IDs: h.ids, Now: h.now,
		Epoch: h.db.ServerEpoch(), Log: h.log,
	})
}

// holds tells whether jobs of the kind wait. It is asked once the house is furnished.
func (h *house) holds(ctx context.Context, kind string) bool { return h.fence.HoldsJob(ctx, kind) }
