package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// outcome is how a test ended, or a package with all of its tests.
type outcome struct {
	test   string // with its subtest after a slash; empty: the package
	action string // pass, fail, skip
	output []string
}

// event is what `go test -json` writes, a line each.
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// goTest runs `go test`, and returns how each test ended, in the order in which they did.
// It fails if it could not run; that a test fails is in the outcomes.
func goTest(ctx context.Context, env []string, args ...string) ([]outcome, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json", "-count=1", "-timeout=30m"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	outcomes, err := readEvents(out)
	if err != nil {
		return nil, errors.Join(err, cmd.Wait())
	}
	failed := slices.ContainsFunc(outcomes, func(o outcome) bool { return o.action == "fail" })
	if err := cmd.Wait(); err != nil && !failed {
		return nil, fmt.Errorf("go test %v: %w", args, err)
	}
	for _, o := range outcomes {
		if o.action == "fail" {
			fmt.Fprint(os.Stderr, strings.Join(o.output, ""))
		}
	}
	return outcomes, nil
}

// readEvents reads the events of a run. What does not build has failed, with what the
// compiler said.
func readEvents(events io.Reader) (outcomes []outcome, err error) {
	d := json.NewDecoder(events)
	said := make(map[[2]string][]string) // by package and test, of what runs
	for {
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return outcomes, nil
		} else if err != nil {
			return outcomes, err
		}
		built, _, _ := strings.Cut(e.ImportPath, " ") // "folder [folder.test]"
		at := [2]string{e.Package + built, e.Test}
		switch e.Action {
		case "output", "build-output":
			said[at] = append(said[at], e.Output)
		case "pass", "fail", "skip":
			outcomes = append(outcomes, outcome{e.Test, e.Action, said[at]})
			delete(said, at)
		}
	}
}

// logged finds what a test logged, or a compiler.
var logged = regexp.MustCompile(`^\s*\S+\.go:\d+(?::\d+)?: (.*)`)

// reason is why a test failed or was skipped: the first thing that it logged, else the first
// line that is its own.
func (o outcome) reason() string {
	var first string
	for _, text := range o.output {
		line := strings.TrimSpace(text)
		if m := logged.FindStringSubmatch(text); m != nil && m[1] != "" && !strings.HasPrefix(m[1], "time=") { // no line of jobvault's own log
			return bounded(m[1])
		}
		if first == "" && line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") && !strings.HasPrefix(line, "# ") {
			first = line
		}
	}
	return bounded(first)
}

// bounded is a text that fits into a table.
func bounded(text string) string {
	const most = 240 // bytes
	if text = strings.TrimSpace(text); len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}

// failures are the names of the tests that failed, each with why. A test whose subtests
// fail is named by them, and a package by its tests.
func failures(outcomes []outcome) (named []string) {
	for i, o := range outcomes {
		within := func(sub outcome) bool {
			return sub.action == "fail" && (o.test == "" && sub.test != "" || strings.HasPrefix(sub.test, o.test+"/"))
		}
		if o.action != "fail" || slices.ContainsFunc(outcomes[:i], within) {
			continue
		}
		name := o.test
		if name == "" {
			name = "the tests do not run"
		}
		named = append(named, name+" ("+o.reason()+")")
	}
	return named
}
