package archive

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// RunName is the name of the object that has an attempt of a run as GitHub described it,
// beside the folders of its jobs.
const RunName = "run.json"

// RunKey names an attempt of a run in the bucket.
type RunKey struct {
	RepositoryID int64
	RunID        int64
	RunAttempt   int64
}

// Run is the key of the attempt as GitHub described it.
func (k RunKey) Run() string {
	return fmt.Sprintf("v1/%d/%d/%d/%s", k.RepositoryID, k.RunID, k.RunAttempt, RunName)
}

// ParseRunKey returns the attempt whose description a key names. ok is true for exactly
// the keys that RunKey makes of ids above zero.
func ParseRunKey(key string) (k RunKey, ok bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 5 {
		return RunKey{}, false
	}
	for i, id := range []*int64{&k.RepositoryID, &k.RunID, &k.RunAttempt} {
		n, err := strconv.ParseInt(parts[i+1], 10, 64)
		if err != nil || n <= 0 {
			return RunKey{}, false
		}
		*id = n
	}
	if k.Run() != key {
		return RunKey{}, false
	}
	return k, true
}

// PutRun stores an attempt of a run as GitHub described it. If the bucket already has a
// description of it, that one stays and is returned: the bucket's word counts. It fails,
// and stores nothing, if the description is longer than Run reads.
func (a *Archive) PutRun(ctx context.Context, key RunKey, raw []byte) ([]byte, error) {
	return a.putDetails(ctx, key.Run(), raw)
}

// Run returns the attempt as GitHub described it. It fails with ErrNotFound, and with
// ErrUnreadable if it is longer than any description.
func (a *Archive) Run(ctx context.Context, key RunKey) ([]byte, error) {
	return a.read(ctx, key.Run())
}
