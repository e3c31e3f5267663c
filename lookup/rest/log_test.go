package rest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/lookup/rest"
	"github.com/jobvault/jobvault/lookup/search"
	"github.com/jobvault/jobvault/store"
)

func TestLogsThatAreNotAvailableSayWhy(t *testing.T) {
	f := newFixture(t)
	id := int64(0)
	for state, want := range map[string]int{store.LogExpired: 410, store.LogMissing: 404, store.LogNone: 404, store.LogDenied: 404, store.LogPending: 404} {
		id++
		f.Record(f.Facts(id))
		if state != store.LogPending {
			f.Settle(store.Settlement{JobID: id, State: state, Reason: "because of " + state})
		}
		f.want(f.get(fmt.Sprintf("/repos/acme/rocket/actions/jobs/%d/logs", id)), want, "it is "+state)
		if state != store.LogPending {
			f.want(f.get(fmt.Sprintf("/repos/acme/rocket/actions/jobs/%d/logs", id)), want, "because of "+state)
		}
	}
}

func manyLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "2024-07-08T16:48:09.3750041Z line %d of many, with some text to fill the frames\n", i+1)
	}
	return b.Bytes()
}

func TestPartsOfALog(t *testing.T) {
	f := newFixture(t)
	raw := manyLines(40_000)
	f.Record(f.Facts(31, "a", "b", "c"))
	f.Log(31, raw, store.StepLines{Number: 1, First: 1, Last: 10}, store.StepLines{Number: 2, First: 11, Last: 40_000})
	lines := strings.SplitAfter(string(raw), "\n")
	const path = "/repos/acme/rocket/actions/jobs/31/logs"
	for query, want := range map[string]string{
		"": string(raw), "?lines=5-7": strings.Join(lines[4:7], ""), "?lines=39999-": strings.Join(lines[39998:], ""), "?lines=20000": lines[19999],
		"?lines=50000-": "", "?step=1": strings.Join(lines[:10], ""), "?step=2": strings.Join(lines[10:], ""),
	} {
		a := f.log(path + query)
		if a.StatusCode != 200 || a.body != want {
			t.Errorf("%s: %d, %d bytes, want %d", query, a.StatusCode, len(a.body), len(want))
		}
		if a.Header.Get("Content-Type") != "text/plain; charset=utf-8" || a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("ETag") == "" {
			t.Errorf("%s: %v", query, a.Header)
		}
		// The same, compressed.
		for _, coding := range []string{"gzip", "zstd"} {
			a := f.log(path+query, "Accept-Encoding", "br, "+coding+";q=0.5")
			if got, err := decoded(a); err != nil || got != want {
				t.Errorf("%s in %s: %d bytes, want %d: %v", query, coding, len(got), len(want), err)
			}
			again := f.log(path+query, "Accept-Encoding", coding, "If-None-Match", a.Header.Get("ETag"))
			f.want(again, 304)
		}
	}
	f.want(f.log(path, "If-None-Match", f.log(path).Header.Get("ETag")), 304)
	for query, want := range map[string]string{
		"?lines=0": "want lines from 1", "?lines=5-4": "want lines", "?lines=x": "want lines", "?step=x": "number of a step", "?lines=1&step=1": "only one",
	} {
		f.want(f.get(path+query), 422, want)
	}
	f.want(f.get(path+"?step=3"), 404, "has no lines")
	f.want(f.get(path+"?step=9"), 404, "no step 9")
	if a := f.log(path, "Accept-Encoding", "zstd;q=0, gzip;q=0.0"); a.Header.Get("Content-Encoding") != "" {
		t.Error("a coding that the client does not take")
	}
}

func decoded(a answer) (string, error) {
	var r io.Reader
	var err error
	switch a.Header.Get("Content-Encoding") {
	case "gzip":
		r, err = gzip.NewReader(strings.NewReader(a.body))
	case "zstd":
		r, err = zstd.NewReader(strings.NewReader(a.body))
	default:
		err = fmt.Errorf("coding %q", a.Header.Get("Content-Encoding"))
	}
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), err
}

