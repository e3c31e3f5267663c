package ingest

import (
	"context"
	"errors"
	"io"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
)

// errReplacing says that a damaged log is being replaced elsewhere: it is looked at again
// later.
var errReplacing = errors.New("another worker is about to replace a damaged log")

// replaceDamaged puts GitHub's log in the place of an object that is damaged, and of which
// the ledger has never told. One worker does that at a time, for as long as it holds a lock:
// the slower of two would replace what the ledger tells of by then. adopt is asked again
// under the lock. One process replaces one log at a time, as each takes a connection.
func (a *Archiver) replaceDamaged(ctx context.Context, jobID int64, adopt func(context.Context) (archive.Log, error),
	replace func(ctx context.Context, guarded func(io.Reader) io.Reader) (archive.Log, error)) (archive.Log, error) {
	if !a.replacing.TryLock() {
		return archive.Log{}, errReplacing
	}
	defer a.replacing.Unlock()
	lock, held, err := a.DB.LockReplace(ctx, jobID)
	if err != nil {
		return archive.Log{}, err
	}
	if !held {
		return archive.Log{}, errReplacing
	}
	defer lock.Unlock()
	if log, err := adopt(ctx); !isDamaged(err) {
		return log, err
	}
	return replace(ctx, func(r io.Reader) io.Reader {
		return &guardedReader{r: r, confirm: func() error { return lock.Confirm(ctx) }}
	})
}

// isDamaged tells that an object in the place of a log is none.
func isDamaged(err error) bool {
	return errors.Is(err, bucket.ErrUnreadable) && !errors.Is(err, archive.ErrFilters)
}

// guardedReader fails at the end of a text, before that takes any place, if the lock is lost.
type guardedReader struct {
	r       io.Reader
	confirm func() error
}

func (g *guardedReader) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	if errors.Is(err, io.EOF) {
		if lost := g.confirm(); lost != nil {
			return n, lost
		}
	}
	return n, err
}
