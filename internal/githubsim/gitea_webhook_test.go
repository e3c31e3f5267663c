package githubsim

import (
	"slices"
	"strings"
	"testing"
)

// What a Gitea's webhooks report of jobs of each kind, and in the order that a test wants.
func TestGiteasLives(t *testing.T) {
	s := start(t, Options{Gitea: true})
	skipped, cancelled := "skipped", "cancelled"
	never := aJob(1)
	never.Conclusion, never.RunnerID, never.Steps = &skipped, nil, nil
	byIf := aJob(2)
	byIf.Conclusion = &skipped
	stopped := aJob(3)
	stopped.Conclusion = &cancelled
	odd := aJob(4)
	odd.Life = []string{"in_progress", "completed", "queued", "completed", "completed"}
	waits, runs, blocked := aJob(5), aJob(6), aJob(7)
	waits.Status, runs.Status, blocked.Status = "queued", "in_progress", "waiting"
	for _, c := range []struct {
		job  Job
		want string
	}{
		{aJob(8), "queued in_progress completed"}, {never, "waiting completed"}, {byIf, "queued in_progress completed"}, {stopped, "queued in_progress completed completed"},
		{odd, "in_progress completed queued completed completed"}, {waits, "queued"}, {runs, "queued in_progress"}, {blocked, "waiting"},
	} {
		var actions []string
		for _, d := range s.Deliveries(c.job) {
			actions = append(actions, d.Action)
			begun := strings.Contains(string(d.Body), `"started_at": "1970`)
			if waiting := d.Action == "queued" || d.Action == "waiting"; waiting != begun && d.Action != "in_progress" {
				t.Errorf("job %d, %s: %s", c.job.ID, d.Action, d.Body)
			}
			for _, none := range []string{"installation", "node_id", "workflow_name", "check_run_url", "runner_group"} {
				if strings.Contains(string(d.Body), none) {
					t.Errorf("a Gitea does not send %s", none)
				}
			}
		}
		if got := strings.Join(actions, " "); got != c.want {
			t.Errorf("job %d: %s, want %s", c.job.ID, got, c.want)
		}
	}
}

// A delivery has Gitea's headers and GitHub's, and a signature only with a secret.
func TestGiteasHeaders(t *testing.T) {
	s := start(t, Options{Gitea: true})
	d := s.Deliveries(aJob(1))[0]
	r, err := d.Request(t.Context(), "http://127.0.0.1/", "secret")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-GitHub-Event": "workflow_job", "X-Gitea-Event": "workflow_job", "X-GitHub-Delivery": d.GUID, "X-Gitea-Delivery": d.GUID,
		"X-Hub-Signature-256": Sign("secret", d.Body), "X-Gitea-Signature": strings.TrimPrefix(Sign("secret", d.Body), "sha256="), "User-Agent": "Go-http-client/1.1",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	bare, err := d.Request(t.Context(), "http://127.0.0.1/", "")
	if err != nil || slices.ContainsFunc([]string{"X-Hub-Signature", "X-Hub-Signature-256", "X-Gitea-Signature"}, func(h string) bool { return bare.Header.Get(h) != "" }) {
		t.Errorf("without a secret: %v, %v", bare.Header, err)
	}
}
