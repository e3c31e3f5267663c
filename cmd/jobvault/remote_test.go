package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/lookup/search"
	"github.com/jobvault/jobvault/store"
)

// The commands print the same, whether they ask the database or a jobvault elsewhere,
// which checks who asks.
func TestCommandsAskAJobvaultElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	day := w.github.AddHistory(githubsim.History{Seed: 11, Jobs: 150, Runs: 12, Repositories: 2, Begin: now.Add(-30 * time.Hour), End: now.Add(-time.Hour), NoDeliveries: true})
	owner := day.Repositories[0].Owner
	long := day.Jobs[0]
	long.ID, long.RunID, long.RepositoryID, long.RunAttempt, long.ListedAttempt, long.ListsRunAttempt, long.Life = 1<<40, 1<<40, day.Repositories[0].ID, 1, 0, 0, nil
	long.Status, long.Conclusion, long.CreatedAt, long.StartedAt, long.CompletedAt = "completed", new("success"), now.Add(-3*time.Hour), now.Add(-3*time.Hour), new(now.Add(-2*time.Hour))
	const line = "2026-04-01T09:00:00.0000000Z hello\n"
	coloured := strings.Replace(line, "hello", "\x1b[36;1mhello\x1b[0m", 1)
	long.Log = githubsim.TextLog([]byte(coloured + strings.Repeat(line, search.DefaultLimit)))
	w.github.AddJob(long)
	w.want(0, "backfill", "--org", owner, "--since", "3d")
	var private []int64
	for _, r := range day.Repositories {
		private = append(private, r.ID)
	}
	w.github.AddUser("octo", "ghp_octo_octo_octo_octo", private...)
	mine := owner + "/" + day.Repositories[0].Name
	made := w.want(0, "token", "create", "--name", "ci", "--repo", mine)
	local := startProcess(t, append(w.settings, "JOBVAULT_ROLES=lookup")...)
	byToken := startProcess(t, append(w.settings, "JOBVAULT_ROLES=lookup", "JOBVAULT_READ_AUTH=tokens")...)
	byGitHub := startProcess(t, append(w.settings, "JOBVAULT_ROLES=lookup", "JOBVAULT_READ_AUTH=github")...)
	want := w.want(0, "jobs", "--limit", "200", "--json").out
	if n := strings.Count(want, "\n"); n != len(day.Jobs)+1 {
		t.Fatalf("%d jobs, want %d", n, len(day.Jobs)+1)
	}
	same := func(how, want string, args ...string) {
		t.Helper()
		if got := w.want(0, args...).out; got != want {
			t.Errorf("%s: %d bytes, want %d", how, len(got), len(want))
		}
	}
	same("from this machine", want, "jobs", "--limit", "200", "--json", "--server", local.url)
	same("with a GitHub token", want, "jobs", "--limit", "200", "--json", "--server", byGitHub.url, "--server-token", "ghp_octo_octo_octo_octo")
	token := strings.TrimSpace(made.out)
	ofMine := w.want(0, "jobs", "--repo", mine, "--limit", "200", "--json").out
	same("with a token of jobvault's", ofMine, "jobs", "--limit", "200", "--json", "--server", byToken.url, "--server-token", token)
	for _, filter := range [][]string{{"--conclusion", "failure"}, {"--since", "20h"}, {"--branch", "main", "--limit", "7"}, {"--log-state", "none"},
		{"--event", "pull_request_target", "--fork"}, {"--actor", "MALLORY"}, {"--actor", "octocat", "--event", "pull_request"}} {
		args := append([]string{"jobs", "--json", "--limit", "200"}, filter...)
		found := w.want(0, args...).out
		if n := strings.Count(found, "\n"); n == 0 || n > len(day.Jobs)*9/10 {
			t.Errorf("%q: %d of %d jobs", filter, n, len(day.Jobs))
		}
		same(fmt.Sprint(filter), found, append(args, "--server", local.url)...)
	}
	uses := []string{"uses", "actions/checkout", "--json"}
	same("uses", w.want(0, uses...).out, append(uses, "--server", local.url)...)
	forked := append(uses, "--event", "pull_request_target", "--fork", "--actor", "mallory")
	same("uses from forks", w.want(0, forked...).out, append(forked, "--server", local.url)...)
	w.want(1, append(uses, "--event", "push", "--fork")...)
	same("uses by what may be read", w.want(0, append(uses, "--repo", mine)...).out, append(uses, "--server", byToken.url, "--server-token", token)...)
	for _, search := range [][]string{
		{"Run actions/checkout", "--json"}, {"-c", "."}, {"-l", "-i", "complete JOB name"}, {"-C2", "--json", "--step", "1", "^Complete job name"}, {"-F", "-v", "-m2", "a"}, {"--raw", "-m2", `\x1b\[36;1m`},
	} {
		grep := append([]string{"grep"}, search...)
		same(fmt.Sprint(grep), w.want(0, grep...).out, append(grep, "--server", local.url)...)
		same(fmt.Sprint(grep, "in what may be read"), w.want(0, append(grep, "--repo", mine)...).out, append(grep, "--server", byToken.url, "--server-token", token)...)
	}
	// More than one answer of the API has, unless it is asked for all.
	every := w.want(0, "grep", "").out
	if n := strings.Count(every, "\n"); n <= search.DefaultLimit {
		t.Fatalf("%d lines are too few for this test", n)
	}
	same("every line", every, "grep", "", "--server", local.url)
	var job, other store.JobSummary
	for line := range strings.Lines(want) {
		var j store.JobSummary
		w.check(json.Unmarshal([]byte(line), &j))
		switch {
		case j.LogState != store.LogArchived:
		case j.Owner+"/"+j.Repository == mine:
			job = j
		default:
			other = j
		}
	}
	for _, part := range [][]string{nil, {"--lines", "3-5"}, {"--lines", "2-"}, {"--step", "1"}, {"--follow-errors"}} {
		args := append([]string{"log", fmt.Sprint(job.ID)}, part...)
		same(fmt.Sprint(part), w.want(0, args...).out, append(args, "--server", byToken.url, "--server-token", token)...)
	}
	for what, c := range map[string]struct {
		args []string
		says string
	}{
		"no token":        {[]string{"log", fmt.Sprint(job.ID), "--server", byToken.url}, "401: Requires authentication"},
		"a wrong one":     {[]string{"log", fmt.Sprint(job.ID), "--server", byToken.url, "--server-token", token[:40] + "xxx"}, "401: Bad credentials"},
		"another's log":   {[]string{"log", fmt.Sprint(other.ID), "--server", byToken.url, "--server-token", token}, "404: Not Found"},
		"an unknown job":  {[]string{"log", "1", "--server", byToken.url, "--server-token", token}, "404: Not Found"},
		"an unknown step": {[]string{"log", fmt.Sprint(job.ID), "--step", "999", "--server", local.url}, "no step 999"},
		"nobody there":    {[]string{"jobs", "--server", "http://127.0.0.1:1"}, "connection refused"},
		"not jobvault":    {[]string{"jobs", "--server", w.github.URL()}, "answers 404"},
	} {
		s := w.want(1, c.args...)
		if !strings.Contains(s.err, c.says) || strings.Contains(s.err, token) {
			t.Errorf("%s: %q is not in: %s", what, c.says, s.err)
		}
	}
	w.want(2, "jobs", "--server", "nowhere")
	w.want(2, "jobs", "--server", "http://jobvault.example.com", "--server-token", token)
	w.want(0, "token", "revoke", "ci")
	w.want(1, "jobs", "--server", byToken.url, "--server-token", token)
	var subjects []string
	rows, err := w.pool.Query(t.Context(), `SELECT DISTINCT split_part(subject, ' ', 1) || ' ' || what FROM reads WHERE job_id = $1`, job.ID)
	w.check(err)
	for rows.Next() {
		var s string
		w.check(rows.Scan(&s))
		subjects = append(subjects, s)
	}
	for _, s := range []string{"local whole", "local lines 3-5", "token whole", "token step 1"} {
		if !strings.Contains(strings.Join(subjects, ","), s) {
			t.Errorf("no read %q among %v", s, subjects)
		}
	}
	for _, p := range []*process{local, byToken, byGitHub} {
		p.terminate()
	}
}

