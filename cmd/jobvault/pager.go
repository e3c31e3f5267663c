package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// paged runs f with its output going through $PAGER, or less, if standard output is
// a terminal and there is such a program. The reader may leave it at any time.
func paged(ctx context.Context, e *environment, f func(io.Writer) error) error {
	pager := os.Getenv("PAGER")
	if pager == "" {
		pager = "less"
	}
	words := strings.Fields(pager)
	if !isTerminal(e.stdout) || len(words) == 0 || words[0] == "cat" {
		return f(e.stdout)
	}
	program, err := exec.LookPath(words[0])
	if err != nil {
		return f(e.stdout)
	}
	cmd := exec.Command(program, words[1:]...) //nolint:noctx,gosec // Ctrl-C is its own business, and which it is, the reader's
	cmd.Stdout, cmd.Stderr = e.stdout, e.stderr
	cmd.Env = os.Environ()
	if os.Getenv("LESS") == "" {
		cmd.Env = append(cmd.Env, "LESS=FRX") // colours, and no pager for what fits
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = f(in)
	if errors.Is(err, syscall.EPIPE) {
		err = nil // it was left
	}
	return errors.Join(err, closePipe(in), cmd.Wait(), ctx.Err())
}

// closePipe is the end of what the pager is given.
func closePipe(in io.Closer) error {
	if err := in.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
