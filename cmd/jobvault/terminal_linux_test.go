package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// onTerminal runs f with a pseudo-terminal, and returns what reached it.
func onTerminal(t *testing.T, f func(terminal *os.File)) string {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	check(err)
	defer control.Close()
	check(unix.IoctlSetPointerInt(int(control.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(control.Fd()), unix.TIOCGPTN)
	check(err)
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	check(err)
	reached := make(chan []byte)
	go func() {
		b, err := io.ReadAll(control)
		if err != nil && !errors.Is(err, unix.EIO) { // which says that nobody has it open any more
			t.Error(err)
		}
		reached <- b
	}()
	f(terminal)
	check(terminal.Close())
	return strings.ReplaceAll(string(<-reached), "\r\n", "\n")
}

// evil is a name that moves the cursor, sets the title, reorders text and hides some.
const evil = "evil\x1b[2J\x1b]0;x\x07\x7f\u009b2J\u202e\u2066\u2028\u200b\ufeff\U000e0041"

// hostileVault is a database and a bucket that are full of evil, and the settings with
// which commands find them.
func hostileVault(t *testing.T) (settings []string) {
	t.Helper()
	url, dir := testenv.DatabaseURL(t), "file://"+t.TempDir()
	db, err := store.New(testenv.PoolAt(t, url))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bucket.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.New(b, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	v := &testenv.Vault{T: t, DB: db, Archive: a, At: time.Now().UTC().Add(-48 * time.Hour).Truncate(time.Second)}
	for id := range int64(2) {
		f := v.Facts(id+1, evil)
		f.Job.Name, f.Job.Conclusion, f.Job.RunnerName = evil, new(evil), new(evil)
		f.Run.WorkflowName, f.Run.HeadBranch, f.Labels = new(evil), new(evil), []string{evil}
		v.Record(f)
	}
	v.Check(v.DB.RecordRuns(t.Context(), []store.ListedRun{{
		ID: 2, RepositoryID: 1, Origin: store.RunOrigin{Event: new(evil), Actor: new(evil), DisplayTitle: new(evil), Path: new(evil), HeadRepositoryID: new(int64(9))},
		Attempt: store.RunAttemptFacts{RunAttempt: 1, TriggeringActor: new("by " + evil)},
	}}))
	v.Log(1, []byte("2024-07-08T16:48:09.3750041Z text "+evil+" bytes \xff\x9b\n"))
	v.Settle(store.Settlement{JobID: 2, State: store.LogNone, Usage: &joblog.Usage{Actions: []joblog.Action{{Line: 1, Name: "acme/x", Path: evil[:4], Ref: "v1\u202e\u0085"}}}})
	return []string{"--database-url", url, "--bucket-url", dir, "--data-dir", t.TempDir()}
}

// ways are commands by which outside text reaches standard output.
func ways(server string) [][]string {
	var all [][]string
	for _, w := range [][]string{
		{"jobs"}, {"jobs", "--fork"}, {"grep", "bytes"}, {"grep", "--raw", "text"}, {"grep", "-c", "bytes"}, {"grep", "-l", "bytes"}, {"grep", "-C1", "bytes"}, {"uses", "acme/x/evil"}, {"uses", "acme/x/evil", "--fork"}, {"coverage"},
		{"hold", "list"}, {"retention", "list"}, {"retention", "plan"}, {"token", "list"}, {"verify"}, {"log", "1"}, {"config", "--repositories", evil},
	} {
		all = append(all, w)
		if w[0] == "jobs" || w[0] == "grep" || w[0] == "uses" {
			all = append(all, append(w[:len(w):len(w)], "--server", server))
		}
	}
	return all
}

var shownColours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func TestNothingThatCommandsPrintIsActedOnByATerminal(t *testing.T) {
	t.Setenv("PAGER", "cat")
	settings := hostileVault(t)
	local := func(args ...string) []string { return append(args, settings...) }
	for _, args := range [][]string{
		{"hold", "set", "--job", "2", "--reason", "evil", "--actor", "me"}, {"retention", "add", "--keep", "1d", "--actor", "me"},
		{"token", "create", "--name", "ci", "--repo", "acme/rocket"},
	} {
		if code := run(t.Context(), local(args...), io.Discard, os.Stderr); code != 0 {
			t.Fatalf("%q ended with %d", args, code)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hostile := strings.ReplaceAll(evil, "\x1b", `\u001b`)
		hostile = strings.ReplaceAll(strings.ReplaceAll(hostile, "\x07", `\u0007`), "\x7f", "\x7f\xff\x9b")
		switch r.URL.Path {
		case "/api/v3/jobs":
			fmt.Fprintf(w, `{"jobs":[{"id":1,"run_id":2,"owner":"%[1]s","repository":"%[1]s","name":"%[1]s","status":"%[1]s","log_state":"%[1]s","event":"%[1]s","actor":"%[1]s","triggering_actor":"x%[1]s","from_fork":true}]}`, hostile)
		case "/api/v3/search":
			w.Header().Set("X-Jobvault-Parameters", strings.Join(slices.Sorted(maps.Keys(r.URL.Query())), ", "))
			fmt.Fprintf(w, `{"repository":"%[1]s","job_id":1,"job":"%[1]s","line":1,"time":"%[1]s","log_lines":"%[1]s","shared_by":[{"number":1,"name":"%[1]s","conclusion":"%[1]s"}],"text":"text %[1]s","count":1}`+"\n", hostile)
			fmt.Fprintln(w, `{"searched":{"logs":1}}`)
		case "/api/v3/uses":
			fmt.Fprintf(w, `{"uses":[{"action":"%[1]s","ref":"%[1]s","repository":"%[1]s","workflow":"%[1]s","last_event":"%[1]s","last_actor":"%[1]s"}],"moved":["%[1]s"],"whole":true}`, hostile)
		}
	}))
	defer server.Close()
	escaped := 0
	for _, way := range ways(server.URL) {
		var stderr bytes.Buffer // on a terminal it has a bar, which moves the cursor
		shown := onTerminal(t, func(terminal *os.File) { run(t.Context(), local(way...), terminal, &stderr) })
		if bad := actedOn(shownColours.ReplaceAllString(shown, "") + stderr.String()); bad != "" {
			t.Errorf("%q: %s reaches the terminal:\n%q\n%q", way, bad, shown, &stderr)
		}
		if way[0] == "log" {
			continue
		}
		asJSON := local(append(way[:len(way):len(way)], "--json")...)
		var piped bytes.Buffer
		run(t.Context(), asJSON, &piped, io.Discard)
		shown = onTerminal(t, func(terminal *os.File) { run(t.Context(), asJSON, terminal, io.Discard) })
		if bad := actedOn(shown); bad != "" {
			t.Errorf("%q --json: %s reaches the terminal:\n%q", way, bad, shown)
		}
		if want, got := values(t, piped.Bytes()), values(t, []byte(shown)); len(want) == 0 || !reflect.DeepEqual(want, got) {
			t.Errorf("%q --json means %v on a terminal, elsewhere %v", way, got, want)
		}
		if piped.String() != shown {
			escaped++
		}
	}
	if escaped < 8 {
		t.Errorf("%d commands have anything to escape", escaped)
	}
}

// values are those of JSON, one after the other.
func values(t *testing.T, b []byte) (all []any) {
	t.Helper()
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var v any
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF):
			// Faults come in any order.
			slices.SortFunc(all, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			return all
		case err != nil:
			t.Fatalf("%q: %v", b, err)
		}
		all = append(all, v)
	}
}

// jobvault's own log, as JSON, does nothing to a terminal either.
func TestTheLogAsJSONOnATerminal(t *testing.T) {
	shown := onTerminal(t, func(terminal *os.File) {
		newLogger(config{Settings: Settings{LogFormat: "json"}}, terminal).Info("x", "name", evil)
	})
	var line struct{ Name string }
	if err := json.Unmarshal([]byte(shown), &line); err != nil || line.Name != evil || actedOn(shown) != "" {
		t.Errorf("%v: %q", err, shown)
	}
}
