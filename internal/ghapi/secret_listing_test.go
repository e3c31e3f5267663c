package ghapi_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/internal/ghapi"
)

// asApp are operations that take an App.
var asApp = []func(context.Context, *ghapi.Clients) error{
	func(ctx context.Context, cs *ghapi.Clients) error {
		var first error
		for _, err := range cs.Visible(ctx) {
			if err != nil && first == nil {
				first = err
			}
		}
		return first
	},
	func(ctx context.Context, cs *ghapi.Clients) error {
		_, err := cs.RepositoryByID(ctx, &repository.InstallationID, 3)
		return err
	},
	func(ctx context.Context, cs *ghapi.Clients) error {
		for _, err := range cs.HookDeliveries(ctx, appHook) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	func(ctx context.Context, cs *ghapi.Clients) error { return cs.Redeliver(ctx, appHook, 5) },
}

// more are ways to repeat a secret in what only listings read.
func more() []echo {
	body := func(format string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, secret string) {
			io.WriteString(w, strings.ReplaceAll(format, "%s", secret))
		}
	}
	link := func(format string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, secret string) {
			w.Header().Set("Link", strings.ReplaceAll(format, "%s", secret))
			io.WriteString(w, `[`)
		}
	}
	return []echo{
		{name: "a run with the wrong time", answer: body(`{"id":100,"workflow_runs":[{"id":1,"created_at":"%s"}],"created_at":"%s"}`)},
		{name: "a run with the wrong id", answer: body(`{"id":"%s","workflow_runs":[{"id":"%s"}]}`)},
		{name: "a repository without an id", answer: body(`{"full_name":"%s/x","repositories":[{"id":"%s"}]}`)},
		{name: "a delivery with the wrong time", answer: body(`[{"id":1,"delivered_at":"%s"}]`)},
		{name: "an installation that is none", answer: body(`[{"id":5,"suspended_at":"%s"}]`)},
		{name: "a next page", answer: link(`<https://x.example/?%s>; rel="next"`)},
		{name: "a next page that cannot be parsed", answer: link(`<http://a:%s/>; rel="next"`)},
	}
}

// Neither the token nor what the App signs gets into an error of a listing.
func TestListingsTellNoSecret(t *testing.T) {
	const installationToken = "ghs_7Qz1vWk9RtLmX0bYc4nHs8Pd"
	each(t, append(echoes(), more()...), credentials, func(t *testing.T, h http.HandlerFunc, known *secrets) {
		all := serve(t, h)
		for _, do := range newOperations {
			if err := do(soon(t), clientsOf(t, ghapi.Config{BaseURL: all.URL})); err != nil {
				known.absent(t, err)
			}
		}
		known.add(appKeySecrets()...)
		known.add(installationToken)
		// The App's own requests succeed, so that the installation's are made.
		some := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/access_tokens"):
				w.WriteHeader(http.StatusCreated)
				io.WriteString(w, `{"token":"`+installationToken+`","expires_at":"2099-01-01T00:00:00Z"}`)
			case strings.HasSuffix(r.URL.Path, "/installation"):
				io.WriteString(w, `{"id":5}`)
			case r.URL.Path == "/app/installations":
				io.WriteString(w, `[{"id":5}]`)
			default:
				h(w, r)
			}
		})
		as := func(base string, do func(context.Context, *ghapi.Clients) error) {
			if err := do(soon(t), clientsOf(t, ghapi.Config{BaseURL: base, AppID: appID, AppKey: keyPEM(appKey())})); err != nil {
				known.absent(t, err)
			}
		}
		for _, do := range asApp {
			as(all.URL, do)
			as(some.URL, do)
		}
		for _, do := range newOperations {
			as(some.URL, do)
		}
	})
}
