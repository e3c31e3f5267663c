package ghapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// A hook is read from the settings and written again as it was.
func TestParseHook(t *testing.T) {
	for _, c := range []struct {
		text string
		want ghapi.Hook
	}{
		{"app", ghapi.Hook{}},
		{"acme/7", ghapi.Hook{Owner: "acme", ID: 7}},
		{"acme/rocket/7", ghapi.Hook{Owner: "acme", Repo: "rocket", ID: 7}},
		{"app/7", ghapi.Hook{Owner: "app", ID: 7}},
		{"7/7/7", ghapi.Hook{Owner: "7", Repo: "7", ID: 7}},
		{"acme/.github/9223372036854775807", ghapi.Hook{Owner: "acme", Repo: ".github", ID: 1<<63 - 1}},
	} {
		h, err := ghapi.ParseHook(c.text)
		if err != nil || h != c.want || h.String() != c.text {
			t.Errorf("%q: %+v, %v, again %q", c.text, h, err, h)
		}
	}
	for _, text := range []string{
		"", "App", "app ", "7", "/", "//", "/7", "acme", "acme/", "acme/rocket", "acme/rocket/", "acme//7", "/rocket/7", "//7", "acme/rocket/seven",
		"acme/0", "acme/-7", "acme/7.0", "acme/9223372036854775808", "acme/rocket/7/", "acme/rocket/7/8", "https://github.com/acme/rocket/7",
	} {
		h, err := ghapi.ParseHook(text)
		if err == nil || h != (ghapi.Hook{}) {
			t.Errorf("%q: %+v, %v", text, h, err)
		} else if want := fmt.Sprintf("hook %q: want app, ORG/HOOK_ID or OWNER/REPO/HOOK_ID", text); err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

// FuzzParseHook: whatever is read can be written, and read again.
func FuzzParseHook(f *testing.F) {
	for _, text := range []string{"app", "acme/7", "acme/rocket/7", "a/+7", "a/007", "a//7", "\xff/1", "a/b/c/1", "a b/1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ghapi.ParseHook(text)
		if err != nil {
			if h != (ghapi.Hook{}) {
				t.Errorf("%q: %+v with %v", text, h, err)
			}
			return
		}
		if again, err := ghapi.ParseHook(h.String()); err != nil || again != h {
			t.Errorf("%q is %+v, and then %+v, %v", text, h, again, err)
		}
	})
}

var (
	appHook  = ghapi.Hook{}
	orgHook  = ghapi.Hook{Owner: owner, ID: 421337}
	repoHook = ghapi.Hook{Owner: owner, Repo: repo, ID: 421337}
)

// deliver records n deliveries of the repository, a minute apart.
func deliver(gh *githubsim.Server, n int) (want []ghapi.HookDelivery) {
	begin := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	for i := range n {
		d := gh.Deliveries(completed(int64(1000+i), githubsim.Log{}))[0]
		at, status := begin.Add(time.Duration(i)*10*time.Second), []int{202, 502, 0}[i%3]
		result := githubsim.SendResult{Delivery: d, Status: status}
		if status == 0 {
			result.Err = errors.New("no answer")
		}
		gh.RecordAt(at, result)
		want = append([]ghapi.HookDelivery{{ID: 70_000_000_000 + int64(i), GUID: d.GUID, DeliveredAt: at, StatusCode: status, Event: d.Event}}, want...)
	}
	return want
}

func hookDeliveries(t testing.TB, cs *ghapi.Clients, h ghapi.Hook) (list []ghapi.HookDelivery) {
	t.Helper()
	for d, err := range cs.HookDeliveries(soon(t), h) {
		check(t, err)
		list = append(list, d)
	}
	return list
}

// The deliveries of every kind of hook are listed, page after page by their
// cursor, whoever is asked.
func TestHookDeliveriesAreListed(t *testing.T) {
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{})
	token := clientsOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token()})
	want := deliver(gh, 250)
	for _, c := range []struct {
		cs   *ghapi.Clients
		hook ghapi.Hook
	}{{cs, appHook}, {cs, orgHook}, {cs, repoHook}, {token, orgHook}, {token, repoHook}} {
		before := gh.Requests()[githubsim.EndpointDeliveries]
		if diff := cmp.Diff(want, hookDeliveries(t, c.cs, c.hook)); diff != "" {
			t.Errorf("hook %s (-want +got):\n%s", c.hook, diff)
		}
		if n := gh.Requests()[githubsim.EndpointDeliveries] - before; n != 3 {
			t.Errorf("hook %s: %d requests, want 3", c.hook, n)
		}
	}
	before := gh.Requests()[githubsim.EndpointDeliveries]
	for range cs.HookDeliveries(t.Context(), repoHook) {
		break
	}
	if n := gh.Requests()[githubsim.EndpointDeliveries] - before; n != 1 {
		t.Errorf("%d requests for the first delivery", n)
	}
}

