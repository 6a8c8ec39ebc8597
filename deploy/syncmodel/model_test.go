package syncmodel_test

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// manyHistories is how many are lived through with MADOGUCHI_SOAK=1; else someHistories.
const manyHistories = 2000

// often lists what happens, the ordinary things several times.
var often = []act{
	records, records, records, records, records, records, timePasses, timePasses, timePasses, timePasses,
	cutsLine, mendsLine, mendsLine, losesRequest, losesAnswer, losesAnswer, stalls, doubles, comesLate, comesLate,
	isKilled, losesPower, losesPower, changesKey, isCopied, movesClock, movesClock, takesBackup, takesBackup, isRestored, isRestored,
	answers, fills,
}

func aStep(t *rapid.T) step {
	return step{
		what: rapid.SampledFrom(often).Draw(t, "what"), seat: rapid.IntRange(0, maxSeats-1).Draw(t, "seat"),
		n: rapid.IntRange(0, 99).Draw(t, "n"),
	}
}

func aHistory(t *rapid.T) history {
	return history{
		seed: rapid.Uint64().Draw(t, "seed"), terminals: rapid.IntRange(1, 3).Draw(t, "terminals"),
		room:  rapid.SampledFrom([]int{12, 60, 250}).Draw(t, "room"),
		steps: rapid.SliceOfN(rapid.Custom(aStep), 1, 40).Draw(t, "steps"),
	}
}

// TestWhatWasConfirmedIsAtTheBackendOnce lives through random histories and compares what
// is stored with what people saw confirmed.
func TestWhatWasConfirmedIsAtTheBackendOnce(t *testing.T) {
	setChecks(t)
	histories, played := rapid.Custom(aHistory), 0
	rapid.Check(t, func(rt *rapid.T) {
		played++
		h := histories.Draw(rt, "history")
		if err := play(t, h); err != nil {
			rt.Fatalf("%s\nbroke: %v", h, err)
		}
	})
	if want := flag.Lookup("rapid.checks").Value.String(); strconv.Itoa(played) != want { // it ends early, and well, when time runs out
		t.Errorf("%d histories were lived through, not %s", played, want)
	}
}

// setChecks sets how many histories are tried, unless the command line says.
func setChecks(t *testing.T) {
	t.Helper()
	n := someHistories
	if os.Getenv("MADOGUCHI_SOAK") == "1" {
		n = manyHistories
	}
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if _, env := os.LookupEnv("RAPID_CHECKS"); asked || env {
		return
	}
	was := flag.Lookup("rapid.checks").Value.String()
	if err := flag.Set("rapid.checks", strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", was) })
}
