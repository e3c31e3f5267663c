package githubsim

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

// listGUIDs walks the pages of the repository's deliveries and calls between
// after each.
func listGUIDs(t *testing.T, s *Server, between func()) (guids []string) {
	t.Helper()
	opts := &github.ListCursorOptions{PerPage: 2}
	for {
		list, resp, err := hub(t, s, nil).WithAuthToken(s.Token()).Repositories.ListHookDeliveries(t.Context(), "acme", "rocket", hookID, opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			guids = append(guids, d.GetGUID())
		}
		if opts.Cursor = resp.Cursor; opts.Cursor == "" {
			return guids
		}
		between()
	}
}

// record makes n deliveries known and has their GUIDs, newest first.
func record(s *Server, n int) (guids []string) {
	for id := range int64(n) {
		d := s.Deliveries(aJob(1000 + id))[0]
		s.Record(SendResult{Delivery: d, Status: 202})
		guids = append(guids, d.GUID)
	}
	slices.Reverse(guids)
	return guids
}

func TestCursorIsStable(t *testing.T) {
	c := newClock()
	late := Delivery{GUID: "late", Event: "workflow_job", RepositoryID: rocket.ID}
	for name, between := range map[string]func(*Server){
		"nothing happens": func(*Server) {},
		"new deliveries":  func(s *Server) { s.Record(SendResult{Delivery: late}, SendResult{Delivery: late}) },
		"an old one":      func(s *Server) { s.RecordAt(c.Now().Add(-80*time.Hour), SendResult{Delivery: late}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Options{Now: c.Now})
			want := record(s, 7)
			if got := listGUIDs(t, s, func() { between(s) }); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// TestCursorOfWhatIsForgotten ends the listing rather than beginning it again.
func TestCursorOfWhatIsForgotten(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.Now})
	record(s, 7)
	got := listGUIDs(t, s, func() {
		c.forward(hookRetention + time.Second)
		s.Record(SendResult{Delivery: s.Deliveries(aJob(1))[0], Status: 202})
	})
	if len(got) != 2 {
		t.Error(got)
	}
}

func TestGarbageCursors(t *testing.T) {
	s := start(t, Options{})
	record(s, 3)
	_, want := get(t, s, "repos/acme/rocket/hooks/1/deliveries")
	for _, cursor := range []string{"", "v1_", "v1_x", "v1_1", "v2_70000000001", "70000000001", "-1", "%00"} {
		resp, body := get(t, s, "repos/acme/rocket/hooks/1/deliveries?cursor="+cursor)
		wantStatus(t, resp, body, 200)
		if body != want {
			t.Errorf("cursor %q: %s", cursor, body)
		}
	}
	resp, _ := get(t, s, "repos/acme/rocket/hooks/1/deliveries?per_page=2")
	if link := resp.Header.Get("Link"); !strings.Contains(link, "cursor=v1_70000000001") || !strings.Contains(link, `rel="next"`) {
		t.Error(link)
	}
}

func TestRecordAt(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.Now})
	at := func(name string, ago time.Duration) {
		s.RecordAt(c.Now().Add(-ago), SendResult{Delivery: Delivery{GUID: name, Event: "workflow_job", RepositoryID: rocket.ID}, Status: 202})
	}
	at("b", time.Hour)
	at("c", 2*time.Hour)
	at("a", 0)
	at("d", 2*time.Hour) // later than c by its id only
	at("forgotten", hookRetention+time.Second)
	if got := strings.Join(listGUIDs(t, s, func() {}), " "); got != "a b d c" {
		t.Error(got)
	}
	_, body := get(t, s, "orgs/acme/hooks/1/deliveries?per_page=1")
	if want := `"delivered_at":"2026-04-01T12:00:00Z"`; !strings.Contains(body, want) {
		t.Errorf("no %s in %s", want, body)
	}
}

func TestAwaitRedeliveries(t *testing.T) {
	s := start(t, Options{})
	s.AwaitRedeliveries() // of none
	record(s, 3)
	post := func(n int) {
		t.Helper()
		var accepted *github.AcceptedError
		_, resp, err := hub(t, s, nil).WithAuthToken(s.Token()).Repositories.RedeliverHookDelivery(t.Context(), "acme", "rocket", hookID, firstDelivery+int64(n))
		if !errors.As(err, &accepted) || resp.StatusCode != http.StatusAccepted {
			t.Fatal(err)
		}
	}
	post(0) // accepted, though there is nowhere to send it
	s.AwaitRedeliveries()
	if got := listGUIDs(t, s, func() {}); len(got) != 3 {
		t.Error(got)
	}
	proceed := make(chan bool)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-proceed }))
	defer receiver.Close()
	s.SetHook(receiver.URL, "secret")
	for n := range 3 {
		post(n)
	}
	close(proceed)
	s.AwaitRedeliveries()
	if got := listGUIDs(t, s, func() {}); len(got) != 6 {
		t.Error(got)
	}
}
