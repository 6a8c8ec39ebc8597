package doctor

import "testing"

func TestKernelsWithBrokenFastCommits(t *testing.T) {
	for release, want := range map[string]bool{
		"5.10.93": true, "5.10.94": false, "5.10.0-9-amd64": true, "5.9.16": false, "5.11.22": true, "5.15.26-generic": true, "5.15.27": false, "5.16.1": true,
		"5.17.0": false, "6.1.0-18-amd64": false, "4.19.0": false, "": false, "x": false,
	} {
		if got := brokenFastCommit(release); got != want {
			t.Errorf("%s: %v", release, got)
		}
	}
}

func TestWhetherFastCommitsAreMade(t *testing.T) {
	for info, want := range map[string]bool{
		"fc stats:\n12 commits\n3 ineligible\n": true, "fc stats:\n0 commits\n0 ineligible\n": false, "": false, "commits\n": false,
	} {
		if got := fastCommits([]byte(info)); got != want {
			t.Errorf("%q: %v", info, got)
		}
	}
}
