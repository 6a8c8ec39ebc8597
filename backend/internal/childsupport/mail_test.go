package childsupport_test

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/tx"
)

// brokenMail posts nothing.
type brokenMail struct{}

func (brokenMail) Post(context.Context, tx.Tx, actor.Actor, audit.Purpose, []mailbox.Letter) ([]mailbox.Posted, error) {
	return nil, errMail
}
