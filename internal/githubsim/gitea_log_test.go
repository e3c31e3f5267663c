package githubsim

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const giteaLogPath = "repos/acme/rocket/actions/jobs/1/logs"

// A log is answered with its text, as much as there is.
func TestGiteasLogs(t *testing.T) {
	s := start(t, Options{Gitea: true})
	j := aJob(1)
	j.Log = TextLog([]byte("0123456789"))
	running := j
	running.Status, running.Conclusion, running.CompletedAt = "in_progress", nil, nil
	queued := running
	queued.Status = "queued"
	for _, c := range []struct {
		job    Job
		status int
		body   string
	}{
		{queued, 404, `"message":"job not started"`}, {running, 200, "01234"}, {j, 200, "0123456789"},
	} {
		s.AddJob(c.job)
		if resp, body := get(t, s, giteaLogPath); resp.StatusCode != c.status || !strings.Contains(body, c.body) || c.status == 200 && len(body) != len(c.body) {
			t.Errorf("%s: %d %s", c.job.Status, resp.StatusCode, body)
		}
	}
	resp, _ := get(t, s, giteaLogPath)
	if h := resp.Header; h.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || h.Get("ETag")+h.Get("Content-MD5") != "" {
		t.Errorf("headers %v", h)
	}
	if resp, body := get(t, s, giteaLogPath, "Range", "bytes=7-"); resp.StatusCode != http.StatusPartialContent || body != "789" {
		t.Errorf("a part: %d %s", resp.StatusCode, body)
	}
	s.LogAvailableAt(1, 2)
	if resp, _ := get(t, s, giteaLogPath); resp.StatusCode != http.StatusNotFound {
		t.Errorf("it is there too early: %d", resp.StatusCode)
	}
	s.ExpireLog(1)
	if resp, body := get(t, s, giteaLogPath); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "logs have been cleaned up") {
		t.Errorf("expired: %d %s", resp.StatusCode, body)
	}
}

// A cancelled job ends twice, and its log is whole when the second end is told.
func TestCutLogIsWholeAtTheSecondEnd(t *testing.T) {
	s := start(t, Options{Gitea: true})
	j := aJob(1)
	cancelled := "cancelled"
	j.Conclusion, j.Log, j.LogCutAt = &cancelled, GeneratedLog(1, 3<<20, LogStyle{}), 1<<20
	s.AddJob(j)
	ds := s.Deliveries(j)
	var actions []string
	for i, d := range ds {
		actions = append(actions, d.Action)
		if i > 0 && d.At.Before(ds[i-1].At) || i > 0 && d.GUID == ds[i-1].GUID {
			t.Errorf("delivery %d is at %s, and has the GUID %s", i, d.At, d.GUID)
		}
	}
	if want := []string{"queued", "in_progress", "completed", "completed"}; !slices.Equal(actions, want) {
		t.Fatalf("actions %v, want %v", actions, want)
	}
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer hook.Close()
	whole := string(j.Log.Bytes())
	sizes := []int{1 << 20, 1 << 20, 1 << 20, 3 << 20}
	for i, d := range ds {
		Send(t.Context(), hook.URL, []Delivery{d}, SendOptions{})
		if _, body := get(t, s, giteaLogPath); len(body) != sizes[i] || !strings.HasPrefix(whole, body) {
			t.Errorf("after %s, the %d-th: %d bytes, want %d", d.Action, i, len(body), sizes[i])
		}
	}
	// By hand, for what was not made by Deliveries.
	other := j
	other.ID = 2
	s.AddJob(other)
	s.CompleteLog(2)
	if _, body := get(t, s, strings.Replace(giteaLogPath, "/1/", "/2/", 1)); body != whole {
		t.Errorf("%d bytes", len(body))
	}
}
