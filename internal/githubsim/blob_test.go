package githubsim

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// location asks the API for a log's link.
func location(t *testing.T, s *Server, jobID string) string {
	t.Helper()
	resp, body := get(t, s, "repos/acme/rocket/actions/jobs/"+jobID+"/logs")
	wantStatus(t, resp, body, http.StatusFound)
	return resp.Header.Get("Location")
}

func TestLogText(t *testing.T) {
	s := start(t, Options{})
	j := aJob(77)
	s.AddJob(j)
	resp, body := getURL(t, location(t, s, "77"))
	wantStatus(t, resp, body, 200)
	if body != string(j.Log.Bytes()) || resp.ContentLength != j.Log.Size() {
		t.Errorf("%q, length %d", body, resp.ContentLength)
	}
	h := resp.Header
	if h.Get("Content-Type") != "text/plain" || h.Get("ETag") == "" || h.Get("Content-MD5") == "" {
		t.Errorf("headers %v", h)
	}
}

func TestLinkExpires(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.Now})
	s.AddJob(aJob(77))
	link := location(t, s, "77")
	c.forward(time.Minute - 1)
	resp, body := getURL(t, link)
	wantStatus(t, resp, body, 200)
	c.forward(1)
	resp, body = getURL(t, link)
	wantStatus(t, resp, body, http.StatusForbidden)
	if !strings.Contains(body, "<Code>AuthenticationFailed</Code>") || resp.Header.Get("Content-Type") != "application/xml" {
		t.Error(body)
	}
}

func TestLinkForged(t *testing.T) {
	s := start(t, Options{})
	s.AddJob(aJob(77))
	s.AddJob(aJob(78))
	link := location(t, s, "77")
	for name, forged := range map[string]string{
		"another job":   strings.Replace(link, "/77/", "/78/", 1),
		"another time":  strings.Replace(link, "se=2", "se=3", 1),
		"no signature":  strings.Replace(link, "sig=", "gis=", 1),
		"another seed":  start(t, Options{Seed: 9}).link(77),
		"nothing asked": s.BlobURL() + "actions-results/77/logs/job/job-logs.txt",
	} {
		forged = s.BlobURL() + forged[strings.Index(forged, "actions-results"):]
		resp, _ := getURL(t, forged)
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
}

func TestTokenIsNotForTheBlobHost(t *testing.T) {
	s := start(t, Options{})
	s.AddJob(aJob(77))
	resp, body := getURL(t, location(t, s, "77"), "Authorization", "Bearer "+s.Token())
	wantStatus(t, resp, body, http.StatusBadRequest)
	if !strings.Contains(body, "InvalidAuthenticationInfo") || s.TokenSentToBlob() != 1 {
		t.Error(body, s.TokenSentToBlob())
	}
}

func TestNoLog(t *testing.T) {
	s := start(t, Options{})
	never, empty, running := aJob(1), aJob(2), aJob(3)
	never.Log = Log{}
	empty.Log = TextLog(nil)
	running.Status = "in_progress"
	s.AddJob(never)
	s.AddJob(empty)
	s.AddJob(running)
	for id, want := range map[string]int{"1": 404, "2": 200, "3": 404} {
		resp, body := getURL(t, location(t, s, id))
		wantStatus(t, resp, body, want)
		if want == 404 && !strings.Contains(body, "<Code>BlobNotFound</Code>") {
			t.Error(body)
		}
	}
	resp, body := getURL(t, s.BlobURL()+"elsewhere")
	wantStatus(t, resp, body, 404)
}

func TestLogAvailableAt(t *testing.T) {
	s := start(t, Options{})
	s.AddJob(aJob(77))
	s.LogAvailableAt(77, 3)
	for i, want := range []int{404, 404, 200, 200} {
		resp, _ := getURL(t, location(t, s, "77"))
		if resp.StatusCode != want {
			t.Errorf("request %d: %d, want %d", i+1, resp.StatusCode, want)
		}
	}
}

func TestDirectLogs(t *testing.T) {
	s := start(t, Options{DirectLogs: true})
	j := aJob(77)
	s.AddJob(j)
	s.LogAvailableAt(77, 2)
	resp, body := get(t, s, "repos/acme/rocket/actions/jobs/77/logs")
	wantStatus(t, resp, body, 404)
	if body != `{"message":"job not started","status":"404"}` {
		t.Error(body)
	}
	resp, body = get(t, s, "repos/acme/rocket/actions/jobs/77/logs")
	wantStatus(t, resp, body, 200)
	if body != string(j.Log.Bytes()) {
		t.Error(body)
	}
}
