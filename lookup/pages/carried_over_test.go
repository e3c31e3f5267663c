package pages_test

import (
	"strings"
	"testing"

	"github.com/jobvault/jobvault/store"
)

// A job that did not run again says so wherever it is listed, with a way to the one that
// ran; and it takes no place in the time of the attempt that has taken it over.
func TestCarriedOverJobsAreMarked(t *testing.T) {
	f := newFixture(t)
	ran, copied, again := f.Facts(101), f.Facts(102), f.Facts(103)
	for _, later := range []*store.Facts{&copied, &again} {
		later.Job.Name, later.Job.RunAttempt, later.Job.CreatedAt = ran.Job.Name, new(int64(2)), new(f.At.AddDate(0, 0, 1))
	}
	again.Job.Name, again.Job.StartedAt, again.Job.CompletedAt = "flaky", new(f.At.AddDate(0, 0, 1)), new(f.At.AddDate(0, 0, 1).Add(90e9))
	for _, facts := range []store.Facts{ran, copied, again} {
		f.Record(facts)
	}
	const link = `href="/acme/rocket/jobs/101"`
	f.want(f.get("/acme/rocket/jobs/102"), 200, "Carried over from attempt 1: this job did not run again", link)
	for _, path := range []string{"/acme/rocket/jobs/101", "/acme/rocket/jobs/103"} {
		if a := f.get(path); strings.Contains(strings.ToLower(a.body), "carried over") {
			t.Errorf("%s: a job that ran is called carried over", path)
		}
	}
	list := f.get("/")
	f.want(list, 200, `<a `+link+`>carried over from attempt 1</a>`)
	if n := strings.Count(list.body, "carried over from"); n != 1 {
		t.Errorf("%d of the list are carried over, want 1", n)
	}
	run := f.get("/acme/rocket/runs/2")
	f.want(run, 200, `<a `+link+`>carried over from attempt 1</a>`)
	_, second, _ := strings.Cut(run.body, `id="attempt-2"`)
	second, _, _ = strings.Cut(second, `id="attempt-1"`)
	if !strings.Contains(second, "2024-07-09 16:48:09Z</time>, 1m 30s") || strings.Count(second, "<rect") != 2 {
		t.Errorf("the second attempt is not of what ran in it:\n%s", second)
	}
}
