package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// filterless is a bucket that takes no filters.
type filterless struct{ bucket.Bucket }

var errFilterless = errors.New("no filters today")

func (b filterless) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	if strings.HasSuffix(key, archive.FilterName) {
		return 0, errFilterless
	}
	return b.Bucket.Put(ctx, key, r)
}

func (b filterless) Replace(ctx context.Context, key string, r io.Reader) (int64, error) {
	if strings.HasSuffix(key, archive.FilterName) {
		return 0, errFilterless
	}
	return b.Bucket.Replace(ctx, key, r)
}

// Of a log that was put in the place of a damaged one, the ledger knows, also if its
// filters cannot be written. The next repair makes these.
func TestRepairWithoutFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	text := bytes.Repeat([]byte("a line of a log that has filters\n"), 5000)
	r.Know(ingesttest.Completed(1, r.Now(), githubsim.TextLog(text)))
	if says, _ := r.Try(1); says != "done" {
		t.Fatal(says)
	}
	r.Exec(`UPDATE job_logs SET stored_sha256 = sha256('another object'), filter_bytes = NULL`)
	r.Check(r.Archive.Bucket().Remove(t.Context(), r.Object(1, "log.zst")))
	a, err := archive.New(filterless{r.Archive.Bucket()}, 1<<40)
	r.Check(err)
	v := &upkeep.Verifier{DB: r.DB, Archive: a, GitHub: r.Clients, Now: r.Now}
	if _, err := v.Verify(t.Context(), upkeep.VerifyOptions{Repair: true}, func(upkeep.Fault) {}, func(_, _ int) {}); !errors.Is(err, archive.ErrFilters) {
		t.Errorf("%v, want ErrFilters", err)
	}
	stored, err := r.Archive.Describe(t.Context(), r.keyOf(1).Log())
	r.Check(err)
	if l, err := r.DB.JobLog(t.Context(), 1); err != nil || !bytes.Equal(l.StoredSHA256, stored.StoredSHA256[:]) || len(l.FrameOffsets) != len(stored.FrameOffsets) {
		t.Errorf("the ledger tells of an object of before: %+v, %v", l, err)
	}
	r.verify(upkeep.VerifyOptions{Deep: true, Repair: true})
	if faults, _ := r.verify(upkeep.VerifyOptions{Deep: true}); len(faults) > 0 {
		t.Errorf("after the next repair: %q", faults)
	}
}
