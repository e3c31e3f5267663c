package rest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/ingest/upkeep"
)

// Readers of a redacted log get the copy, whole and in parts, are told so, and its
// digest is that of what they get. Without a copy the answer says why there is nothing.
func TestARedactedLogIsReadAsItsCopy(t *testing.T) {
	f := newFixture(t)
	const raw, copied = "2024-07-08T16:48:09.3750041Z s3cret one\nline two\n", "2024-07-08T16:48:09.3750041Z [redacted] one\nline two\n"
	for _, id := range []int64{31, 32} {
		f.Record(f.Facts(id, "Set up job"))
		f.Log(id, []byte(raw))
	}
	before := f.log("/jobs/31/logs")
	f.want(before, http.StatusOK)
	if note := before.Header.Get("X-Jobvault-Redacted"); note != "" {
		t.Errorf("the log itself is noted as %q", note)
	}
	m := &upkeep.Remover{DB: f.DB, Archive: f.Archive, Now: f.now.Load().UTC}
	for id, patterns := range map[int64][]*regexp.Regexp{31: {regexp.MustCompile("s3cret")}, 32: nil} {
		if _, _, err := m.Redact(t.Context(), upkeep.RedactOptions{JobID: id, Actor: "bob", Reason: "a token in it", Patterns: patterns}); err != nil {
			t.Fatal(err)
		}
	}
	a := f.log("/jobs/31/logs")
	f.want(a, http.StatusOK)
	sum := sha256.Sum256([]byte(copied))
	if a.body != copied || a.Header.Get("ETag") != `"`+hex.EncodeToString(sum[:])+`"` || a.Header.Get("Repr-Digest") != "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":" {
		t.Errorf("%q with %v", a.body, a.Header)
	}
	note := a.Header.Get("X-Jobvault-Redacted")
	if !strings.HasPrefix(note, "1 matches in 1 lines; 20") || strings.Contains(note, "token") {
		t.Errorf("it is noted as %q", note)
	}
	// Who has the log itself has not the copy.
	if a := f.log("/jobs/31/logs", "If-None-Match", before.Header.Get("ETag")); a.StatusCode != http.StatusOK || a.body != copied {
		t.Errorf("with the old tag: %d %q", a.StatusCode, a.body)
	}
	if a := f.log("/jobs/31/logs", "Range", "bytes=0-39", "If-Range", before.Header.Get("ETag")); a.body != copied {
		t.Errorf("a range of what was: %d %q", a.StatusCode, a.body)
	}
	if a := f.log("/jobs/31/logs", "Range", "bytes=29-38"); a.StatusCode != http.StatusPartialContent || a.body != "[redacted]" || a.Header.Get("X-Jobvault-Redacted") == "" {
		t.Errorf("a range: %d %q", a.StatusCode, a.body)
	}
	if a := f.log("/jobs/31/logs?lines=2"); a.body != "line two\n" || a.Header.Get("X-Jobvault-Redacted") == "" {
		t.Errorf("a line: %q", a.body)
	}
	for _, coding := range []string{"gzip", "zstd"} {
		if a := f.log("/jobs/31/logs", "Accept-Encoding", coding); a.StatusCode != http.StatusOK || strings.Contains(a.body, "s3cret") || a.Header.Get("X-Jobvault-Redacted") == "" {
			t.Errorf("in %s: %d", coding, a.StatusCode)
		}
	}
	f.want(f.get("/jobs/32/logs"), http.StatusGone, "it is removed since 20", "redaction: a token in it")
}