// The token goes to the server that was named, and to no other.
func TestTheTokenStaysWithTheServer(t *testing.T) {
	var seen []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		seen = append(seen, req.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, elsewhere.URL, http.StatusFound)
	}))
	defer server.Close()
	var out, stderr bytes.Buffer
	code := run(t.Context(), []string{"log", "1", "--server", server.URL, "--server-token", "jobvault_secret"}, &out, &stderr)
	if code != 0 || len(seen) != 1 || seen[0] != "" {
		t.Errorf("%d, %q: %s", code, seen, stderr.String())
	}
}

func TestFollowErrors(t *testing.T) {
	log := "2024-07-08T16:48:09.3750041Z one\ntwo\nthree\n2024-07-08T16:48:09.3750041Z ##[error]broken\nfive\nsix\nseven\n" +
		"2024-07-08T16:48:09.3750041Z ##[warning]odd\r\n2024-07-08T16:48:09.3750041Z ##[error]again"
	var b bytes.Buffer
	w := followErrors(&b, 11, 1, bytes.Clone)
	for _, piece := range []string{log[:40], log[40:41], log[41:]} {
		if _, err := w.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	want := "     13  three\n     14  2024-07-08T16:48:09.3750041Z ##[error]broken\n--\n     17  seven\n" +
		"     18  2024-07-08T16:48:09.3750041Z ##[warning]odd\n     19  2024-07-08T16:48:09.3750041Z ##[error]again\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}

// A jobvault of before there were these filters passes over them: what it answers is not
// taken for an answer to them.
func TestAServerThatKnowsNoStartsIsNotBelieved(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v3/uses" {
			fmt.Fprint(w, `{"uses":[{"action":"acme/lint","ref":"v1","jobs":1}],"whole":true}`)
			return
		}
		fmt.Fprint(w, `{"jobs":[{"id":1,"run_id":2,"owner":"acme","repository":"rocket","name":"build","status":"completed","log_state":"archived"}]}`)
	}))
	defer server.Close()
	for _, filter := range []string{"", "--event=push", "--actor=mona", "--fork"} {
		for _, command := range [][]string{{"jobs"}, {"uses", "acme/lint"}} {
			args := append(command, "--server", server.URL)
			if filter != "" {
				args = append(args, filter)
			}
			var out, stderr bytes.Buffer
			code := run(t.Context(), args, &out, &stderr)
			if older := strings.Contains(stderr.String(), "too old"); older != (filter != "") || older != (code == 1) || older != (out.Len() == 0) {
				t.Errorf("%q: %d, %s%s", args, code, out.String(), stderr.String())
			}
		}
	}
}

// An error that repeats what a server said is plain text.
func TestErrorsAreText(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"\u001b]0;pwned\u0007\u001b[2J no such thing"}`)
	}))
	defer server.Close()
	for _, args := range [][]string{
		{"log", "\x1b]0;pwned\x07"}, {"jobs", "--since", "\x1b[2J"}, {"uses", "\x1b[2J"}, {"log", "1", "--server", server.URL},
		{"jobs", "--server", "http://\x1b[2J"},
	} {
		var out, stderr bytes.Buffer
		if code := run(t.Context(), args, &out, &stderr); code == 0 {
			t.Errorf("%q succeeds", args)
		}
		if said := out.String() + stderr.String(); strings.ContainsAny(said, "\x1b\x07") || said == "" {
			t.Errorf("%q: %q", args, said)
		}
	}
}
