package githubsim

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/go-github/v60/github"
)

// lives are jobs and what GitHub tells of them.
func lives() map[string]struct {
	job      Job
	actions  []string
	statuses []string
} {
	with := func(f func(*Job)) Job {
		j := aJob(77)
		f(&j)
		return j
	}
	conclusion := func(j *Job, c string) { j.Conclusion = &c }
	noRunner := func(j *Job) {
		j.RunnerID, j.RunnerName, j.RunnerGroupID, j.RunnerGroupName, j.Steps, j.Log = nil, nil, nil, nil, nil, Log{}
	}
	type life = struct {
		job      Job
		actions  []string
		statuses []string
	}
	return map[string]life{
		"ran": {aJob(77), []string{"queued", "in_progress", "completed"}, []string{"queued", "in_progress", "completed"}},
		"skipped": {with(func(j *Job) { noRunner(j); conclusion(j, "skipped"); j.Labels = nil }),
			[]string{"completed"}, []string{"completed"}},
		"check run": {with(func(j *Job) { noRunner(j); conclusion(j, "neutral"); j.Labels = nil }),
			[]string{"completed"}, []string{"completed"}},
		"cancelled before a runner": {with(func(j *Job) { noRunner(j); conclusion(j, "cancelled") }),
			[]string{"queued", "completed"}, []string{"queued", "completed"}},
		"running": {with(func(j *Job) { j.Status, j.Conclusion, j.CompletedAt = "in_progress", nil, nil }),
			[]string{"queued", "in_progress"}, []string{"queued", "in_progress"}},
		"waiting": {with(func(j *Job) { noRunner(j); j.Status, j.Conclusion, j.CompletedAt = "waiting", nil, nil }),
			[]string{"queued", "waiting"}, []string{"waiting", "waiting"}},
		"queued": {with(func(j *Job) { noRunner(j); j.Status, j.Conclusion, j.CompletedAt = "queued", nil, nil }),
			[]string{"queued"}, []string{"queued"}},
		"gated": {with(func(j *Job) { j.Life = []string{"queued", "waiting", "queued", "in_progress", "completed"} }),
			[]string{"queued", "waiting", "queued", "in_progress", "completed"},
			[]string{"waiting", "waiting", "queued", "in_progress", "completed"}},
	}
}

func TestDeliveries(t *testing.T) {
	s := start(t, Options{})
	for name, life := range lives() {
		t.Run(name, func(t *testing.T) {
			var (
				actions, statuses []string
				last              time.Time
			)
			for _, d := range s.Deliveries(life.job) {
				parsed, err := github.ParseWebHook(d.Event, d.Body)
				if err != nil {
					t.Fatal(err)
				}
				e := parsed.(*github.WorkflowJobEvent)
				w := e.GetWorkflowJob()
				actions, statuses = append(actions, e.GetAction()), append(statuses, w.GetStatus())
				if d.Action != e.GetAction() || w.GetID() != 77 || d.JobID != 77 || d.RepositoryID != rocket.ID ||
					e.GetRepo().GetID() != rocket.ID || e.GetRepo().GetFullName() != "Acme/rocket" || !e.GetRepo().GetPrivate() ||
					e.GetInstallation().GetID() != 60001 || e.GetOrg().GetLogin() != "Acme" || e.GetSender().GetLogin() == "" {
					t.Errorf("%+v", e)
				}
				if e.GetAction() == "queued" && (w.RunnerID != nil || len(w.Steps) != 0 || w.CompletedAt != nil || w.Conclusion != nil) {
					t.Errorf("queued knows too much: %s", d.Body)
				}
				if d.At.Before(last) {
					t.Errorf("%s at %v, after %v", d.Action, d.At, last)
				}
				last = d.At
			}
			if !slices.Equal(actions, life.actions) || !slices.Equal(statuses, life.statuses) {
				t.Errorf("actions %v, statuses %v", actions, statuses)
			}
		})
	}
	unknown := aJob(1)
	unknown.RepositoryID = 99
	if ds := s.Deliveries(unknown); ds != nil {
		t.Error(ds)
	}
}

func TestDeliveriesAreDeterministic(t *testing.T) {
	a, b, c := start(t, Options{Seed: 3}), start(t, Options{Seed: 3}), start(t, Options{Seed: 4})
	da, db, dc := a.Deliveries(aJob(77)), b.Deliveries(aJob(77)), c.Deliveries(aJob(77))
	if diff := cmp.Diff(da, db, cmpopts.IgnoreUnexported(Delivery{})); diff != "" {
		t.Error(diff)
	}
	guids := map[string]bool{}
	for _, d := range slices.Concat(da, dc, a.Deliveries(aJob(78))) {
		guids[d.GUID] = true
	}
	if len(guids) != 9 {
		t.Errorf("guids %v", guids)
	}
}

func TestPayloadIsAboutAsLargeAsGitHubs(t *testing.T) {
	s := start(t, Options{})
	for _, d := range s.Deliveries(aJob(77)) {
		if len(d.Body) < 7_000 || len(d.Body) > 14_000 || !json.Valid(d.Body) {
			t.Errorf("%s: %d bytes", d.Action, len(d.Body))
		}
	}
}

