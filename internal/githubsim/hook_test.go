package githubsim

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

// TestRedelivery finds a failed delivery as a reconciler would, and asks for it
// again.
func TestRedelivery(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.Now})
	s.AddRepository(Repository{ID: 2, Owner: "acme", Name: "other"})
	other := aJob(500)
	other.RepositoryID = 2
	var ds []Delivery
	for id := range int64(40) {
		ds = append(ds, s.Deliveries(aJob(id+1))...)
	}
	ds = append(ds, s.Deliveries(other)...)
	for i, d := range ds {
		status := http.StatusAccepted
		if i == 5 {
			status = http.StatusServiceUnavailable
		}
		s.Record(SendResult{Delivery: d, Status: status})
	}
	s.Record(SendResult{Delivery: s.Ping(rocket.ID), Err: errors.New("connection refused")})

	again := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		again <- r.Header.Get("X-GitHub-Delivery")
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()
	s.SetHook(receiver.URL, "secret")

	var (
		hooks  = hub(t, s, nil).WithAuthToken(s.Token()).Repositories
		opts   = &github.ListCursorOptions{PerPage: 50}
		failed []int64
		seen   int
	)
	for {
		list, resp, err := hooks.ListHookDeliveries(t.Context(), "acme", "rocket", hookID, opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if seen++; d.GetEvent() == "workflow_job" && d.GetStatusCode() >= 300 {
				failed = append(failed, d.GetID())
			}
		}
		if resp.Cursor == "" {
			break
		}
		opts.Cursor = resp.Cursor
	}
	if seen != 121 || len(failed) != 1 {
		t.Fatalf("%d deliveries, failed %v", seen, failed)
	}
	d, _, err := hooks.GetHookDelivery(t.Context(), "acme", "rocket", hookID, failed[0])
	if err != nil || d.GetGUID() != ds[5].GUID || len(*d.Request.RawPayload) != len(ds[5].Body) {
		t.Error(d, err)
	}
	var accepted *github.AcceptedError
	if _, _, err := hooks.RedeliverHookDelivery(t.Context(), "acme", "rocket", hookID, failed[0]); err != nil && !errors.As(err, &accepted) {
		t.Fatal(err)
	}
	if got := <-again; got != ds[5].GUID {
		t.Errorf("%s came again, want %s", got, ds[5].GUID)
	}
	s.AwaitRedeliveries()
	if list, _, err := hooks.ListHookDeliveries(t.Context(), "acme", "rocket", hookID, nil); err != nil || !list[0].GetRedelivery() || list[0].GetGUID() != ds[5].GUID {
		t.Error(list, err)
	}
	if _, resp, err := hooks.GetHookDelivery(t.Context(), "acme", "rocket", hookID, 1); err == nil || resp.StatusCode != http.StatusNotFound {
		t.Error(err)
	}

	// Three days later it is all forgotten.
	c.forward(hookRetention + time.Second)
	resp, body := get(t, s, "orgs/acme/hooks/1/deliveries")
	wantStatus(t, resp, body, 200)
	if body != "[]" {
		t.Error(body)
	}
}

// TestRedeliveryEndsWithTheServer has a receiver that never answers.
func TestRedeliveryEndsWithTheServer(t *testing.T) {
	s := start(t, Options{AppID: appID, AppKey: &appKey().PublicKey})
	asked := make(chan bool)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the server does not see the client go
		asked <- true
		<-r.Context().Done()
	}))
	defer receiver.Close()
	s.SetHook(receiver.URL, "secret")
	s.Record(SendResult{Delivery: s.Deliveries(aJob(1))[0], Status: 500})
	app := hub(t, s, appTransport(t, s, appID, appKey())).Apps
	list, _, err := app.ListHookDeliveries(t.Context(), nil)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	var accepted *github.AcceptedError
	if _, _, err := app.RedeliverHookDelivery(t.Context(), list[0].GetID()); err != nil && !errors.As(err, &accepted) {
		t.Fatal(err)
	}
	<-asked
	s.Close()
}
