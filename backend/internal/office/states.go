package office

// mark is a state as every page shows it: one of the six icons and a word.
type mark struct{ Icon, Word string }

// The icons of the six states.
const (
	iconDone = "done"
	iconWait = "wait"
	iconBusy = "busy"
	iconNeed = "need"
	iconStop = "stop"
	iconOld  = "old"
)

var icons = map[string]map[string]string{
	"run": {
		string(RunDrafted): iconWait, string(RunCounting): iconBusy, string(RunCounted): iconNeed,
		string(RunRunning): iconBusy, string(RunPaused): iconNeed, string(RunDone): iconDone,
	},
	"award": {
		string(OpenQuestion): iconNeed, string(MustApply): iconNeed, string(Noticed): iconWait, string(Proven): iconWait,
		string(Silent): iconBusy, string(Refused): iconStop, string(Listed): iconBusy, string(Approved): iconDone,
		string(Withdrawn): iconStop,
	},
	"list": {"gathering": iconBusy, "waiting": iconWait, "approved": iconDone, "returned": iconNeed, "empty": iconStop},
	"case": {
		string(CaseFlagged): iconNeed, string(CaseAssessed): iconWait, string(CaseReturned): iconNeed,
		string(CaseOffered): iconWait, string(CaseWithPerson): iconBusy, string(CaseAccepted): iconDone,
		string(CaseDeclined): iconStop, string(CaseClosed): iconDone, string(CaseLapsed): iconOld,
	},
	"asked":   {answerOpen: iconNeed, AnswerCorrected: iconDone, AnswerNothing: iconStop},
	"paper":   {"good": iconDone, "revoked": iconStop, "refused": iconStop},
	"verdict": {"approved": iconDone, "returned": iconNeed},
}

// State gives a state's icon and word; of is the kind of thing that is in it.
func (v view) State(of string, state any) mark {
	name := ""
	switch s := state.(type) {
	case string:
		name = s
	case RunState:
		name = string(s)
	case AwardState:
		name = string(s)
	case CaseState:
		name = string(s)
	}
	icon := icons[of][name]
	if icon == "" {
		icon = iconWait
	}
	return mark{icon, v.T(of + "." + name)}
}

// known gives the word under the prefix, that of other for what the catalogue lacks.
func (v view) known(prefix, key, other string) string {
	if !v.office.words.has(prefix + key) {
		key = other
	}
	return v.T(prefix + key)
}

// Trouble says why a household needs a person.
func (v view) Trouble(key string) string { return v.known("trouble.", key, "other") }

// Why says why items were erased.
func (v view) Why(key string) string { return v.known("erased.", key, "other") }

// Event gives what happened in words, "something else" for what the catalogue lacks.
func (v view) Event(what string) string { return v.known("event.", what, "other") }
