package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"time"
)

// said is what a command printed, and how it ended.
type said struct {
	out, err string
	code     int // -1: killed
}

// command runs jobvault in a process of its own to its end.
func (w *world) command(args ...string) said {
	w.t.Helper()
	return w.commandFor(5*time.Minute, args...)
}

// commandFor runs a command and kills it, as kill -9 does, if it takes longer.
func (w *world) commandFor(limit time.Duration, args ...string) said {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, cmp.Or(w.binary, testBinary()), args...)
	cmd.Env = append(os.Environ(), append([]string{beMain + "=1"}, w.settings...)...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	s := said{out: out.String(), err: stderr.String()}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		s.code = exit.ExitCode()
	case err != nil:
		w.t.Fatal(err)
	}
	return s
}

// want runs a command that must end with the code.
func (w *world) want(code int, args ...string) said {
	w.t.Helper()
	s := w.command(args...)
	if s.code != code {
		w.t.Fatalf("jobvault %v ended with %d, want %d\n%s%s", args, s.code, code, s.out, s.err)
	}
	return s
}
