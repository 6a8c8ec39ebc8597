//go:build unix

package rule_test

import (
	"syscall"
	"testing"
	"time"

	"madoguchi.example/shared/benefit"
)

// spent gives the processor time that the process has used. Other programs on the machine
// do not count in it; the collector of both sides does.
func spent(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkAgainstByHand gives households per second of processor time of both in one run,
// in turns, and the ratio of the programme as data to the same law by hand (1: as fast).
// Run it with GOMAXPROCS=1.
func BenchmarkAgainstByHand(b *testing.B) {
	e := shipped(b)
	b.Run("without texts", func(b *testing.B) { against(b, e.Decide, false) })
	b.Run("with texts", func(b *testing.B) { against(b, e.Evaluate, true) })
}

func against(b *testing.B, evaluate func(benefit.Request) (benefit.Decision, error), texts bool) {
	all := town(b)
	var data, hand time.Duration
	for b.Loop() {
		start, sum := spent(b), int64(0)
		for i := range all {
			d, err := evaluate(all[i])
			if err != nil {
				b.Fatal(err)
			}
			sum += d.Amount.Int()
		}
		between := spent(b)
		for i := range all {
			d := byHand(&all[i], texts)
			sum -= d.Amount.Int()
		}
		data, hand = data+between-start, hand+spent(b)-between
		if sum != 0 {
			b.Fatal("the sums differ")
		}
	}
	households := time.Duration(b.N*len(all)) * time.Second // a second for each, to divide by seconds
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(households.Seconds()/data.Seconds(), "data/s")
	b.ReportMetric(households.Seconds()/hand.Seconds(), "hand/s")
	b.ReportMetric(hand.Seconds()/data.Seconds(), "ratio")
}
