package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/agent/internal/oqsfolder"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/trust"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

func told(f doctor.Finding) string {
	switch {
	case f.Fault != "":
		return f.Fault
	case f.Hint != "":
		return "(" + f.Hint + ")"
	}
	return "ok"
}

// only examines one part and wants one finding of it.
func only(t *testing.T, p doctor.Parts) doctor.Finding {
	t.Helper()
	all := each(t, p)
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	return all[0]
}

// each examines one part, which has words for all that is found.
func each(t *testing.T, p doctor.Parts) []doctor.Finding {
	t.Helper()
	p.Now = clock
	all := doctor.Examine(t.Context(), p)
	for _, f := range all {
		for _, lang := range []string{"ja", "ja-easy", "en"} {
			if words := f.Said(lang) + f.Mend(lang); strings.Contains(words, "[") || strings.Contains(words, "%!") {
				t.Errorf("%s: %s", lang, words)
			}
		}
		if f.Part != all[0].Part {
			t.Errorf("%s among %s", f.Part, all[0].Part)
		}
	}
	return all
}

// toldAll is what was found, in its order.
func toldAll(all []doctor.Finding) string {
	var words []string
	for _, f := range all {
		words = append(words, told(f))
	}
	return strings.Join(words, " ")
}

func TestEnrolment(t *testing.T) {
	for _, c := range []struct {
		err  error
		line fault.Code
		want string
	}{
		{nil, "", "ok"},
		{fmt.Errorf("cannot load: %w", terminal.ErrNotEnrolled), "", "not_enrolled"},
		{&fs.PathError{Err: fs.ErrPermission}, "", "no_permission"},
		{errors.New("not JSON"), "", "unreadable"},
		{nil, fault.Unauthenticated, "withdrawn"},
		{nil, fault.Forbidden, "withdrawn"},
		{nil, fault.Unavailable, "ok"},
	} {
		f := only(t, doctor.Parts{
			Enrolment: func(context.Context) error { return c.err },
			Line:      func() uplink.Line { return uplink.Line{Reason: c.line} },
		})
		if told(f) != c.want {
			t.Errorf("%v %q: %s", c.err, c.line, told(f))
		}
	}
	twice := each(t, doctor.Parts{
		Enrolment: func(context.Context) error { return nil },
		Line:      func() uplink.Line { return uplink.Line{Reason: fault.Forbidden, Cloned: true} },
	})
	if toldAll(twice) != "withdrawn cloned" {
		t.Error(toldAll(twice))
	}
}

func TestStore(t *testing.T) {
	for _, c := range []struct {
		store doctor.Store
		err   error
		want  string
	}{
		{doctor.Store{Stats: queue.Stats{Pending: 3, OldestAt: now.Add(-11 * time.Hour)}}, nil, "ok"},
		{doctor.Store{Stats: queue.Stats{Pending: 3, OldestAt: now.Add(-13 * time.Hour)}}, nil, "(waiting)"},
		{doctor.Store{Stats: queue.Stats{Dead: 1}}, nil, "(dead)"},
		{doctor.Store{Stats: queue.Stats{Dead: 1, Damaged: 1}}, nil, "(lost)"},
		{doctor.Store{Lost: 2}, nil, "(lost)"},
		{doctor.Store{PutAside: 1, Stats: queue.Stats{Dead: 1}}, nil, "(put_aside) (dead)"},
		{doctor.Store{Stats: queue.Stats{Pending: 2, Stale: 1, Dead: 1, OldestAt: now.AddDate(0, -2, 0)}}, nil, "(stale) (dead)"},
		{doctor.Store{Stats: queue.Stats{Dead: 1}, Stronger: "tpm2"}, nil, "(dead) (weak_key)"},
		{doctor.Store{Stronger: "tpm2"}, nil, "(weak_key)"},
		{doctor.Store{Stats: queue.Stats{Pending: 10, MaxRecords: 10, MaxBytes: 1}}, nil, "full"},
		{doctor.Store{Closed: true, Stats: queue.Stats{Dead: 1}}, nil, "wrong_key (dead)"},
		{doctor.Store{
			Stats: queue.Stats{Pending: 10, MaxRecords: 10, MaxBytes: 1, OldestAt: now.AddDate(0, 0, -2), Dead: 3, Damaged: 1}, Lost: 1, PutAside: 1, Stronger: "tpm2",
		}, nil, "full (lost) (put_aside) (dead) (waiting) (weak_key)"},
		{doctor.Store{}, fmt.Errorf("x: %w", vault.ErrLocked), "locked"},
		{doctor.Store{}, fmt.Errorf("x: %w", vault.ErrWrongKey), "wrong_key"},
		{doctor.Store{}, syscall.EACCES, "no_permission"},
		{doctor.Store{}, errors.New("x"), "unreadable"},
	} {
		all := each(t, doctor.Parts{Store: func(context.Context) (doctor.Store, error) { return c.store, c.err }})
		if toldAll(all) != c.want {
			t.Errorf("%+v %v: %s", c.store, c.err, toldAll(all))
		}
		if code := doctor.ExitCode(all); code != all[0].Code() {
			t.Errorf("%s: exit %d", toldAll(all), code)
		}
	}
}

