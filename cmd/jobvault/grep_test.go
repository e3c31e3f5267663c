package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/lookup/search"
)

// grep ends with the codes of its namesake, and prints as that does.
func TestGrepPrintsWhatItFindsAndEndsLikeGrep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	day := w.github.AddHistory(githubsim.History{Seed: 12, Jobs: 60, Runs: 6, Repositories: 2, Begin: now.Add(-30 * time.Hour), End: now.Add(-time.Hour), NoDeliveries: true})
	owner := day.Repositories[0].Owner
	w.want(0, "backfill", "--org", owner, "--since", "3d")
	lines := w.want(0, "grep", "^Complete job name: ")
	if lines.err != "" {
		t.Errorf("says %s", lines.err)
	}
	found := strings.Split(strings.TrimSpace(lines.out), "\n")
	parts := strings.SplitN(found[0], ":", 5)
	if len(found) < 20 || !strings.HasPrefix(parts[0], owner+"/") || parts[2] != "1" || !strings.Contains(parts[4], "Z:Complete job name: ") {
		t.Fatalf("%d lines such as %s", len(found), found[0])
	}
	var first search.Match
	w.check(json.NewDecoder(strings.NewReader(w.want(0, "grep", "--json", "^Complete job name: ").out)).Decode(&first))
	if fmt.Sprint(first.JobID) != parts[1] || fmt.Sprint(first.Line) != parts[3] || *first.Step != 1 || first.Time == "" || first.Job == "" {
		t.Errorf("%+v, want that of %s", first, found[0])
	}
	if n := strings.Count(w.want(0, "grep", "-c", "^Complete job name: ").out, ":1\n"); n != len(found) {
		t.Errorf("counts of %d logs, want %d", n, len(found))
	}
	if l := w.want(0, "grep", "-l", "--run", fmt.Sprint(first.RunID), "^Complete job name: ").out; !strings.Contains(l, fmt.Sprintf("%s:%s\n", parts[0], parts[1])) {
		t.Errorf("logs of run %d: %s", first.RunID, l)
	}
	around := strings.Split(w.want(0, "grep", "-A1", "-B1", "-m1", "--run", fmt.Sprint(first.RunID), "^Complete job name: ").out, "\n")
	if !strings.Contains(around[0], "-1-") || !strings.Contains(around[1], ":Complete job name") || around[3] != "--" && around[3] != "" {
		t.Errorf("with context: %q", around[:4])
	}
	w.want(1, "grep", "no such text anywhere")
	w.want(1, "grep", "Complete", "--since", "1m")
	for _, wrong := range [][]string{{"grep", "("}, {"grep", "a", "--since", "soon"}, {"grep", "-C", "5000", "a"}, {"grep"}, {"grep", `(a)\1`}} {
		if s := w.want(2, wrong...); s.err == "" || s.out != "" {
			t.Errorf("%v says %q", wrong, s.err)
		}
	}
	// A log that is gone is told of, and the others are searched.
	var key string
	w.check(w.pool.QueryRow(t.Context(), `SELECT object_key FROM job_logs WHERE job_id = $1`, first.JobID).Scan(&key))
	w.check(w.archive.Bucket().Remove(t.Context(), key))
	s := w.want(2, "grep", "-c", "^Complete job name: ")
	if !strings.Contains(s.err, "job "+parts[1]+": ") || strings.Count(s.out, "\n") != len(found)-1 {
		t.Errorf("%s: %d logs", s.err, strings.Count(s.out, "\n"))
	}
}

// A server may be older or newer than the command: bounds are sent by both their names.
func TestGrepSendsBoundsByOldAndNewNames(t *testing.T) {
	t.Parallel()
	q, err := grepCmd{Pattern: "a", MaxCount: 3, After: 2, Context: 1, Raw: true}.query()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"max_count": "3", "most": "3", "after_context": "2", "lines_after": "2", "before_context": "1", "lines_before": "1", "raw": "1",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
}

// On a terminal a line is shown as it is searched: what matches is red, in its other colours
// or, of bytes, with all that is in it.
func TestGrepShowsWhatItMatches(t *testing.T) {
	t.Parallel()
	const red, end = "\x1b[1;31m", "\x1b[0m"
	for _, c := range []struct {
		pattern, text, want string
		raw                 bool
	}{
		{"dump", "mem dump, dump", "mem " + red + "dump" + end + ", " + red + "dump" + end, false},
		{"memdump", "a \x1b[36mmem\x1b[1mdump\x1b[0m.py", "a " + red + "memdump" + end + "\x1b[0m.py", false},
		{"x|b", "\x1b[31mab\x1b[32mx\x1b[0m", "\x1b[31ma" + red + "b" + end + red + "x" + end + "\x1b[0m", false},
		{"new", "old\rnew\x1b]0;t\a", red + "new" + end, false},
		{"^", "\x1b[31mx", red + end + "\x1b[31mx", false},
		{"old", "old\rnew\x1b[K", red + "old" + end + "new␛[K", true},
		{"none", "o\x1b[31mld\x1b[0m", "o\x1b[31mld\x1b[0m", false},
	} {
		pattern, err := ngram.ParsePattern(c.pattern, ngram.PatternOptions{Raw: c.raw})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		p := &foundPrinter{pattern: pattern, out: bufio.NewWriter(&out), job: 1}
		if err := p.show(search.Match{MatchJob: &search.MatchJob{JobID: 1}, MatchLine: &search.MatchLine{Text: c.text}}, true); err != nil {
			t.Fatal(err)
		}
		_ = p.out.Flush()
		if _, line, _ := strings.Cut(out.String(), "\x1b[0m  "); line != c.want+"\x1b[0m\n" {
			t.Errorf("%q of %q: %q, want %q", c.pattern, c.text, line, c.want)
		}
	}
}

// The form in which a flag was given is found as kong finds the flag.
func TestGivenFlags(t *testing.T) {
	t.Parallel()
	var c cli
	parser, err := newParser(&c)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]givenFlags{
		"grep -A 3 a":                 {"after-context": "-A"},
		"grep -ivA3 a":                {"ignore-case": "-i", "invert-match": "-v", "after-context": "-A"},
		"grep --after-context=3 -B 2": {"after-context": "--after-context", "before-context": "-B"},
		"grep --repo -A a":            {"repo": "--repo"}, // -A is its value, as far as can be told
		"grep -- -A":                  {},
		"grep -A 3 -- -i":             {"after-context": "-A"},
		"--listen x grep -c a":        {"listen": "--listen", "count": "-c"},
		"grep -Z --nonsense a":        {},
	} {
		if got := findGiven(parser.Model, strings.Fields(line)); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
	given := givenFlags{"context": "-C", "run": "--run"}
	for got, want := range map[string]string{
		given.number("context", "3x"): "-C 3x", given.number("context", ""): `-C ""`, given.number("run", -1): "--run=-1", given.number("context", "a\x1b b"): `-C "a\x1b b"`,
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
