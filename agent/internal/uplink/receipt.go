package uplink

import (
	"context"
	"slices"

	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

const placeReceipt = "receipt"

var (
	errUntrusted = fault.At(fault.Forbidden, placeReceipt, "its countersignature is not the backend's")
	errUnmarked  = fault.At(fault.Forbidden, placeReceipt, "it confirms what its marks say never came")
)

// trust verifies a receipt's marks. A mark by a key that is not known proves nothing and is
// taken all the same; one that a known key did not make is refused, and the receipt with it.
// So is a receipt that calls a record stored that is above the mark of its epoch: the word on
// a record is not signed, but with an older mark it cannot be another batch's.
func (u *Uplink) trust(records []wire.Record, receipt wire.Receipt) error {
	var keys []profile.ReceiptKey
	if u.ReceiptKeys != nil {
		keys = u.ReceiptKeys()
	}
	for _, m := range receipt.Marks {
		i := slices.IndexFunc(keys, func(k profile.ReceiptKey) bool { return k.ID == m.Key })
		if i >= 0 && !wire.VerifyMark(keys[i].PublicKey, u.Terminal, receipt.ServerEpoch, m) {
			return errUntrusted
		}
		if i < 0 && m.Key != "" {
			u.unknownKey()
		}
	}
	return agree(records, receipt)
}

// agree holds the results to the marks.
func agree(records []wire.Record, receipt wire.Receipt) error {
	through := make(map[string]uint64, len(receipt.Marks))
	for _, m := range receipt.Marks {
		through[m.Epoch] = m.Through
	}
	stored := make(map[string]bool, len(receipt.Results))
	for _, res := range receipt.Results {
		if res.Status == wire.Accepted || res.Status == wire.Duplicate {
			stored[res.ID] = true
		}
	}
	for _, r := range records {
		if mark, ok := through[r.Epoch]; ok && stored[r.ID] && r.Sequence > mark {
			return errUnmarked
		}
	}
	return nil
}

// unknownKey lets the profile be fetched, at most once in a Beat.
func (u *Uplink) unknownKey() {
	now := u.Now()
	if u.UnknownKey == nil || now.Before(u.turn.askKey) {
		return
	}
	u.turn.askKey = now.Add(u.Beat)
	u.UnknownKey()
}

// matching keeps the results that are about the records sent, and counts the final ones.
// A record that the receipt does not name counts as Retry.
func matching(records []wire.Record, receipt wire.Receipt) (wire.Receipt, int) {
	sent := make(map[string]bool, len(records))
	for _, r := range records {
		sent[r.ID] = true
	}
	settled := 0
	kept := make([]wire.Result, 0, len(receipt.Results))
	for _, res := range receipt.Results {
		if !sent[res.ID] {
			continue
		}
		delete(sent, res.ID) // a second word on the same record is not listened to
		kept = append(kept, res)
		if res.Status != wire.Retry {
			settled++
		}
	}
	receipt.Results = kept
	return receipt, settled
}

// reopen lets records wait again when the receipt comes from another life of the backend's
// store than the one that confirmed them.
func (u *Uplink) reopen(ctx context.Context, receipt wire.Receipt) (restored bool, err error) {
	known := u.Queue.Confirmed().ServerEpoch
	if known == "" || receipt.ServerEpoch == "" || receipt.ServerEpoch == known {
		return false, nil
	}
	again, err := u.Queue.Reopen(ctx, receipt.ServerEpoch, receipt.Marks)
	if err != nil {
		u.complain(ctx, "records that a restored backend forgot could not be taken up again", err)
		return true, err
	}
	u.Log.WarnContext(ctx, "the backend was restored: what it forgot is sent again", "records", again)
	return true, nil
}

// doubt looks for another machine under this terminal's name: the backend says so itself, or
// its chain is not ours, which somebody who changed a record after us would bring about too.
// What one receipt told holds until a beat, which asks for what is known, does not tell it.
func (u *Uplink) doubt(ctx context.Context, records []wire.Record, receipt wire.Receipt) {
	if len(records) > 0 && !u.turn.doubted && foreign(records[len(records)-1], receipt.Marks) {
		u.turn.doubted = true
		last := records[len(records)-1]
		u.Log.ErrorContext(ctx, "the backend's chain of records is not this terminal's", "epoch", last.Epoch, "seq", last.Sequence)
	}
	switch {
	case receipt.Forked || u.turn.doubted:
		u.cloned(true)
	case len(records) == 0:
		u.cloned(false)
	}
}

// foreign tells whether a mark that ends at the record is of another chain.
func foreign(last wire.Record, marks []wire.Mark) bool {
	return slices.ContainsFunc(marks, func(m wire.Mark) bool {
		return m.Epoch == last.Epoch && m.Through == last.Sequence && !last.Prev.IsZero() && !m.Head.IsZero() && m.Head != wire.After(last)
	})
}
