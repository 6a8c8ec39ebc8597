package wire_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

var exportHeader = wire.ExportHeader{Terminal: "trm_1", At: at, ServerEpoch: "epo_2"}

func exportEntries() []wire.ExportEntry {
	all := chained("trm_1", records(3)...)
	return []wire.ExportEntry{
		{Record: all[0]}, {Record: all[1]},
		{Record: all[2], Status: wire.Rejected, Reason: string(fault.InvalidArgument), DeadAt: at},
		{Record: wire.Record{ID: record(4).ID}, Reason: wire.ReasonDamaged, DeadAt: at},
	}
}

func export(t testing.TB, entries ...wire.ExportEntry) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := wire.NewExportWriter(&out, exportHeader)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readExport(in []byte) (h wire.ExportHeader, entries []wire.ExportEntry, err error) {
	r, err := wire.NewExportReader(bytes.NewReader(in))
	if err != nil {
		return h, nil, err
	}
	for {
		e, err := r.Next()
		if err != nil {
			return r.Header(), entries, err
		}
		entries = append(entries, e)
	}
}

func TestExport(t *testing.T) {
	out := export(t, exportEntries()...)
	h, got, err := readExport(out)
	want := exportHeader
	want.Format, want.Version = wire.ExportFormat, wire.ExportVersion
	if !errors.Is(err, io.EOF) || h != want || !reflect.DeepEqual(got, exportEntries()) {
		t.Errorf("%v\n%+v\n%+v", err, h, got)
	}
	path := filepath.Join("testdata", "export.jsonl")
	if *update {
		if err := os.WriteFile(path, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if golden, err := os.ReadFile(path); err != nil || !bytes.Equal(golden, out) {
		t.Errorf("export.jsonl is not what it was: %v\n%s", err, out)
	}
}

// Cut off anywhere, an export never ends as a whole one does.
func TestExportCutOff(t *testing.T) {
	whole := export(t, exportEntries()...)
	for n := range len(whole) - 1 {
		if _, _, err := readExport(whole[:n]); err == nil || errors.Is(err, io.EOF) {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func TestExportRefusals(t *testing.T) {
	whole := string(export(t, exportEntries()...))
	for name, in := range map[string]string{
		"another format":    strings.Replace(whole, wire.ExportFormat, "other", 1),
		"a newer version":   strings.Replace(whole, `"version":1`, `"version":2`, 1),
		"an unknown member": strings.Replace(whole, `{"record"`, `{"x":1,"record"`, 1),
		"one line less":     strings.Replace(whole, strings.SplitAfter(whole, "\n")[1], "", 1),
		"more after it":     whole + "{}\n",
		"a long line":       strings.Replace(whole, "\n", strings.Repeat(" ", wire.MaxExportLine)+"\n", 1),
		"another status":    strings.Replace(whole, `"status":"rejected"`, `"status":"accepted"`, 1),
		"a bad record":      strings.Replace(whole, `"seq":2`, `"seq":0`, 1),
	} {
		if in == whole {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if _, _, err := readExport([]byte(in)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w, err := wire.NewExportWriter(io.Discard, exportHeader)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(wire.ExportEntry{}); err == nil || w.Close() == nil {
		t.Error("an export is whole after an entry that it could not hold")
	}
}

func FuzzExport(f *testing.F) {
	f.Add(export(f, exportEntries()...))
	f.Add(export(f))
	f.Fuzz(func(t *testing.T, in []byte) {
		_, entries, err := readExport(in)
		if !errors.Is(err, io.EOF) {
			return
		}
		for _, e := range entries {
			if e.Reason == wire.ReasonDamaged {
				return // holds what is known of it, in no form
			}
		}
		if _, got, err := readExport(export(t, entries...)); !errors.Is(err, io.EOF) || len(got) != len(entries) {
			t.Fatalf("written again: %v", err)
		}
	})
}