func TestRangesOfALog(t *testing.T) {
	f := newFixture(t)
	raw := manyLines(40_000)
	f.Record(f.Facts(31))
	f.Log(31, raw)
	size := len(raw)
	for header, want := range map[string][2]int{
		"bytes=0-0": {0, 1}, "bytes=100-199": {100, 200}, "bytes=1048570-1048590": {1048570, 1048591}, "bytes=-5": {size - 5, size},
		"bytes=3000000-": {3000000, size}, fmt.Sprintf("bytes=%d-", size-1): {size - 1, size}, "bytes=2000000-99999999999": {2000000, size},
	} {
		a := f.log("/repos/acme/rocket/actions/jobs/31/logs", "Range", header, "Accept-Encoding", "gzip")
		if a.StatusCode != 206 || a.body != string(raw[want[0]:want[1]]) {
			t.Errorf("%s: %d, %d bytes", header, a.StatusCode, len(a.body))
		}
		if got := a.Header.Get("Content-Range"); got != fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, size) {
			t.Errorf("%s: Content-Range %s", header, got)
		}
	}
	if a := f.log("/repos/acme/rocket/actions/jobs/31/logs", "Range", "bytes=99999999-"); a.StatusCode != 416 {
		t.Errorf("beyond the end: %d", a.StatusCode)
	}
	for _, header := range []string{"bytes=0-3,10-13", "bytes=", "bytes=-", "bytes=9-3", "lines=1-2", "bytes=a-b", "bytes=-0", "bytes=99999999999999999999-"} {
		if a := f.log("/repos/acme/rocket/actions/jobs/31/logs", "Range", header); a.StatusCode != 200 || len(a.body) != size {
			t.Errorf("%s: %d, %d bytes, want all", header, a.StatusCode, len(a.body))
		}
	}
	a := f.log("/repos/acme/rocket/actions/jobs/31/logs", "Range", "bytes=0-3", "If-Range", `"another"`)
	if a.StatusCode != 200 || len(a.body) != size {
		t.Errorf("of another log: %d, %d bytes", a.StatusCode, len(a.body))
	}
}

func TestLinksAreGoodForAMinuteAndForWhatTheyWereMadeFor(t *testing.T) {
	f := newFixture(t)
	for _, id := range []int64{31, 32} {
		f.Record(f.Facts(id))
		f.Log(id, manyLines(100))
	}
	link := f.get("/repos/acme/rocket/actions/jobs/31/logs?lines=1-2").Header.Get("Location")
	f.want(f.get(link), 200)
	u, err := url.Parse(link)
	f.Check(err)
	changed := func(path, name, value string) string {
		c := *u
		if path != "" {
			c.Path = path
		}
		q := u.Query()
		q.Set(name, value)
		c.RawQuery = q.Encode()
		return c.String()
	}
	for what, forged := range map[string]string{
		"another job":      changed("/api/v3/logs/32", "lines", "1-2"),
		"more lines":       changed("", "lines", "1-100"),
		"a longer life":    changed("", "expires", "99999999999"),
		"somebody else":    changed("", "subject", "token x"),
		"no signature":     changed("", "signature", ""),
		"another":          changed("", "signature", strings.Repeat("A", 43)),
		"a step besides":   changed("", "step", "1"),
		"a second value":   link + "&lines=1-100",
		"an unknown job":   changed("/api/v3/logs/99", "lines", "1-2"),
		"nothing at all":   f.url + "/api/v3/logs/31",
		"a number, nearly": changed("/api/v3/logs/031x", "lines", "1-2"),
	} {
		a := f.get(forged)
		if a.StatusCode != 403 || !strings.Contains(a.body, "not made by jobvault") {
			t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
		}
	}
	f.later(59 * time.Second)
	f.want(f.get(link), 200)
	f.later(2 * time.Second)
	f.want(f.get(link), 403, "expired")
}

