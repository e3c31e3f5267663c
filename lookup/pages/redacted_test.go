package pages_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest/upkeep"
)

// A page says of a redacted log who redacted it, when and why, and shows the copy; of
// a removed one it says who removed it.
func TestPagesSayThatALogIsRedacted(t *testing.T) {
	f := newFixture(t)
	for _, id := range []int64{31, 32} {
		f.Record(f.Facts(id, "Set up job"))
		f.Log(id, stamped("s3cret", "two"))
	}
	m := &upkeep.Remover{DB: f.DB, Archive: f.Archive, Now: func() time.Time { return f.At }}
	for id, patterns := range map[int64][]*regexp.Regexp{31: {regexp.MustCompile("s3cret")}, 32: nil} {
		if _, _, err := m.Redact(t.Context(), upkeep.RedactOptions{JobID: id, Actor: "bob <b>", Reason: "a <token>", Patterns: patterns}); err != nil {
			t.Fatal(err)
		}
	}
	a := f.get("/acme/rocket/jobs/31")
	f.want(a, http.StatusOK, "This is not the log as GitHub sent it", "By bob &lt;b&gt;", "2024-07-08 16:48:09Z", "a &lt;token&gt;", ">[redacted]<", "of the redacted copy", "redacted-1.zst")
	if strings.Contains(a.body, "s3cret") {
		t.Error("the page has what was redacted")
	}
	f.want(f.get("/acme/rocket/jobs/31/raw"), http.StatusOK, "[redacted]")
	f.want(f.get("/acme/rocket/jobs/31/find?q=redacted"), http.StatusOK, "1 line of lines")
	f.want(f.get("/acme/rocket/jobs/32"), http.StatusOK, "There is no log of this job here: it is removed by bob &lt;b&gt;", "redaction: a &lt;token&gt;", "of the log as GitHub sent it")
}
