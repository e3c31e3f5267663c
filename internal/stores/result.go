package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// result is how the suite went on one server.
type result struct {
	server  string
	version string
	passed  int
	failed  []string // names of tests
	lacks   []string
}

// String is a row of a table in Markdown: kind, server, version, result, what it lacks.
func (r *result) String() string {
	outcome := fmt.Sprintf("%d tests pass", r.passed)
	if len(r.failed) > 0 {
		outcome = fmt.Sprintf("FAILED: %s; %s", strings.Join(r.failed, ", "), outcome)
	}
	lacks := "nothing"
	if len(r.lacks) > 0 {
		slices.Sort(r.lacks)
		lacks = strings.Join(slices.Compact(r.lacks), "; ")
	}
	return fmt.Sprintf("| S3 | %s | %s | %s | %s |", r.server, r.version, outcome, lacks)
}

// event is what `go test -json` writes, a line each.
type event struct {
	Action, Test, Output string
}

// What tests log about the server that they ran on.
const (
	logsVersion = "store version: "
	logsLack    = "store lacks: "
)

// results are how the tests went, by server, in the order in which the servers came.
type results struct {
	servers []*result
	output  strings.Builder // of what failed
}

// known are the results of the servers of which a test has logged the version. A folder is
// none.
func (r *results) known() (known []*result) {
	for _, s := range r.servers {
		if s.version != "" {
			known = append(known, s)
		}
	}
	return known
}

// of is the result of a server.
func (r *results) of(server string) *result {
	for _, s := range r.servers {
		if s.server == server {
			return s
		}
	}
	s := &result{server: server}
	r.servers = append(r.servers, s)
	return s
}

// read reads the events of a run. A test of a server is the subtest with its name.
func (r *results) read(events io.Reader) error {
	d := json.NewDecoder(events)
	tests := make(map[string][]string) // what each of those that run has said
	for {
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		switch e.Action {
		case "output":
			tests[e.Test] = append(tests[e.Test], e.Output)
		case "fail":
			r.output.WriteString(strings.Join(tests[e.Test], ""))
			fallthrough
		case "pass", "skip":
			delete(tests, e.Test)
		}
		if test, server, ok := strings.Cut(e.Test, "/"); ok {
			r.of(server).add(test, e)
		}
	}
}

// add takes what happened in a test of the server.
func (r *result) add(test string, e event) {
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed = append(r.failed, test)
	case "output":
		if _, version, ok := strings.Cut(e.Output, logsVersion); ok {
			r.version = strings.TrimSpace(version)
		}
		if _, lack, ok := strings.Cut(e.Output, logsLack); ok {
			r.lacks = append(r.lacks, strings.TrimSpace(lack))
		}
	}
}
