package record

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/jobvault/jobvault/internal/growth"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Every member that a run of a listing has and a row keeps; those of Gitea have other names.
func TestRunOfListings(t *testing.T) {
	origin := store.RunOrigin{
		Event: new("pull_request_target"), ActorID: new(int64(7)), Actor: new("mallory"), RunNumber: new(int64(41)), DisplayTitle: new("Fix \x1b[31m<b>\ufffd"),
		Path: new(".github/workflows/ci.yml"), HeadRepositoryID: new(int64(9)), HeadRepository: new("mallory/rocket"),
	}
	attempt := store.RunAttemptFacts{
		RunAttempt: 2, TriggeringActorID: new(int64(8)), TriggeringActor: new("mona"), Status: new("completed"), Conclusion: new("failure"),
		StartedAt: new(noon), UpdatedAt: new(noon.Add(time.Minute)),
	}
	github := origin
	github.WorkflowID, github.CreatedAt, github.PullRequests = new(int64(5)), new(noon.Add(-time.Hour)), []int64{12, 3}
	github.ReferencedWorkflows = []store.ReferencedWorkflow{{Path: "a/b/.github/workflows/x.yml@v1", SHA: "c0ffee", Ref: "refs/tags/v1"}, {Path: "p"}}
	const common = `"event":"pull_request_target","actor":{"login":"mallory","id":7},"run_number":41,"display_title":"Fix \u001b[31m<b>\u0000",` +
		`"path":".github/workflows/ci.yml","head_repository":{"id":9,"full_name":"mallory/rocket"},"status":"completed","conclusion":"failure"`
	for _, c := range []struct {
		name, json string
		origin     store.RunOrigin
		attempt    store.RunAttemptFacts
	}{
		{"GitHub's", `{` + common + `,"workflow_id":5,"created_at":"2026-03-01T11:00:00Z","run_started_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:01:00Z",
			"triggering_actor":{"login":"mona","id":8},"pull_requests":[{"number":12,"base":{"repo":{"id":1}}},{"number":4,"base":{"repo":{"id":99}}},{"number":3},null],
			"referenced_workflows":[{"path":"a/b/.github/workflows/x.yml@v1","sha":"c0ffee","ref":"refs/tags/v1"},{"path":"p","ref":null},{"sha":"1"}]}`, github, attempt},
		{"Gitea's", `{` + common + `,"trigger_actor":{"login":"mona","id":8},"started_at":"2026-03-01T12:00:00Z","completed_at":"2026-03-01T12:01:00Z"}`, origin, attempt},
		{"nothing", `{}`, store.RunOrigin{}, store.RunAttemptFacts{RunAttempt: 2}},
		{"of deleted accounts and forks", `{"actor":null,"triggering_actor":null,"head_repository":null,"pull_requests":[],"referenced_workflows":[],"conclusion":null}`,
			store.RunOrigin{PullRequests: []int64{}, ReferencedWorkflows: []store.ReferencedWorkflow{}}, store.RunAttemptFacts{RunAttempt: 2}},
		{"unset", `{"event":"","actor":{"login":"","id":7},"run_number":0,"started_at":"1970-01-01T00:00:00Z","completed_at":"0001-01-01T00:00:00Z","conclusion":""}`,
			store.RunOrigin{}, store.RunAttemptFacts{RunAttempt: 2}},
		{"of other kinds", `{"event":1,"actor":["login"],"run_number":1.5,"display_title":{},"path":null,"pull_requests":{"number":1},"referenced_workflows":"x","updated_at":{}}`,
			store.RunOrigin{}, store.RunAttemptFacts{RunAttempt: 2}},
		{"no object", `[`, store.RunOrigin{}, store.RunAttemptFacts{RunAttempt: 2}},
	} {
		want := store.ListedRun{ID: 6, RepositoryID: 1, Origin: c.origin, Attempt: c.attempt}
		if c.name == "Gitea's" {
			want.WorkflowName = new("ci.yml")
		}
		if diff := cmp.Diff(want, RunOf([]byte(c.json), 6, 2, 1)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A real run of GitHub's tells what it is of.
func TestRunOfARealPayload(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testenv.Corpus(t), "webhooks", "octokit-other-workflow_run.json"))
	if err != nil {
		t.Fatal(err)
	}
	raw := gjson.GetBytes(b, "workflow_run")
	run := RunOf([]byte(raw.Raw), raw.Get("id").Int(), 1, raw.Get("repository.id").Int())
	o := run.Origin
	if *o.Event != "workflow_dispatch" || *o.RunNumber != 36 || *o.WorkflowID != 16340987 || *o.HeadRepositoryID != run.RepositoryID ||
		len(o.PullRequests) != 0 || o.PullRequests == nil || *run.Attempt.Status != "queued" || run.Attempt.Conclusion != nil {
		t.Errorf("%+v", run)
	}
	if o.Actor != nil || run.Attempt.TriggeringActor != nil {
		t.Errorf("an actor that the run does not name: %v", o.Actor)
	}
}

// Names that are too long are not known, and no part of them is kept; titles are cut; lists
// have a bound.
func TestRunsAreBounded(t *testing.T) {
	long := strings.Repeat("é", maxIndexed/2)
	run := func(members string) store.RunOrigin { return RunOf([]byte(`{`+members+`}`), 1, 1, 1).Origin }
	o := run(`"event":"` + long + `","actor":{"login":"` + long + `x"},"path":"` + long + `x","display_title":"` + long + `xyz"`)
	if o.Event == nil || *o.Event != long || o.Actor != nil || o.Path != nil || *o.DisplayTitle != long+"…" {
		t.Errorf("%+v", o)
	}
	o = run(`"pull_requests":` + listOf(5000, `{"number":1%d}`) + `,"referenced_workflows":` + listOf(5000, `{"path":"p%d"}`))
	if len(o.PullRequests) != store.MaxReferenced || len(o.ReferencedWorkflows) != store.MaxReferenced {
		t.Errorf("%d and %d", len(o.PullRequests), len(o.ReferencedWorkflows))
	}
	for _, unit := range []string{`{"number":1},`, `{"path":"p"},`, `"a",`, `[`, `{"base":`} {
		growth.Linear(t, 50_000, func(n int) func() {
			list := strings.Repeat(unit, n/len(unit))
			raw := fmt.Appendf(nil, `{"pull_requests":[%s null],"referenced_workflows":[%s null],"display_title":"%s"}`, list, list, strings.Repeat("x", n))
			return func() { RunOf(raw, 1, 1, 1) }
		})
	}
}

// FuzzRun: whatever a listing has for a run makes rows that can be stored.
func FuzzRun(f *testing.F) {
	f.Add([]byte(`{"event":"push","actor":{"login":"mona","id":1},"pull_requests":[{"number":3}],"referenced_workflows":[{"path":"p","sha":"s","ref":"r"}]}`))
	f.Add([]byte(`{"display_title":"\ud800\u0000","updated_at":253402300800,"created_at":"10000-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"actor":{"login":` + "\"\xff\x00\"" + `}}`))
	f.Add([]byte(`{"a":[1,{"b":2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		defer growth.Within(t, time.Now(), len(raw))
		run := RunOf(raw, 1, 2, 3)
		texts := []*string{run.Origin.Event, run.Origin.Actor, run.Origin.DisplayTitle, run.Origin.Path, run.Origin.HeadRepository, run.Attempt.TriggeringActor, run.Attempt.Status, run.Attempt.Conclusion}
		for _, w := range run.Origin.ReferencedWorkflows {
			texts = append(texts, &w.Path, &w.SHA, &w.Ref)
		}
		for _, s := range texts {
			if s != nil && (!storable(*s) || len(*s) > 3*maxIndexed) {
				t.Errorf("%q cannot be stored", *s)
			}
		}
		for _, at := range []*time.Time{run.Origin.CreatedAt, run.Attempt.StartedAt, run.Attempt.UpdatedAt} {
			if at != nil && (at.Year() < 1 || at.Year() > 9999) {
				t.Errorf("%s cannot be stored", at)
			}
		}
	})
}

// A server that numbers no workflows names them by their files, unless it says more.
func TestWorkflowIsNamedByItsFile(t *testing.T) {
	for json, want := range map[string]string{
		`{"path":"ci.yml@refs/heads/main"}`:                                  "ci.yml",
		`{"path":".gitea/workflows/a b@1.yaml@refs/tags/v1@refs/x"}`:         "a b@1.yaml",
		`{"path":"ci.yml"}`:                                                  "ci.yml",
		`{"path":"ci.yml@refs/heads/main","name":"Build"}`:                   "Build",
		`{"path":"ci.yml@refs/heads/main","workflow_id":0}`:                  "ci.yml",
		`{"path":".github/workflows/ci.yml","workflow_id":5,"name":"CI"}`:    "",
		`{"path":"@refs/heads/main"}`:                                        "",
		`{"path":"folder/@refs/heads/main","name":""}`:                       "",
		`{"path":7,"name":["x"]}`:                                            "",
		`{"path":"` + strings.Repeat("x", maxIndexed) + `@refs/heads/main"}`: "",
	} {
		got := ""
		if name := RunOf([]byte(json), 6, 1, 1).WorkflowName; name != nil {
			got = *name
		}
		if got != want {
			t.Errorf("%.80s: %q, want %q", json, got, want)
		}
	}
}
