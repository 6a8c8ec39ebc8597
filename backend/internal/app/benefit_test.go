package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi.example/shared/benefit/programs"
	"madoguchi.example/shared/benefit/rule"
)

func TestBenefitEvaluate(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "in.jsonl")
	good := `{"id":"a","benefit":"child_allowance","month":"2024-10","inputs":{"children":[{"birth":"2021-10-01"}]}}` + "\n"
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, good)
	out, err := run(t, "benefit", "evaluate", file)
	if err != nil || !strings.HasPrefix(out, `{"id":"a","benefit":"child_allowance","month":"2024-10","result":{"amount":15000,`) || strings.Count(out, "\n") != 1 {
		t.Fatalf("%s %v", out, err)
	}
	write(file, good+"{\n"+good)
	if out, err := run(t, "benefit", "evaluate", file); err == nil || errors.Is(err, ErrUsage) || strings.Count(out, "\n") != 3 || !strings.Contains(out, "in.jsonl:2") {
		t.Errorf("%s %v", out, err)
	}
	for _, args := range [][]string{{"benefit"}, {"benefit", "pay"}, {"benefit", "evaluate"}, {"benefit", "evaluate", file, file}, {"benefit", "evaluate", "--programs"}} {
		if _, err := run(t, args...); !errors.Is(err, ErrUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestBenefitProgramsOfAFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, programs.FS); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "child_allowance", "parameters.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(string(text), `valid_to = "2024-09"`, `valid_to = "2024-08"`, 1)
	if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "benefit", "evaluate", "--programs", dir, file); err == nil || out != "" || !strings.Contains(err.Error(), "child_allowance/parameters.toml:11: parameter under_three leaves a gap") {
		t.Errorf("%s %v", out, err)
	}
}

func TestBenefitEvaluateReadsTheStandardInput(t *testing.T) {
	e, err := rule.Load(programs.FS)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	in := `{"id":"p","benefit":"child_allowance_payment_month","month":"2024-12","inputs":{}}`
	if refused, err := evaluate(t.Context(), e, "-", strings.NewReader(in), &out); refused > 0 || err != nil || !strings.Contains(out.String(), `"paid_in":"2025-02"`) {
		t.Error(refused, err, out.String())
	}
}
