package archive_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
)

func TestParseRunKeyTakesWhatRunKeyMakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		id := rapid.Int64Range(1, math.MaxInt64)
		k := archive.RunKey{RepositoryID: id.Draw(rt, "repository"), RunID: id.Draw(rt, "run"), RunAttempt: id.Draw(rt, "attempt")}
		if got, ok := archive.ParseRunKey(k.Run()); !ok || got != k {
			rt.Errorf("ParseRunKey(%q) = %+v, %v", k.Run(), got, ok)
		}
		if _, _, job := archive.ParseKey(k.Run()); job || !strings.HasPrefix(k.Run(), archive.RepositoryPrefix(k.RepositoryID)) {
			rt.Errorf("%q is a job's, or not the repository's", k.Run())
		}
	})
	for _, key := range []string{
		"", "v1/1/2/3", "v1/1/2/3/", "v1/1/2/3/job.json", "v1/1/2/3/run.json/", "/v1/1/2/3/run.json", "v2/1/2/3/run.json", "v1/0/2/3/run.json", "v1/1/-2/3/run.json",
		"v1/1/2/03/run.json", "v1/+1/2/3/run.json", "v1/1/2/3/RUN.JSON", "v1/1/2/3/run.json\n", "v1/1/2/3/4/run.json", "v1/manifests/2/3/run.json",
	} {
		if k, ok := archive.ParseRunKey(key); ok || k != (archive.RunKey{}) {
			t.Errorf("ParseRunKey(%q) = %+v, %v", key, k, ok)
		}
	}
}

// The first description of an attempt stays, and is what a later one is answered with.
func TestPutRunKeepsTheFirst(t *testing.T) {
	t.Parallel()
	b, err := bucket.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.New(b, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	key := archive.RunKey{RepositoryID: 1, RunID: 2, RunAttempt: 3}
	if _, err := a.Run(t.Context(), key); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("before there is one: %v", err)
	}
	for _, raw := range []string{`{"id":2}`, `{"id":2,"x":1}`} {
		if kept, err := a.PutRun(t.Context(), key, []byte(raw)); err != nil || string(kept) != `{"id":2}` {
			t.Errorf("PutRun(%s) = %s, %v", raw, kept, err)
		}
	}
	if _, err := a.PutRun(t.Context(), archive.RunKey{RepositoryID: 1, RunID: 2, RunAttempt: 4}, bytes.Repeat([]byte(" "), 32<<20+1)); err == nil {
		t.Error("a description of more than any")
	}
	if raw, err := a.Run(t.Context(), key); err != nil || string(raw) != `{"id":2}` {
		t.Errorf("%s, %v", raw, err)
	}
}