// TestRequestAsGoGitHubValidatesIt covers both content types and both signatures.
func TestRequestAsGoGitHubValidatesIt(t *testing.T) {
	s := start(t, Options{})
	const secret = "it's a secret to everybody"
	for _, d := range []Delivery{s.Deliveries(aJob(77))[0], s.Deliveries(aJob(77))[2].Form(), s.Ping(rocket.ID)} {
		r, err := d.Request(t.Context(), "http://127.0.0.1/webhook", secret)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := github.ValidatePayload(r, []byte(secret))
		if err != nil || !json.Valid(payload) {
			t.Error(err)
		}
		if err := github.ValidateSignature(Sign(secret, d.Body), d.Body, []byte(secret)); err != nil {
			t.Error(err)
		}
		if err := github.ValidateSignature(r.Header.Get("X-Hub-Signature"), d.Body, []byte(secret)); err != nil {
			t.Error(err)
		}
		if github.DeliveryID(r) != d.GUID || github.WebHookType(r) != d.Event || !strings.HasPrefix(r.UserAgent(), "GitHub-Hookshot/") || r.Header.Get("X-GitHub-Hook-ID") == "" {
			t.Errorf("%v", r.Header)
		}
	}
	form := s.Ping(rocket.ID).Form()
	values, err := url.ParseQuery(string(form.Body))
	if err != nil || values.Get("payload") != string(s.Ping(rocket.ID).Body) {
		t.Error("form", err)
	}
	r, err := form.Request(t.Context(), "http://127.0.0.1/", "")
	if err != nil || r.Header.Get("X-Hub-Signature-256") != "" {
		t.Error("signed with no secret", err)
	}
	if _, err := form.Request(t.Context(), ":", ""); err == nil {
		t.Error("a request to nowhere")
	}
}

// receiver notes what arrives and answers by turns 202 and 503.
func receiver(t *testing.T) (url string, bodies func() []string) {
	got := make(chan string, 1000)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if Sign("s", body) != r.Header.Get("X-Hub-Signature-256") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		got <- r.Header.Get("X-GitHub-Delivery")
		if bytes.Contains(body, []byte(`"id":3,"run_id"`)) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []string {
		close(got)
		return slices.Collect(func(yield func(string) bool) {
			for g := range got {
				yield(g)
			}
		})
	}
}

func TestSend(t *testing.T) {
	s := start(t, Options{})
	var ds []Delivery
	for id := range int64(20) {
		ds = append(ds, s.Deliveries(aJob(id+1))...)
	}
	url, guids := receiver(t)
	results := Send(t.Context(), url, ds, SendOptions{Secret: "s"})
	if len(results) != len(ds) {
		t.Fatalf("%d results", len(results))
	}
	arrived := guids()
	for i, r := range results {
		want := http.StatusAccepted
		if r.Delivery.JobID == 3 {
			want = http.StatusServiceUnavailable // and not tried again
		}
		if r.Status != want || r.Err != nil || r.Delivery.GUID != ds[i].GUID || arrived[i] != ds[i].GUID {
			t.Errorf("%d: %d %v", i, r.Status, r.Err)
		}
	}
}

func TestSendDuplicatesAndShuffle(t *testing.T) {
	s := start(t, Options{})
	var ds []Delivery
	for id := range int64(60) {
		ds = append(ds, s.Deliveries(aJob(id+1))...)
	}
	send := func(o SendOptions) (order []string, distinct int) {
		url, guids := receiver(t)
		o.Secret = "s"
		seen := map[string]bool{}
		for _, r := range Send(t.Context(), url, ds, o) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			order = append(order, r.Delivery.GUID)
			seen[r.Delivery.GUID] = true
		}
		arrived := guids()
		if o.Concurrency < 2 && !slices.Equal(arrived, order) {
			t.Error("results are not in the order of sending")
		}
		slices.Sort(arrived)
		if sorted := slices.Sorted(slices.Values(order)); !slices.Equal(arrived, sorted) {
			t.Error("not all arrived")
		}
		return order, len(seen)
	}
	const n = 180
	some, distinct := send(SendOptions{Duplicates: 0.3, Seed: 1})
	if len(some) < n*12/10 || len(some) > n*14/10 || distinct != n {
		t.Errorf("%d requests of %d deliveries", len(some), distinct)
	}
	all, _ := send(SendOptions{Duplicates: 1, Concurrency: 8})
	if len(all) != 2*n || all[0] != all[1] {
		t.Errorf("%d requests", len(all))
	}
	shuffled, _ := send(SendOptions{Shuffle: true, Seed: 1})
	again, _ := send(SendOptions{Shuffle: true, Seed: 1, Concurrency: 4})
	other, _ := send(SendOptions{Shuffle: true, Seed: 2})
	if !slices.Equal(shuffled, again) || slices.Equal(shuffled, other) || len(shuffled) != n {
		t.Error("the seed does not decide the order")
	}
}

func TestSendFails(t *testing.T) {
	s := start(t, Options{})
	ds := s.Deliveries(aJob(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range Send(ctx, s.URL(), ds, SendOptions{}) {
		if r.Err == nil || r.Status != 0 {
			t.Error(r)
		}
	}
	s.Close()
	for _, r := range Send(t.Context(), s.URL(), ds, SendOptions{}) {
		if r.Err == nil || r.Status != 0 {
			t.Error(r)
		}
	}
}
