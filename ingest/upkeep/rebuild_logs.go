package upkeep

import (
	"context"
	"errors"
	"path"
	"slices"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// archived is the settlement of a job that has a log: the longest of those that begin with
// each other. One that does not begin with the one before it is none, and a fault. So is
// one that is lost whose place a longer one took: what it was, a manifest may tell.
func (r *rebuilding) archived(ctx context.Context, f folder) (s store.Settlement, at time.Time, err error) {
	numbers := f.logs()
	log, stray, err := r.Archive.AdoptNumbered(ctx, f.key, numbers, func(key string) (time.Time, error) { return f.written(key), nil })
	if errors.Is(err, bucket.ErrUnreadable) && !errors.Is(err, archive.ErrFilters) {
		key := f.key.LogNumbered(numbers[0])
		if log.Key != "" {
			key = f.key.LogNumbered(numbers[slices.Index(numbers, archive.LogNumber(log.Key))+1])
		}
		return s, at, archive.Fault{Kind: archive.FaultUnreadable, JobID: f.key.JobID, Key: key, Detail: err.Error()}
	}
	if err != nil {
		return s, at, err
	}
	if stray != "" {
		r.fault(strayLog(f, stray))
	}
	for n := range archive.LogNumber(log.Key) {
		if key := f.key.LogNumbered(n + 1); !slices.Contains(numbers, n+1) {
			r.fault(archive.Fault{Kind: archive.FaultAbsent, JobID: f.key.JobID, Key: key, Detail: "it is lost; " + path.Base(log.Key) +
				", which took its place, is the job's log. What it was, a manifest may tell: then verify --repair makes it again"})
		}
	}
	at = f.written(log.Key)
	return record.SettlementOf(f.key.JobID, log, at), at, nil
}

// logs are the numbers of the logs in the folder, in their order.
func (f folder) logs() []int {
	var numbers []int
	for _, o := range f.objects {
		if _, name, _ := archive.ParseKey(o.Key); name == archive.LogName {
			numbers = append(numbers, archive.LogNumber(o.Key))
		}
	}
	slices.Sort(numbers)
	return numbers
}

// written is when an object of the folder was written, by the storage's clock.
func (f folder) written(key string) time.Time { return f.objects[path.Base(key)].ModTime }

func strayLog(f folder, key string) archive.Fault {
	return archive.Fault{Kind: archive.FaultShorter, JobID: f.key.JobID, Key: key, Detail: "it does not begin with the log before it, and is left alone"}
}

// before has the ledger hear what the bucket tells of a job that is settled in the database
// already, and the database does not know: of a removal, or of a longer log. It returns
// the state that is news; or that there is none.
func (r *rebuilding) before(ctx context.Context, f folder, l store.LedgerLine, steps int) (state string, before bool, err error) {
	if l.State != store.LogArchived && l.State != store.LogRemoved {
		return "", true, nil
	}
	newer, err := r.newer(ctx, f, steps)
	if newer || err != nil || l.State != store.LogArchived {
		return store.LogRemoved, !newer, err
	}
	longer, err := r.longer(ctx, f, l)
	return store.LogArchived, !longer, err
}

// forgotten has the ledger hear what the job's log was before, if it names a longer one and
// has no row of those whose place that took: the schema of a release that had none was in
// between. It returns the ledger's line as it is then.
func (r *rebuilding) forgotten(ctx context.Context, f folder, l store.LedgerLine) (store.LedgerLine, bool, error) {
	number := archive.LogNumber(*l.ObjectKey)
	if number <= len(l.Shorter)+1 {
		return l, false, nil
	}
	log, _, err := r.Archive.AdoptLogs(ctx, f.key, func(key string) (time.Time, error) { return f.written(key), nil })
	if err != nil && !isOfNoUse(err) {
		return l, false, err
	}
	logs := append(slices.Clone(log.Shorter), log.AsShorter(f.written(log.Key)))
	if len(logs) < number || logs[number-1].SHA256 != record.DigestOf(l.SHA256) {
		return l, false, archive.Fault{Kind: archive.FaultShorter, JobID: l.JobID, Key: *l.ObjectKey, Detail: "the bucket does not tell whose place it took"}
	}
	done, err := r.DB.RememberShorter(ctx, l.JobID, l.SHA256, record.ShorterRows(l.JobID, logs[:number-1]))
	if err != nil || !done {
		return l, false, err
	}
	rows, err := r.DB.LedgerOf(ctx, []int64{l.JobID})
	return rows[l.JobID], err == nil, err
}

// longer has the ledger hear of other logs than it knows: of shorter ones that it has
// forgotten, and of longer ones.
func (r *rebuilding) longer(ctx context.Context, f folder, l store.LedgerLine) (heard bool, err error) {
	if l, heard, err = r.forgotten(ctx, f, l); err != nil {
		return heard, err
	}
	for {
		next := f.key.LogNumbered(len(l.Shorter) + 2)
		if _, ok := f.objects[path.Base(next)]; !ok {
			return heard, nil
		}
		done, err := adoptLonger(ctx, r.DB, r.Archive, l, f.written(next))
		switch {
		case errors.Is(err, archive.ErrNotLonger):
			return heard, strayLog(f, next)
		case isOfNoUse(err):
			return heard, archive.Fault{Kind: archive.FaultUnreadable, JobID: f.key.JobID, Key: next, Detail: err.Error()}
		case err != nil || !done:
			return heard, err
		}
		heard = true
		rows, err := r.DB.LedgerOf(ctx, []int64{l.JobID})
		if err != nil {
			return heard, err
		}
		l = rows[l.JobID]
	}
}

// isOfNoUse tells an error that says that a log is lost, damaged or another one from one of
// a bucket or database that did not answer.
func isOfNoUse(err error) bool {
	return errors.Is(err, bucket.ErrNotFound) || errors.Is(err, bucket.ErrUnreadable) && !errors.Is(err, archive.ErrFilters) ||
		errors.Is(err, archive.ErrNotLonger) || errors.Is(err, archive.ErrDigestMismatch)
}
