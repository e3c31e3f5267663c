package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
)

// runInto runs a program in a folder, with a file as its standard input and another as its
// output; "" is none. An error begins with what the program says.
func runInto(ctx context.Context, dir, in, out, program string, args ...string) (err error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if in != "" {
		f, err := os.Open(in)
		if err != nil {
			return err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		cmd.Stdout = f
	}
	if err := cmd.Run(); err != nil {
		return saidError(said.String(), err)
	}
	return nil
}

// saidError is the error of a program that has failed: what it says, if it says anything.
func saidError(said string, err error) error {
	if words := lastWords(said); words != "" {
		return errors.New(words)
	}
	return err
}

// errorLine finds what an error is in the trace that Python prints before it.
var errorLine = regexp.MustCompile(`(?m)^[\w.]*Error\b.*$`)

// lastWords is the line in which a program says what is wrong; empty: it says nothing.
func lastWords(said string) string {
	if line := errorLine.FindString(said); line != "" {
		return line
	}
	return firstLine(said)
}

// output is what a program prints, as one text.
func output(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	if err != nil {
		return "", saidError(string(said), err)
	}
	return string(said), nil
}

// versionNumber is the first of them in what a program says of itself.
var versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)*`)

// installed finds the version of a program of this machine, which package has.
func installed(ctx context.Context, pkg string, program string, args ...string) (string, error) {
	if _, err := exec.LookPath(program); err != nil {
		return "", fmt.Errorf("%w (Debian: apt-get install %s)", errAbsent, pkg)
	}
	said, err := output(ctx, "", program, args...)
	if err != nil {
		return "", err
	}
	return versionNumber.FindString(said), nil
}
