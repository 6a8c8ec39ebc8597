package wire

import (
	"crypto/ed25519"
	"fmt"

	"madoguchi.example/shared/fault"
)

// EncodeReceipt writes a receipt for the terminal.
func EncodeReceipt(r Receipt) ([]byte, error) { return encodeJSON(r) }

// DecodeReceipt reads the backend's word on a batch. It is the terminal's reader and
// tolerant: members that it does not know are passed over, so that an old agent survives
// a newer backend. An unknown Status is read as Retry, which loses nothing. RetryAfterMS is
// bounded by MaxSlot. Marks are held
// to their forms, at most MaxMarks and one for an epoch; whether they are the backend's is
// for the caller (VerifyMark).
func DecodeReceipt(data []byte) (Receipt, error) {
	var r Receipt
	if err := tolerant("receipt", data, MaxReceiptBytes, &r); err != nil {
		return Receipt{}, err
	}
	if len(r.Results) > MaxBatchRecords {
		return Receipt{}, fault.At(fault.TooLarge, "receipt.results", "must be at most %d", MaxBatchRecords)
	}
	if r.ServerEpoch != "" && !nameForm.MatchString(r.ServerEpoch) {
		return Receipt{}, fault.At(fault.InvalidArgument, "receipt.server_epoch", "must be a short name in lower case")
	}
	if err := validateMarks(r.Marks); err != nil {
		return Receipt{}, err
	}
	for i := range r.Results {
		switch r.Results[i].Status {
		case Accepted, Duplicate, Conflict, Rejected, Retry:
		default:
			r.Results[i].Status = Retry
		}
	}
	r.RetryAfterMS = min(max(r.RetryAfterMS, 0), MaxSlot.Milliseconds())
	return r, nil
}

func validateMarks(marks []Mark) error {
	if len(marks) > MaxMarks {
		return fault.At(fault.TooLarge, "receipt.marks", "must be at most %d", MaxMarks)
	}
	seen := make(map[string]struct{}, len(marks))
	for i, m := range marks {
		place := fmt.Sprintf("receipt.marks[%d]", i)
		_, twice := seen[m.Epoch]
		switch {
		case !nameForm.MatchString(m.Epoch):
			return fault.At(fault.InvalidArgument, place+".epoch", "must be a short name in lower case")
		case twice:
			return fault.At(fault.InvalidArgument, place+".epoch", "must not stand twice")
		case m.Key != "" && !nameForm.MatchString(m.Key):
			return fault.At(fault.InvalidArgument, place+".key", "must be a short name in lower case")
		case len(m.Signature) != 0 && len(m.Signature) != ed25519.SignatureSize:
			return fault.At(fault.InvalidArgument, place+".signature", "must have %d bytes", ed25519.SignatureSize)
		}
		seen[m.Epoch] = struct{}{}
	}
	return nil
}

// EncodeNonce writes a nonce for the terminal.
func EncodeNonce(n Nonce) ([]byte, error) { return encodeJSON(n) }

// DecodeNonce reads the answer to a question for a nonce, tolerantly.
func DecodeNonce(data []byte) (Nonce, error) {
	var n Nonce
	if err := tolerant("nonce", data, MaxNonceBytes, &n); err != nil {
		return Nonce{}, err
	}
	if !nonceForm.MatchString(n.Nonce) {
		return Nonce{}, fault.At(fault.InvalidArgument, "nonce", "must be 1 to %d plain characters", MaxNonce)
	}
	return n, nil
}
