package ghapi_test

import (
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// Each request is told of with its kind and the status of the answer, and so is one without
// an answer; one that the limit holds back is none.
func TestRequestsAreToldOf(t *testing.T) {
	type told struct {
		Kind   ghapi.Kind
		Status int
	}
	var mu sync.Mutex
	got := make(map[told]int)
	sim := simulate(t, githubsim.Options{}, completed(7, githubsim.TextLog([]byte("a line"))))
	clients := clientsOf(t, ghapi.Config{BaseURL: sim.URL(), Token: sim.Token(), Requested: func(k ghapi.Kind, status int) {
		mu.Lock()
		defer mu.Unlock()
		got[told{k, status}]++
	}})
	c, err := clients.For(t.Context(), nil, owner, repo)
	check(t, err)
	var etag string
	runs := func() {
		for page, err := range c.Runs(t.Context(), owner, repo, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), time.Time{}, etag) {
			check(t, err)
			etag = page.ETag
		}
	}
	runs()
	runs()
	for range c.AttemptJobs(t.Context(), owner, repo, 100, 1, "") {
	}
	for range c.RunJobs(t.Context(), owner, repo, 100, ghapi.FilterAll) {
	}
	_, _ = c.Run(t.Context(), owner, repo, 100)
	_, _ = c.Job(t.Context(), owner, repo, 7)
	_, _ = c.Job(t.Context(), owner, repo, 8)
	if log, err := c.OpenLog(t.Context(), owner, repo, 7); err == nil {
		_ = log.Close()
	}
	hook, err := ghapi.ParseHook(owner + "/421337")
	check(t, err)
	for range clients.HookDeliveries(t.Context(), hook) {
	}
	_, _ = clients.Repository(t.Context(), owner, repo)
	sim.Inject(githubsim.Fault{Endpoint: githubsim.EndpointJob, Times: 1, Kind: githubsim.PrimaryLimit})
	_, _ = c.Job(t.Context(), owner, repo, 7)
	_, _ = c.Job(t.Context(), owner, repo, 7)
	want := map[told]int{
		{ghapi.KindRuns, http.StatusOK}: 1, {ghapi.KindRuns, http.StatusNotModified}: 1, {ghapi.KindJobs, http.StatusOK}: 2, {ghapi.KindRun, http.StatusOK}: 1,
		{ghapi.KindJob, http.StatusOK}: 1, {ghapi.KindJob, http.StatusNotFound}: 1, {ghapi.KindJob, http.StatusForbidden}: 1, {ghapi.KindLog, http.StatusFound}: 1,
		{ghapi.KindDeliveries, http.StatusOK}: 1, {ghapi.KindOther, http.StatusOK}: 1,
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, maps.Clone(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