func TestEveryReadingIsRecorded(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31, "a"))
	f.Log(31, manyLines(100), store.StepLines{Number: 1, First: 1, Last: 100})
	const path = "/repos/acme/rocket/actions/jobs/31/logs"
	f.log(path)
	f.log(path + "?lines=1-5")
	f.log(path + "?step=1")
	f.log(path, "Range", "bytes=0-9")
	f.get(path) // is no reading
	f.log(path, "Range", "bytes=90-99999")
	f.log(path, "Range", "bytes=0-0,5-9")                      // all is sent
	f.log(path, "Range", "bytes=0-0", "If-Range", `"another"`) // so it is here
	f.log(path, "Range", "bytes=99999-")                       // is no reading either
	rows, err := f.DB.Pool().Query(t.Context(), `SELECT subject || ': ' || job_id || ': ' || what FROM reads ORDER BY at`)
	f.Check(err)
	var got []string
	for rows.Next() {
		var s string
		f.Check(rows.Scan(&s))
		got = append(got, s)
	}
	want := []string{"loopback: 31: whole", "loopback: 31: lines 1-5", "loopback: 31: step 1", "loopback: 31: bytes 0-9", "loopback: 31: bytes 90-7991", "loopback: 31: whole", "loopback: 31: whole"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A log that is not there at all is answered with 503, before any byte of a log is sent.
func TestALostLogIsAnError(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	log := f.Log(31, manyLines(100))
	f.Check(f.Archive.Bucket().Remove(t.Context(), log.Key))
	for _, header := range [][]string{{"Range", ""}, {"Range", "bytes=0-9"}, {"Range", "bytes=-5"}, {"Accept-Encoding", "gzip"}, {"Accept-Encoding", "zstd"}} {
		for _, part := range []string{"", "?lines=2-3"} {
			a := f.log("/repos/acme/rocket/actions/jobs/31/logs"+part, header...)
			f.want(a, 503, "cannot answer now")
			if a.Header.Get("ETag") != "" || a.Header.Get("Content-Range") != "" || a.Header.Get("Content-Encoding") != "" {
				t.Errorf("%v: headers of a log: %v", header, a.Header)
			}
		}
	}
}

// A log that is damaged ends in an error, not in an end.
func TestADamagedLogIsNoShorterLog(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	log := f.Log(31, manyLines(40_000))
	bucket := f.Archive.Bucket()
	f.Check(bucket.Remove(t.Context(), log.Key))
	if _, err := bucket.Put(t.Context(), log.Key, strings.NewReader("no zstd at all")); err != nil {
		t.Fatal(err)
	}
	link := f.get("/repos/acme/rocket/actions/jobs/31/logs").Header.Get("Location")
	for _, coding := range []string{"identity", "gzip", "zstd"} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, link, nil)
		f.Check(err)
		req.Header.Set("Accept-Encoding", coding)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if err == nil && resp.StatusCode == http.StatusOK {
			t.Errorf("%s: the client is told nothing", coding)
		}
	}
}

// The server's time-outs are for requests and short answers: a log may take as long
// as it needs, as long as it moves.
func TestALongReadOutlivesTheTimeOutsOfRequests(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31))
	raw := manyLines(400_000) // more than sockets hold
	f.Log(31, raw)
	h, err := rest.New(t.Context(), rest.Config{
		DB: f.DB, Gate: access.Loopback(f.DB), Logger: testenv.Logger(t), Base: func(req *http.Request) string { return "http://" + req.Host },
		Sender:   lookup.NewSender(lookup.Logs{DB: f.DB, Archive: f.Archive}, testenv.Logger(t)),
		Searcher: search.NewLimitedSearcher(lookup.Logs{DB: f.DB, Archive: f.Archive}),
	})
	f.Check(err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h.ServeHTTP(w, req)
		// Which a bucket far away would heed.
		if err := req.Context().Err(); err != nil {
			t.Errorf("%s: %v", req.URL.Path, err)
		}
	}))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	server.Start()
	defer server.Close()
	for _, header := range []string{"", "bytes=1-"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v3/jobs/31/logs", nil)
		f.Check(err)
		if header != "" {
			req.Header.Set("Range", header)
		}
		client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
		resp, err := client.Do(req)
		f.Check(err)
		got := 0
		b := make([]byte, 64<<10)
		tick := time.NewTicker(10 * time.Millisecond)
		for begun := time.Now(); time.Since(begun) < time.Second; <-tick.C {
			n, err := io.ReadFull(resp.Body, b)
			f.Check(err)
			got += n
		}
		tick.Stop()
		rest, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if want := len(raw) - len(header)/8; err != nil || got+int(rest) != want {
			t.Errorf("%q: %d bytes of %d: %v", header, got+int(rest), want, err)
		}
	}
}