func TestDisk(t *testing.T) {
	const mb, gb = 1 << 20, 1 << 30
	for _, c := range []struct {
		space doctor.Space
		err   error
		want  string
	}{
		{doctor.Space{Free: 40 * gb, Total: 100 * gb}, nil, "ok"},
		{doctor.Space{Free: 511 * mb, Total: 100 * gb}, nil, "nearly_full"},
		{doctor.Space{Free: 15 * mb, Total: 100 * gb}, nil, "full"},
		{doctor.Space{Free: 30 * mb, Total: 400 * mb}, nil, "ok"}, // a small disk of its own
		{doctor.Space{Free: 19 * mb, Total: 400 * mb}, nil, "nearly_full"},
		{doctor.Space{Free: 3 * mb, Total: 400 * mb}, nil, "full"},
		{doctor.Space{Free: 40 * gb, Total: 100 * gb, NoFiles: true}, nil, "full"},
		{doctor.Space{Free: 100 * mb, Total: 400 * mb, Copy: 90 * mb}, nil, "(no_copy)"},
		{doctor.Space{Free: 100 * mb, Total: 400 * mb, Copy: 80 * mb}, nil, "ok"},
		{doctor.Space{Free: 40 * gb, Total: 100 * gb, FastCommit: true}, nil, "(fast_commit)"},
		{doctor.Space{Free: 19 * mb, Total: 400 * mb, FastCommit: true, Copy: 90 * mb}, nil, "nearly_full (fast_commit)"},
		{doctor.Space{Free: 100 * mb, Total: 400 * mb, FastCommit: true, Copy: 90 * mb}, nil, "(fast_commit) (no_copy)"},
		{doctor.Space{}, fmt.Errorf("x: %w", syscall.ENOSPC), "full"},
		{doctor.Space{}, syscall.EDQUOT, "full"},
		{doctor.Space{}, syscall.EROFS, "read_only"},
		{doctor.Space{}, syscall.EACCES, "no_permission"},
		{doctor.Space{}, syscall.ENOENT, "no_folder"},
		{doctor.Space{}, syscall.EIO, "failed"},
	} {
		if all := each(t, doctor.Parts{Disk: func() (doctor.Space, error) { return c.space, c.err }}); toldAll(all) != c.want {
			t.Errorf("%+v %v: %s", c.space, c.err, toldAll(all))
		}
	}
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		time doctor.Time
		want string
		args []string
	}{
		{doctor.Time{Reading: clockfloor.Read(now, now.Add(-time.Hour))}, "ok", nil},
		{doctor.Time{Reading: clockfloor.Read(now, now.Add(4*time.Minute))}, "ok", nil},
		{doctor.Time{Reading: clockfloor.Read(now, now.Add(61*time.Minute))}, "set_back", []string{"61"}},
		{doctor.Time{Skew: 4 * time.Minute}, "ok", nil},
		{doctor.Time{Skew: 90 * time.Minute}, "behind", []string{"90"}},
		{doctor.Time{Skew: -90 * time.Minute}, "ahead", []string{"90"}},
	} {
		if f := only(t, doctor.Parts{Clock: func(context.Context) doctor.Time { return c.time }}); told(f) != c.want || !slices.Equal(f.Args, c.args) {
			t.Errorf("%+v: %s %v", c.time, told(f), f.Args)
		}
	}
}

// A certificate that our clock refuses is the clock's fault, whoever found it out.
func TestTheLineBlamesTheClock(t *testing.T) {
	for _, c := range []struct {
		line uplink.Line
		want string
	}{
		{uplink.Line{Reason: uplink.ClockWrong, ClockBehind: true, Since: now}, "before_certificate"},
		{uplink.Line{Reason: uplink.ClockWrong, Since: now}, "after_certificate"},
		{uplink.Line{Reason: uplink.ReceiptUntrusted}, "ok"},
		{uplink.Line{}, "ok"},
	} {
		f := only(t, doctor.Parts{
			Clock: func(context.Context) doctor.Time { return doctor.Time{} }, Line: func() uplink.Line { return c.line },
		})
		if told(f) != c.want || f.Since != c.line.Since {
			t.Errorf("%+v: %s", c.line, told(f))
		}
	}
}

