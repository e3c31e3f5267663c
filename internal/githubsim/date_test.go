package githubsim

import (
	"net/http"
	"testing"
	"time"
)

// TestDate has the server's clock in every answer, in a zone that is not GMT.
func TestDate(t *testing.T) {
	now := time.Date(2026, 4, 1, 1, 30, 0, 999, time.FixedZone("", 2*3600))
	const want = "Tue, 31 Mar 2026 23:30:00 GMT"
	s := start(t, Options{Now: func() time.Time { return now }})
	s.AddJob(aJob(77))
	s.Inject(Fault{Endpoint: EndpointRuns, Kind: ServerError})
	s.Inject(Fault{Endpoint: EndpointRun, Kind: Status, Status: 502})
	for path, status := range map[string]int{
		"repos/acme/rocket/actions/jobs/77":      200,
		"repos/acme/rocket/actions/jobs/77/logs": 302,
		"repos/acme/rocket/actions/runs":         500,
		"repos/acme/rocket/actions/runs/9001":    502,
		"teapot":                                 404,
	} {
		resp, body := get(t, s, path)
		wantStatus(t, resp, body, status)
		if got := resp.Header["Date"]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: Date %v, want %s", path, got, want)
		}
	}
	for _, url := range []string{location(t, s, "77"), s.BlobURL() + "elsewhere"} {
		resp, _ := getURL(t, url)
		if got := resp.Header.Get("Date"); got != want {
			t.Errorf("%s: Date %s, want %s", url, got, want)
		}
	}
	resp, _ := get(t, s, "rate_limit", "Authorization", "")
	if at, err := http.ParseTime(resp.Header.Get("Date")); err != nil || !at.Equal(now.Truncate(time.Second)) {
		t.Error(at, err)
	}
}
