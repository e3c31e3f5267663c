package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// tryPostgres runs tests, and the demo, on versions of Postgres, and then the tests of
// PgBouncer on whichever Postgres this machine has.
func tryPostgres(ctx context.Context, o options) ([]row, error) {
	versions, err := chooseVersions(o.versions)
	demo, derr := chooseVersions(o.demo)
	if err := errors.Join(err, derr); err != nil {
		return nil, err
	}
	rows := make([]row, len(versions))
	places := make(chan struct{}, max(o.atOnce, 1))
	var tried sync.WaitGroup
	for i, version := range versions {
		places <- struct{}{}
		tried.Go(func() {
			rows[i] = tryVersion(ctx, version, strings.Fields(o.packages), slices.Contains(demo, version))
			fmt.Fprintln(os.Stderr, rows[i])
			<-places
		})
	}
	tried.Wait()
	if o.versions == "" {
		rows = append(rows, tryPgBouncer(ctx))
	}
	return rows, ctx.Err()
}

// chooseVersions are those of the pinned versions that are wanted: numbers, oldest, newest;
// nothing: all.
func chooseVersions(wanted string) (chosen []string, err error) {
	if wanted == "" {
		return pinned, nil
	}
	for _, word := range strings.Fields(wanted) {
		i := slices.IndexFunc(pinned, func(v string) bool { return major(v) == word })
		switch word {
		case "oldest":
			i = 0
		case "newest":
			i = len(pinned) - 1
		}
		if i < 0 {
			return nil, fmt.Errorf("there is no Postgres %q; there are: %s", word, strings.Join(pinned, " "))
		}
		chosen = append(chosen, pinned[i])
	}
	slices.Sort(chosen)
	return slices.Compact(chosen), nil
}

// major is the number by which a version is known.
func major(version string) string {
	number, _, _ := strings.Cut(version, ".")
	return number
}

// tryVersion is the row of a version, which is put first in PATH, where jobvault looks.
func tryVersion(ctx context.Context, version string, packages []string, demo bool) row {
	number, _, _ := strings.Cut(version, ".0-beta")
	r := row{kind: "Postgres", name: "PostgreSQL " + major(version), version: number, result: "pass", lacks: "nothing"}
	bin, err := fetchPostgres(ctx, version)
	switch {
	case errors.Is(err, errNone):
		r.result = notTried + err.Error()
		return r
	case err != nil:
		r.result = failed + "it cannot be had: " + bounded(err.Error())
		return r
	}
	path := "PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH")
	// What is missing is told here, by its name, and not by the tests.
	outcomes, err := goTest(ctx, []string{path, "CI="}, packages...)
	wrong, untried := failures(outcomes), skips(outcomes)
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	if demo {
		if err := runDemo(ctx, path); err != nil {
			wrong = append(wrong, "the demo ("+bounded(err.Error())+")")
		}
	}
	if os.Getenv("CI") == "true" {
		for _, s := range untried {
			if !strings.Contains(s, "pg_dump of version") { // which no package of Debian's has for every server
				wrong = append(wrong, s)
			}
		}
	}
	if len(wrong) > 0 {
		r.result = failed + strings.Join(wrong, "; ")
	}
	if len(untried) > 0 {
		r.lacks += "; " + notTriedHere + strings.Join(untried, "; ")
	}
	return r
}

// skips are the names of the tests that were skipped, each with why.
func skips(outcomes []outcome) (named []string) {
	for _, o := range outcomes {
		if o.action == "skip" && o.test != "" {
			named = append(named, o.test+" ("+o.reason()+")")
		}
	}
	return named
}

// runDemo runs the demo with a folder of its own.
func runDemo(ctx context.Context, path string) (err error) {
	dir, err := os.MkdirTemp("", "demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cmd := exec.CommandContext(ctx, "./bin/jobvault", "demo")
	cmd.Env = append(os.Environ(), path, "JOBVAULT_DATA_DIR="+dir)
	said, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	os.Stderr.Write(said)
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	return fmt.Errorf("%w: %s", err, lines[len(lines)-1])
}

// logsPgBouncer is how internal/testenv logs which PgBouncer it runs.
const logsPgBouncer = "PgBouncer version: "

// tryPgBouncer is the row of this machine's PgBouncer.
func tryPgBouncer(ctx context.Context) row {
	r := row{kind: "Postgres", name: "PgBouncer", result: "pass", lacks: "sessions in the modes transaction and statement, which are refused at the start"}
	outcomes, err := goTest(ctx, []string{"CI="}, "./store", "./cmd/jobvault", "-run=PgBouncer|Pooler")
	wrong, untried := failures(outcomes), skips(outcomes)
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	for _, o := range outcomes {
		for _, line := range o.output {
			if _, version, ok := strings.Cut(line, logsPgBouncer); ok {
				r.version = strings.TrimSpace(version)
			}
		}
	}
	switch {
	case len(wrong) > 0:
		r.result = failed + strings.Join(wrong, "; ")
	case len(untried) > 0:
		r.result = notTried + strings.Join(untried, "; ")
	}
	return r
}
