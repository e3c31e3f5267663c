package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// What another site has a browser load is refused; a link there leads here all the
// same, but not to what costs much or gives all of a log away.
func TestOtherSitesLeadToPagesAndNoFurther(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Record(f.Facts(31))
	f.Log(31, stamped("hello"))
	image := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image", "Referer", "https://evil.example/"}
	link := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-User", "?1", "Referer", "https://chat.example/"}
	script := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Referer", "https://evil.example/"}
	reads := func(want int) {
		t.Helper()
		var n int
		f.Check(f.DB.Pool().QueryRow(t.Context(), `SELECT count(*) FROM reads`).Scan(&n))
		if n != want {
			t.Errorf("%d readings are recorded, want %d", n, want)
		}
	}
	const job = "/acme/rocket/jobs/31"
	for _, path := range []string{"/", "/overview", "/uses?action=acme/x", "/search?pattern=hello", "/acme/rocket/runs/2", job, job + "/raw", job + "/find?q=hello"} {
		a := f.get(path, image...)
		if f.want(a, 403, "Another site has sent this request."); strings.Contains(a.body, "Open it") {
			t.Errorf("%s: an image is given a link", path)
		}
		// A window that nobody has led here: a person may go on, from a page of ours.
		f.want(f.get(path, script...), 403, "Another site has sent this request.", `<a href="`+path+`">Open it</a>`)
	}
	for _, path := range []string{job + "/raw", job + "/find?q=hello"} {
		f.want(f.get(path, link...), 403, "Another site has sent this request.")
	}
	a := f.get("/search?pattern=hello", link...)
	f.want(a, 200, "Nothing is searched before you press Search", `value="hello"`)
	if strings.Contains(a.body, "1 line in") {
		t.Error("a link elsewhere has begun a search")
	}
	a = f.get("/overview?repository=acme/rocket&days=30", link...)
	f.want(a, 200, "A link on another site led here", `href="/overview?repository=acme/rocket&amp;days=30"`)
	for _, costly := range []string{"Figures by day", "Coverage of", "No jobs in these days", "<option value="} {
		if strings.Contains(a.body, costly) {
			t.Errorf("a link elsewhere has made an overview: %s", costly)
		}
	}
	f.want(f.get("/overview?days=30", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), 200, "Figures by day")
	reads(0)
	for _, path := range []string{"/", "/overview", "/search", "/uses?action=acme/x", job} {
		f.want(f.get(path, link...), 200)
	}
	reads(1) // the person saw the page
	f.want(f.get("/search?pattern=hello", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), 200, "1 line in 1 of 1 logs")
	// What holds no secret may be loaded by whoever likes to.
	f.want(f.get("/healthz", image...), 404)
}

// Nobody else's page signs anybody in or out.
func TestOtherSitesSignNobodyInOrOut(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	token, digest := access.NewToken()
	v.Check(v.DB.AddReadToken(t.Context(), store.ReadToken{Name: "reader", Repositories: []string{"acme/*"}, CreatedAt: v.At}, digest))
	f := serve(t, v, access.Tokens(v.DB))
	post := func(path string, headers ...string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+path, strings.NewReader(url.Values{"token": {token}}.Encode()))
		f.Check(err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		return f.do(req)
	}
	for _, path := range []string{"/sign-in", "/sign-out"} {
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			a := post(path, headers...)
			f.want(a, 403, "Another site has sent this request.")
			if len(a.Cookies()) > 0 {
				t.Errorf("%s %v: %v", path, headers, a.Cookies())
			}
		}
		a := post(path, "Sec-Fetch-Site", "same-origin", "Origin", f.url)
		if f.want(a, 303); len(a.Cookies()) != 1 || a.Cookies()[0].SameSite != http.SameSiteLaxMode || !a.Cookies()[0].HttpOnly {
			t.Errorf("%s: %v", path, a.Cookies())
		}
	}
}