func snapshot(t *testing.T, asOf time.Time) trust.Snapshot {
	t.Helper()
	snap, err := trust.Load(fstest.MapFS{"snapshot.json": {Data: fmt.Appendf(nil, `{"as_of":%q,"max_age":"168h"}`, asOf.Format(time.RFC3339))}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func TestTrust(t *testing.T) {
	for _, c := range []struct {
		asOf time.Time
		err  error
		want string
	}{
		{now.Add(-24 * time.Hour), nil, "ok"},
		{now.Add(-9 * 24 * time.Hour), nil, "stale"},
		{now, fault.Wrap(fault.NotFound, terminal.ErrNoTrust, "none"), "none"},
		{now, errors.New("damaged"), "unreadable"},
	} {
		f := only(t, doctor.Parts{Trust: func(context.Context) (trust.Snapshot, error) { return snapshot(t, c.asOf), c.err }})
		if told(f) != c.want || (c.want == "stale" && (f.Args[0] != "9" || !f.Since.Equal(now.Add(-48*time.Hour)))) {
			t.Errorf("%v %v: %s %v %v", c.asOf, c.err, told(f), f.Args, f.Since)
		}
	}
}

func TestCards(t *testing.T) {
	for _, c := range []struct {
		status counter.Status
		want   string
	}{
		{counter.Status{Reachable: true}, "pcscd ok, reader ok"},
		{counter.Status{Fault: card.NoPCSCD}, "pcscd no_pcscd"},
		{counter.Status{Fault: card.PCSCDGone}, "pcscd pcscd_gone"},
		{counter.Status{Fault: card.PCSCDRefused}, "pcscd pcscd_refused"},
		{counter.Status{Fault: card.PCSCDOther}, "pcscd pcscd_unsupported"},
		{counter.Status{}, "pcscd no_pcscd"},
		{counter.Status{Reachable: true, Fault: card.NoReader}, "pcscd ok, reader no_reader"},
		{counter.Status{Reachable: true, Fault: card.ReaderUnknown}, "pcscd ok, reader reader_unknown"},
		{counter.Status{Reachable: true, Fault: card.ReaderGone}, "pcscd ok, reader reader_gone"},
		{counter.Status{Reachable: true, Fault: card.TwoCards}, "pcscd ok, reader (two_cards)"},
		{counter.Status{Reachable: true, Fault: card.ReaderInUse}, "pcscd ok, reader (in_use)"},
		{counter.Status{Reachable: true, Fault: card.MuteCard}, "pcscd ok, reader (mute_card)"},
		{counter.Status{Reachable: true, Fault: card.UnknownCard}, "pcscd ok, reader ok"},
	} {
		var got []string
		for _, f := range doctor.Examine(t.Context(), doctor.Parts{Now: clock, Card: func(context.Context) counter.Status { return c.status }}) {
			got = append(got, string(f.Part)+" "+told(f))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%+v: %v", c.status, got)
		}
	}
}

func TestScanners(t *testing.T) {
	used := func(fault string) scanner.Health {
		return scanner.Health{Used: true, Fault: fault, Device: "/dev/ttyACM0"}
	}
	auto := func(fault string) scanner.Health { return scanner.Health{Used: true, Automatic: true, Fault: fault} }
	for _, c := range []struct {
		all  []scanner.Health
		want string
	}{
		{[]scanner.Health{{}}, "ok"},
		{[]scanner.Health{{Used: true, Ready: true}}, "ok"},
		{[]scanner.Health{auto(scanner.NoDevice)}, "(no_device)"},
		{[]scanner.Health{auto(scanner.UnknownPort)}, "(unknown_port)"},
		{[]scanner.Health{auto(scanner.NoPermission)}, "no_permission"},
		{[]scanner.Health{used(scanner.NoDevice)}, "no_device"},
		{[]scanner.Health{auto(scanner.NoDevice), used(scanner.Busy)}, "busy"},
		{[]scanner.Health{used(scanner.Busy), auto(scanner.NoDevice)}, "busy"},
		{[]scanner.Health{{Used: true, Ready: true}, used(scanner.NoScanner)}, "not_a_scanner"},
	} {
		var asks []func(context.Context) scanner.Health
		for _, h := range c.all {
			asks = append(asks, func(context.Context) scanner.Health { return h })
		}
		if f := only(t, doctor.Parts{Scanners: asks}); told(f) != c.want {
			t.Errorf("%+v: %s", c.all, told(f))
		}
	}
}

func TestFolder(t *testing.T) {
	for _, c := range []struct {
		health oqsfolder.Health
		want   string
	}{
		{oqsfolder.Health{Ready: true, Waiting: 3}, "ok"},
		{oqsfolder.Health{Fault: oqsfolder.FaultFull, Folder: "req"}, "full"},
		{oqsfolder.Health{Fault: oqsfolder.FaultNotReadable, Folder: "res"}, "not_readable"},
		{oqsfolder.Health{Ready: true, Trouble: []oqsfolder.Trouble{{Fault: oqsfolder.FaultEncoding}, {Fault: oqsfolder.FaultZip}}}, "zip"},
		{oqsfolder.Health{Ready: true, Trouble: []oqsfolder.Trouble{{Fault: oqsfolder.FaultEncoding}}}, "(trouble)"},
		{oqsfolder.Health{Ready: true, Waiting: 2, LastAnswer: now.Add(-13 * time.Hour)}, "(waiting)"},
	} {
		if f := only(t, doctor.Parts{Folder: func(context.Context) oqsfolder.Health { return c.health }}); told(f) != c.want {
			t.Errorf("%+v: %s", c.health, told(f))
		}
	}
}

func TestOperators(t *testing.T) {
	for _, c := range []struct {
		all  []operator.Operator
		err  error
		want string
	}{
		{[]operator.Operator{{ID: "op_1", HasPIN: true}}, nil, "ok"},
		{[]operator.Operator{{ID: "op_1", HasPIN: true}, {ID: "op_2"}}, nil, "(without_pin)"},
		{nil, nil, "none"},
		{nil, errors.New("x"), "unreadable"},
	} {
		if f := only(t, doctor.Parts{Operators: func(context.Context) ([]operator.Operator, error) { return c.all, c.err }}); told(f) != c.want {
			t.Errorf("%+v: %s", c.all, told(f))
		}
	}
}

func TestConfiguration(t *testing.T) {
	bad := errors.Join(fault.At(fault.InvalidArgument, "oqs.request_dir", "must be an absolute path"), fault.At(fault.InvalidArgument, "scanner.baud", "must be 300 to 1000000"))
	f := only(t, doctor.Parts{Configuration: func() error { return bad }})
	if told(f) != "unreadable" || !strings.Contains(f.Args[0], "oqs.request_dir") || !strings.Contains(f.Args[0], "scanner.baud") {
		t.Errorf("%+v", f)
	}
	// A file that cannot be read holds no fault that could be corrected.
	for err, want := range map[error]string{fs.ErrPermission: "no_permission", fs.ErrNotExist: "no_file"} {
		if f := only(t, doctor.Parts{Configuration: func() error { return fmt.Errorf("cannot open: %w", err) }}); told(f) != want {
			t.Errorf("%v: %s", err, told(f))
		}
	}
}

// TestSeveralFaults are all told, and the most fundamental gives the code.
func TestSeveralFaults(t *testing.T) {
	all := doctor.Examine(t.Context(), doctor.Parts{
		Now:       clock,
		Enrolment: func(context.Context) error { return nil },
		Operators: func(context.Context) ([]operator.Operator, error) { return nil, nil },
		Folder: func(context.Context) oqsfolder.Health {
			return oqsfolder.Health{Fault: oqsfolder.FaultNoFolder, Folder: "req"}
		},
		Card: func(context.Context) counter.Status { return counter.Status{Reachable: true, Fault: card.NoReader} },
		Disk: func() (doctor.Space, error) { return doctor.Space{}, syscall.ENOSPC },
	})
	var got []string
	for _, f := range all {
		got = append(got, fmt.Sprintf("%s %s %d", f.Part, told(f), f.Code()))
	}
	want := "enrolment ok 0, disk full 13, pcscd ok 0, reader no_reader 18, folder no_folder 20, operators none 21"
	if strings.Join(got, ", ") != want || doctor.ExitCode(all) != 13 {
		t.Errorf("%v, exit %d", got, doctor.ExitCode(all))
	}
	if doctor.ExitCode(nil) != 0 || len(doctor.Examine(t.Context(), doctor.Parts{Now: clock})) != 0 {
		t.Error("nothing to look at is a fault")
	}
}

// TestAPartThatDoesNotAnswer is given up; the others are told.
func TestAPartThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		begin := time.Now()
		all := doctor.Examine(t.Context(), doctor.Parts{
			Now:       clock,
			Folder:    func(context.Context) oqsfolder.Health { <-release; return oqsfolder.Health{Ready: true} },
			Disk:      func() (doctor.Space, error) { return doctor.Space{Free: 1 << 40, Total: 1 << 40}, nil },
			Enrolment: func(ctx context.Context) error { <-ctx.Done(); return terminal.ErrNotEnrolled },
		})
		if time.Since(begin) != doctor.DefaultPatience {
			t.Errorf("it took %v", time.Since(begin))
		}
		words := map[doctor.Part]string{}
		for _, f := range all {
			words[f.Part] = told(f)
		}
		if words[doctor.Folder] != "silent" || words[doctor.Disk] != "ok" || (words[doctor.Enrolment] != "not_enrolled" && words[doctor.Enrolment] != "silent") {
			t.Errorf("%v", words)
		}
		close(release)
	})
}
