// Package e2e holds the acceptance tests that drive the built programs from outside: the
// journeys, what is left after kills, how the demonstration ends. Its code is only what
// those tests count by.
package e2e

import (
	_ "embed"
	"errors"
	"fmt"

	"github.com/BurntSushi/toml"
)

//go:embed counts.toml
var countsText string

// Counts say how often the long loops go round.
type Counts struct {
	AgentKills     int `toml:"agent_kills"`
	BackendKills   int `toml:"backend_kills"`
	RecordsPerKill int `toml:"records_per_kill"`
	PowerCuts      int `toml:"power_cuts"`
	AnswerStep     int `toml:"answer_step"`
	AnswerLines    int `toml:"answer_lines"`
	LinkFlaps      int `toml:"link_flaps"`
	UpkeepStep     int `toml:"upkeep_step"`
}

// ReadCounts gives the small counts, or the full ones for a soak.
func ReadCounts(soak bool) (Counts, error) {
	var file struct{ Small, Full Counts }
	meta, err := toml.Decode(countsText, &file)
	if err != nil {
		return Counts{}, fmt.Errorf("cannot read counts.toml: %w", err)
	}
	if len(meta.Undecoded()) > 0 {
		return Counts{}, errors.New("counts.toml has an unknown key")
	}
	c := file.Small
	if soak {
		c = file.Full
	}
	if c.AgentKills < 20 || c.BackendKills < 20 || c.RecordsPerKill < 2 {
		return c, errors.New("counts.toml asks for less than 20 kills or 2 records")
	}
	if c.PowerCuts < 9 || c.AnswerStep < 1 || c.AnswerLines < 1 || c.LinkFlaps < 1 || c.UpkeepStep < 1 {
		return c, errors.New("counts.toml asks for less than 9 power cuts, for no step within an answer or an upkeep, or for no flap")
	}
	return c, nil
}
