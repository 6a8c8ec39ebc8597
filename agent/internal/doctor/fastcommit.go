package doctor

import (
	"bufio"
	"bytes"
	"fmt"
)

// brokenFastCommit tells whether a kernel loses what a program synced on an ext4 file system
// that uses fast commits: 5.10 before 5.10.94, 5.15 before 5.15.27, and the ones between
// (reference offline-agent.md 2.1).
func brokenFastCommit(release string) bool {
	var major, minor, patch int
	if n, _ := fmt.Sscanf(release, "%d.%d.%d", &major, &minor, &patch); n < 2 || major != 5 {
		return false
	}
	switch {
	case minor == 10:
		return patch < 94
	case minor == 15:
		return patch < 27
	}
	return minor > 10 && minor < 17
}

// fastCommits tells from a file system's fc_info whether it made any fast commit.
func fastCommits(info []byte) bool {
	for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
		commits := 0
		if n, _ := fmt.Sscanf(lines.Text(), "%d commits", &commits); n == 1 {
			return commits > 0
		}
	}
	return false
}
