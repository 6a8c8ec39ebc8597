package app_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"madoguchi.example/agent/internal/app"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"madoguchi-agent": func() {
		os.Exit(app.Main(context.Background(), os.Args[1:], app.World{
			Getenv: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			Now: time.Now, Rand: rand.Reader, Version: "v-test",
		}))
	}})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		vectors := os.Getenv("MADOGUCHI_VECTORS")
		if vectors == "" {
			dir, err := os.Getwd()
			if err != nil {
				return err
			}
			vectors = filepath.Join(dir, "../../../../shared/vectors")
		}
		e.Setenv("VECTORS", vectors)
		return nil
	}, Condition: func(cond string) (bool, error) {
		if cond != "vectors" {
			return false, os.ErrInvalid
		}
		vectors := os.Getenv("MADOGUCHI_VECTORS")
		if vectors == "" {
			vectors = "../../../../shared/vectors"
		}
		_, err := os.Stat(vectors)
		return err == nil, nil
	}})
}
