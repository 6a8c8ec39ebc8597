package wire

import (
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/zstd"

	"madoguchi.example/shared/fault"
)

// Validate checks a batch as both sides do: version, count, sizes, forms, and that sequences
// of one epoch rise (with gaps where earlier records were settled already). A batch may hold
// the end of one epoch and the start of the next. Version 0 knows no beat and none of the
// members that came with version 1.
func (b Batch) Validate() error {
	switch {
	case b.Version < Oldest || b.Version > Version:
		return fault.At(fault.InvalidArgument, "version", "must be %d to %d", Oldest, Version)
	case !nameForm.MatchString(b.Terminal):
		return fault.At(fault.InvalidArgument, "terminal", "must be a terminal's handle")
	case len(b.Records) > MaxBatchRecords:
		return fault.At(fault.TooLarge, "records", "must be at most %d", MaxBatchRecords)
	}
	if err := b.validateMembers(); err != nil {
		return err
	}
	return b.validateRecords()
}

// validateMembers checks what stands beside the records.
func (b Batch) validateMembers() error {
	if b.Version == 0 {
		return b.validateOld()
	}
	switch {
	case b.ServerEpoch != "" && !nameForm.MatchString(b.ServerEpoch):
		return fault.At(fault.InvalidArgument, "server_epoch", "must be a short name in lower case")
	case b.Epoch != "" && !nameForm.MatchString(b.Epoch):
		return fault.At(fault.InvalidArgument, "epoch", "must be a short name in lower case")
	case b.Behind < 0 || b.Behind > MaxBehind:
		return fault.At(fault.InvalidArgument, "behind", "must be 0 to %d", MaxBehind)
	case len(b.Health) > MaxHealthBytes:
		return fault.At(fault.TooLarge, "health", "must be at most %d bytes", MaxHealthBytes)
	case b.Health != "" && !jwsForm.MatchString(b.Health):
		return fault.At(fault.InvalidArgument, "health", "must be a compact JWS")
	}
	return b.Clock.validate("clock")
}

// validateOld holds a batch of version 0 to what that version knows.
func (b Batch) validateOld() error {
	chained := func(r Record) bool { return !r.Prev.IsZero() }
	switch {
	case len(b.Records) == 0:
		return fault.At(fault.InvalidArgument, "records", "must not be empty in version 0")
	case b.ServerEpoch != "" || b.Epoch != "" || b.Behind != 0 || b.Clock != Clock{} || b.Health != "", slices.ContainsFunc(b.Records, chained):
		return fault.At(fault.InvalidArgument, "version", "must be 1 for what the batch holds")
	}
	return nil
}

func (b Batch) validateRecords() error {
	seen := make(map[string]struct{}, len(b.Records))
	for i, r := range b.Records {
		place := fmt.Sprintf("records[%d]", i)
		if err := r.Validate(); err != nil {
			return fault.At(fault.CodeOf(err), place+"."+fault.PlaceOf(err), "%s", messageOf(err))
		}
		if _, twice := seen[r.ID]; twice {
			return fault.At(fault.InvalidArgument, place+".id", "must not stand twice in a batch")
		}
		seen[r.ID] = struct{}{}
		if i > 0 && r.Epoch == b.Records[i-1].Epoch && r.Sequence <= b.Records[i-1].Sequence {
			return fault.At(fault.InvalidArgument, place+".seq", "must rise within an epoch")
		}
	}
	return nil
}

// validate checks a clock that stands at place.
func (c Clock) validate(place string) error {
	switch {
	case c.Boot != "" && !nameForm.MatchString(c.Boot):
		return fault.At(fault.InvalidArgument, place+".boot", "must be a short name in lower case")
	case c.MonotonicMS < 0:
		return fault.At(fault.InvalidArgument, place+".monotonic_ms", "must not be negative")
	case c.OffsetMS < -MaxOffsetMS || c.OffsetMS > MaxOffsetMS:
		return fault.At(fault.InvalidArgument, place+".offset_ms", "must be within %d either way", MaxOffsetMS)
	}
	return nil
}

// follows tells whether the chain's hash before r is that after the record before it.
func follows(before, r Record) bool {
	return r.Epoch == before.Epoch && r.Sequence == before.Sequence+1 && !before.Prev.IsZero()
}

// link fills in each Prev that follows from the record before, and refuses one that
// contradicts it.
func link(records []Record) error {
	for i := 1; i < len(records); i++ {
		if !follows(records[i-1], records[i]) {
			continue
		}
		is := After(records[i-1])
		if !records[i].Prev.IsZero() && records[i].Prev != is {
			return fault.At(fault.InvalidArgument, fmt.Sprintf("records[%d].prev", i), "must be the hash after the record before")
		}
		records[i].Prev = is
	}
	return nil
}

// unlinked gives the records as they travel: without the Prev that follows.
func unlinked(records []Record) ([]Record, error) {
	out := slices.Clone(records)
	if err := link(out); err != nil {
		return nil, err
	}
	for i := len(out) - 1; i > 0; i-- {
		if follows(out[i-1], out[i]) {
			out[i].Prev = Hash{}
		}
	}
	return out, nil
}

// EncodeBatch validates b and writes it as JSON compressed with zstd. Bodies are written
// compact, so that their bytes are the same on both sides, and a Prev only where it does not
// follow from the record before. A Prev that contradicts that record is refused: such
// records go in batches of their own. b itself is not changed.
func EncodeBatch(b Batch) ([]byte, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	var err error
	if b.Records, err = unlinked(b.Records); err != nil {
		return nil, err
	}
	plain, err := encodeJSON(b)
	if err != nil {
		return nil, err
	}
	if len(plain) > MaxBatchBytes {
		return nil, fault.At(fault.TooLarge, "records", "must be at most %d bytes together", MaxBatchBytes)
	}
	enc, err := encoder()
	if err != nil {
		return nil, fmt.Errorf("cannot start compression: %w", err)
	}
	return enc.EncodeAll(plain, make([]byte, 0, len(plain)/2)), nil
}

// DecodeBatch reads what EncodeBatch writes, strictly: unknown members, doubled members,
// other versions, a contradicting Prev and everything over a limit are refused, and
// decompression stops at MaxBatchBytes. In the result each Prev is filled in that follows
// from the record before; it is zero where the terminal has no chain. It is the backend's
// reader.
func DecodeBatch(compressed []byte) (Batch, error) {
	plain, err := unpack(compressed)
	if err != nil {
		return Batch{}, err
	}
	var b Batch
	if err := strict("batch", plain, MaxBatchBytes, &b); err != nil {
		return Batch{}, err
	}
	if err := b.Validate(); err != nil {
		return Batch{}, err
	}
	if err := link(b.Records); err != nil {
		return Batch{}, err
	}
	return b, nil
}

// unpack gives the JSON of a batch.
func unpack(compressed []byte) ([]byte, error) {
	if len(compressed) > MaxCompressedBatch {
		return nil, fault.At(fault.TooLarge, "batch", "must be at most %d bytes", MaxCompressedBatch)
	}
	dec, err := decoder()
	if err != nil {
		return nil, fmt.Errorf("cannot start decompression: %w", err)
	}
	plain, err := dec.DecodeAll(compressed, nil)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded), len(plain) > MaxBatchBytes:
		return nil, fault.At(fault.TooLarge, "batch", "must be at most %d bytes unpacked", MaxBatchBytes)
	case err != nil:
		return nil, fault.At(fault.InvalidArgument, "batch", "must be one whole zstd stream")
	}
	return plain, nil
}
