package githubsim

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
)

// TestTokensOfAnInstallationShareItsLimits holds for each kind of limit, and only
// for tokens of one installation. The App itself asks for three tokens.
func TestTokensOfAnInstallationShareItsLimits(t *testing.T) {
	for name, o := range map[string]Options{
		"primary":   {RateLimit: 3},
		"secondary": {SecondaryPoints: 3},
	} {
		t.Run(name, func(t *testing.T) {
			o.AppID, o.AppKey = appID, &appKey().PublicKey
			s := start(t, o)
			s.AddRepository(Repository{ID: 2, Owner: "other", Name: "open", InstallationID: 60002})
			first, second := installationToken(t, s, 60001), installationToken(t, s, 60001)
			for i, c := range []struct {
				token string
				want  int
			}{
				{first, 200}, {second, 200}, {first, 200}, {second, 403}, {first, 403},
				{installationToken(t, s, 60002), 200},
				{s.Token(), 200},
			} {
				resp, body := get(t, s, "repos/other/open", "Authorization", "Bearer "+c.token)
				if resp.StatusCode != c.want {
					t.Errorf("request %d: %d, want %d; body %s", i+1, resp.StatusCode, c.want, body)
				}
			}
			if got := s.LimitAnswers(); len(got) != 2 || got[1].Caller != "installation 60001" || s.LongestLimitRun() != 2 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestSecondaryPoints(t *testing.T) {
	c := newClock()
	s := start(t, Options{SecondaryPoints: 2, Now: c.Now})
	const path = "repos/acme/rocket"
	ask := func(want int) {
		t.Helper()
		resp, body := get(t, s, path)
		wantStatus(t, resp, body, want)
		limited := want == http.StatusForbidden
		if got := resp.Header.Get("Retry-After"); limited != (got == "60") || limited != strings.Contains(body, docsSecondary) {
			t.Errorf("Retry-After %q, body %s", got, body)
		}
		if got := resp.Header.Get("X-RateLimit-Remaining"); got != "4999" {
			t.Errorf("remaining %s", got)
		}
	}
	ask(200)
	c.forward(59 * time.Second)
	ask(200)
	ask(403)
	resp, body := get(t, s, "rate_limit") // costs nothing here either
	wantStatus(t, resp, body, 200)
	_, _, err := hub(t, s, nil).WithAuthToken(s.Token()).Repositories.Get(t.Context(), "acme", "rocket")
	var limit *github.AbuseRateLimitError
	if !errors.As(err, &limit) || limit.GetRetryAfter() != time.Minute {
		t.Errorf("%T %v", err, err)
	}
	c.forward(time.Minute)
	ask(200)
}

// TestMaxConcurrent holds one request and looks what becomes of the next.
func TestMaxConcurrent(t *testing.T) {
	s := start(t, Options{MaxConcurrent: 1, AppID: appID, AppKey: &appKey().PublicKey})
	s.AddJob(aJob(77))
	held, release := make(chan bool), make(chan bool)
	s.OnRequest(func(e Endpoint, _ *http.Request) {
		if e == EndpointRuns {
			held <- true
			<-release
		}
	})
	const path = "repos/acme/rocket/actions/jobs/77"
	answered := make(chan int)
	go func() {
		resp, _, err := tryURL(t, s.URL()+"repos/acme/rocket/actions/runs", "Authorization", "Bearer "+s.Token())
		if err != nil {
			t.Error(err)
		}
		answered <- resp.StatusCode
	}()
	<-held
	for range 2 { // a refused request takes no place
		resp, body := get(t, s, path)
		wantStatus(t, resp, body, http.StatusForbidden)
		if resp.Header.Get("Retry-After") != "60" || !strings.Contains(body, docsSecondary) {
			t.Errorf("%v %s", resp.Header, body)
		}
	}
	// The places of another caller are its own.
	resp, body := get(t, s, path, "Authorization", "Bearer "+installationToken(t, s, 60001))
	wantStatus(t, resp, body, 200)
	close(release)
	if got := <-answered; got != 200 {
		t.Errorf("the request that was held: %d", got)
	}
	resp, body = get(t, s, path)
	wantStatus(t, resp, body, 200)
}

// TestPlaceIsFreeOnceTheAnswerBegins has the body of the first still under way.
func TestPlaceIsFreeOnceTheAnswerBegins(t *testing.T) {
	s := start(t, Options{MaxConcurrent: 1})
	s.AddJob(aJob(77))
	s.Inject(Fault{Endpoint: EndpointJob, Kind: HangBody, Times: 1})
	resp, err := hangingRequest(t, s, func(func()) {})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	next, body := get(t, s, "repos/acme/rocket/actions/jobs/77")
	wantStatus(t, next, body, 200)
}

// TestLimitAnswers tells limits from other refusals, be they real or injected.
func TestLimitAnswers(t *testing.T) {
	c := newClock()
	s := start(t, Options{Now: c.Now})
	if s.LongestLimitRun() != 0 || len(s.LimitAnswers()) != 0 {
		t.Error("limits before any request")
	}
	wait := http.Header{"Retry-After": {"1"}}
	for _, f := range []*Fault{
		{Kind: TooMany}, {Kind: PrimaryLimit}, {Kind: SecondaryLimit},
		{Kind: Forbidden}, // no limit: it ends the run
		{Kind: SecondaryLimit, RetryAfter: time.Second}, {Kind: Status, Status: 403, Header: wait},
		nil, // an answer
		{Kind: Status, Status: 403},
		{Kind: Status, Status: 503, Header: wait},
		{Kind: TooMany},
	} {
		if f != nil {
			f.Times = 1
			s.Inject(*f)
		}
		get(t, s, "repos/acme/rocket")
	}
	get(t, s, "repos/acme/rocket", "Authorization", "Bearer another")
	var runs []int
	for _, a := range s.LimitAnswers() {
		runs = append(runs, a.Run)
		if a.Caller != s.Token() || a.Endpoint != EndpointRepository || !a.At.Equal(c.Now()) {
			t.Errorf("%+v", a)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 3, 1, 2, 1}, runs); diff != "" || s.LongestLimitRun() != 3 {
		t.Error(diff)
	}
}