// A listing that cannot be had says why, once.
func TestHookDeliveriesThatCannotBeListed(t *testing.T) {
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{})
	token := clientsOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token()})
	for _, c := range []struct {
		name   string
		cs     *ghapi.Clients
		hook   ghapi.Hook
		class  ghapi.Class
		status int
		says   string
	}{
		{"the App's without an App", token, appHook, ghapi.Denied, 0, "list hook deliveries: denied: the App's hook takes an App"},
		{"of no such repository", token, ghapi.Hook{Owner: owner, Repo: "none", ID: 1}, ghapi.NotFound, 404, "list deliveries of hook acme/none/1: not found"},
		{"where the App is not", cs, ghapi.Hook{Owner: "nobody", ID: 1}, ghapi.Denied, 404, "find installation: denied"},
		{"of a repository where the App is not", cs, ghapi.Hook{Owner: "nobody", Repo: "none", ID: 1}, ghapi.Denied, 404, "find installation: denied"},
	} {
		var errs []error
		for d, err := range c.cs.HookDeliveries(t.Context(), c.hook) {
			if errs = append(errs, err); d != (ghapi.HookDelivery{}) {
				t.Errorf("%s: %+v", c.name, d)
			}
		}
		if len(errs) != 1 {
			t.Fatalf("%s: errors %v", c.name, errs)
		}
		refusal(t, errs[0], c.class, c.status, c.says)
		if err := c.cs.Redeliver(t.Context(), c.hook, 5); err == nil {
			t.Errorf("%s: delivered again", c.name)
		} else {
			refusal(t, err, c.class, c.status, "")
		}
	}
	if n := gh.Requests(); n[githubsim.EndpointRedeliver] != 1 {
		t.Errorf("requests %v", n)
	}
}

// A page that fails ends the listing after what was read.
func TestHookDeliveriesEndWithAnError(t *testing.T) {
	gh := simulate(t, githubsim.Options{})
	cs := clientsOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token()})
	deliver(gh, 150)
	gh.OnRequest(func(_ githubsim.Endpoint, r *http.Request) {
		if r.URL.Query().Has("cursor") {
			gh.Inject(githubsim.Fault{Endpoint: githubsim.EndpointDeliveries, Kind: githubsim.ServerError})
		}
	})
	var read int
	for _, err := range cs.HookDeliveries(t.Context(), repoHook) {
		if err == nil {
			read++
			continue
		}
		refusal(t, err, ghapi.Transient, 500, "list deliveries of hook acme/rocket/421337")
	}
	if read != 100 {
		t.Errorf("%d read, want 100", read)
	}
}

