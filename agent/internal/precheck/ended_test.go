package precheck_test

import (
	"testing"
	"time"

	"madoguchi.example/shared/oqs"
)

// A line that is cut when the evening's check is due, and back ten minutes later, costs
// nobody the preparation.
func TestABatchThatEndsWithoutAWordIsAskedAgain(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	batch := b.folder.batches[0]
	again := func(asked, collected int) {
		t.Helper()
		b.now = b.now.Add(5 * time.Minute)
		if err := b.Chase(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(b.folder.batches) != asked || len(b.folder.collected) != collected || b.folder.batches[asked-1] != batch {
			t.Fatalf("asked %d times, collected %d times", len(b.folder.batches), len(b.folder.collected))
		}
	}
	reception := func(r oqs.Reception) {
		t.Helper()
		if r.Identifier = batch; b.TakeReception(t.Context(), r) != nil {
			t.Fatal("not taken")
		}
	}
	end := func(r oqs.Result) {
		t.Helper()
		if r.Identifier = batch; b.TakeBulk(t.Context(), r) != nil {
			t.Fatal("not taken")
		}
	}
	reception(oqs.Reception{Segment: oqs.Abnormal, ErrorCode: "E1"})
	again(2, 0)
	reception(oqs.Reception{Segment: oqs.Done, ReceptionNumber: "R1"})
	again(2, 1)
	end(oqs.Result{Segment: oqs.Abnormal, ErrorCode: "E2", ReceptionNumber: "R1"})
	again(3, 1)
	reception(oqs.Reception{Segment: oqs.Done, ReceptionNumber: "R2"})
	end(oqs.Result{Segment: oqs.Abnormal, ErrorCode: "E2", ReceptionNumber: "R1"}) // the earlier one's, once more
	again(3, 2)
	end(oqs.Result{Segment: oqs.OtherEnd})
	b.now = b.now.Add(time.Hour)
	again(4, 2)
	reception(oqs.Reception{Segment: oqs.Done, ReceptionNumber: "R3"})
	end(oqs.Result{Segment: oqs.Done, ReceptionNumber: "R3"})
	end(oqs.Result{Segment: oqs.Abnormal})
	b.now = b.now.Add(2 * time.Hour)
	again(4, 2)
}