// GitHub delivers again what it is asked to, with the same GUID.
func TestRedeliver(t *testing.T) {
	var received atomic.Pointer[string]
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received.Store(ptr(r.Header.Get("X-GitHub-Delivery")))
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{})
	token := clientsOf(t, ghapi.Config{BaseURL: gh.URL(), Token: gh.Token()})
	gh.SetHook(receiver.URL, "secret")
	failed := deliver(gh, 2)[0]
	for _, c := range []struct {
		cs   *ghapi.Clients
		hook ghapi.Hook
	}{{cs, appHook}, {cs, orgHook}, {cs, repoHook}, {token, repoHook}} {
		received.Store(nil)
		check(t, c.cs.Redeliver(t.Context(), c.hook, failed.ID))
		gh.AwaitRedeliveries()
		if got := received.Load(); got == nil || *got != failed.GUID {
			t.Errorf("hook %s: received %v, want %s", c.hook, got, failed.GUID)
		}
		refusal(t, c.cs.Redeliver(t.Context(), c.hook, 99), ghapi.NotFound, 404, fmt.Sprintf("redeliver 99 of hook %s: not found (404)", c.hook))
	}
	if list := hookDeliveries(t, cs, repoHook); len(list) != 6 || list[0].GUID != failed.GUID || list[0].StatusCode != http.StatusAccepted {
		t.Errorf("then there are %+v", list)
	}
}

// GitHub says that it has accepted, with or without a body; all else is an error.
func TestAnswersToARedelivery(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		class  ghapi.Class // of the error
		says   string      // empty: there is none
	}{
		{202, ``, 0, ""},
		{202, `{}`, 0, ""},
		{202, `<html>`, 0, ""},
		{200, `{}`, 0, ""},
		{204, ``, ghapi.Transient, "(204)"},
		{304, ``, ghapi.Transient, "(304)"},
		{400, `{"message":"too old"}`, ghapi.Transient, "too old"},
		{404, `{"message":"Not Found"}`, ghapi.NotFound, "Not Found"},
		{403, `{"message":"Resource not accessible"}`, ghapi.Denied, "Resource not accessible"},
		{500, ``, ghapi.Transient, "(500)"},
	} {
		var method string
		gh := serve(t, func(w http.ResponseWriter, r *http.Request) {
			method = r.Method + " " + r.URL.RequestURI()
			w.WriteHeader(c.status)
			if c.body != "" {
				fmt.Fprint(w, c.body)
			}
		})
		err := clientsOf(t, ghapi.Config{BaseURL: gh.URL}).Redeliver(t.Context(), repoHook, 5)
		if want := "POST /repos/acme/rocket/hooks/421337/deliveries/5/attempts"; method != want {
			t.Errorf("asked %s, want %s", method, want)
		}
		if c.says == "" {
			if err != nil {
				t.Errorf("%d %s: %v", c.status, c.body, err)
			}
			continue
		}
		refusal(t, err, c.class, c.status, c.says)
	}
}

// Only what was asked to be done is answered 202.
func TestAcceptedIsNoAnswerToAQuestion(t *testing.T) {
	gh := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"id":7}`)
	})
	refusal(t, getJob(t.Context(), clientOf(t, ghapi.Config{BaseURL: gh.URL})), ghapi.Transient, 202, "")
}

// newOperations are those that look for jobs, by what their errors begin with. They
// need no more than the token.
var newOperations = map[string]func(context.Context, *ghapi.Clients) error{
	"get repository": func(ctx context.Context, cs *ghapi.Clients) error {
		_, err := cs.Repository(ctx, owner, repo)
		return err
	},
	"list repositories of acme": func(ctx context.Context, cs *ghapi.Clients) error {
		for _, err := range cs.Owned(ctx, owner) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"list runs of acme/rocket": func(ctx context.Context, cs *ghapi.Clients) error {
		c, err := cs.For(ctx, nil, owner, repo)
		if err != nil {
			return err
		}
		for _, err := range c.Runs(ctx, owner, repo, time.Time{}, time.Time{}, "") {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"get run 100": func(ctx context.Context, cs *ghapi.Clients) error {
		c, err := cs.For(ctx, nil, owner, repo)
		if err != nil {
			return err
		}
		_, err = c.Run(ctx, owner, repo, 100)
		return err
	},
	"list deliveries of hook acme/421337": func(ctx context.Context, cs *ghapi.Clients) error {
		for _, err := range cs.HookDeliveries(ctx, orgHook) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"redeliver 5 of hook acme/rocket/421337": func(ctx context.Context, cs *ghapi.Clients) error {
		return cs.Redeliver(ctx, repoHook, 5)
	},
}
