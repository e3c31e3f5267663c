package upkeep

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/store"
)

const (
	retentionBatch    = 500
	retentionParallel = 8
)

// PlanResult sums up what Plan visited.
type PlanResult struct {
	Jobs        int64        `json:"jobs"` // whose logs would go
	RawBytes    int64        `json:"raw_bytes"`
	StoredBytes int64        `json:"stored_bytes"`
	Held        int64        `json:"held"`       // whose logs would go if no legal hold covered them
	Unfinished  []Unfinished `json:"unfinished"` // removals that were not finished, the first few
}

// maxUnfinished bounds the unfinished removals that a plan lists.
const maxUnfinished = 20

// Plan calls visit for each job whose log would go now, up to limit of them (0: all),
// also for those that a hold keeps. It changes nothing.
func (m *Remover) Plan(ctx context.Context, limit int, visit func(store.ExpiringLog) error) (PlanResult, error) {
	p := PlanResult{}
	var err error
	if p.Unfinished, err = FirstUnfinished(ctx, m.DB); err != nil {
		return p, err
	}
	err = m.expiring(ctx, func(batch []store.ExpiringLog) (bool, error) {
		for _, e := range batch {
			if limit > 0 && p.Jobs == int64(limit) {
				return true, nil
			}
			if e.Hold != nil {
				p.Held++
			} else {
				p.Jobs++
				p.RawBytes += e.RawBytes
				p.StoredBytes += e.StoredBytes
			}
			if err := visit(e); err != nil {
				return false, err
			}
		}
		return false, nil
	})
	return p, err
}

// unfinishedOf is what the ledger says of a removal that is not finished.
func unfinishedOf(r store.UnfinishedRemoval) Unfinished {
	u := Unfinished{JobID: r.JobID, Hold: r.Hold}
	if r.Error != nil {
		u.Error = *r.Error
	}
	return u
}

// FirstUnfinished lists the first few removals that are not finished, and why, as far
// as it was tried.
func FirstUnfinished(ctx context.Context, db *store.DB) ([]Unfinished, error) {
	left, err := db.UnfinishedRemovals(ctx, 0, maxUnfinished)
	if err != nil {
		return nil, err
	}
	named := make([]Unfinished, len(left))
	for i, r := range left {
		named[i] = unfinishedOf(r)
	}
	return named, nil
}

// expiring goes through all jobs whose log goes, in batches, until visit says that it
// is enough.
func (m *Remover) expiring(ctx context.Context, visit func([]store.ExpiringLog) (enough bool, err error)) error {
	at := m.at()
	for after := int64(0); ; {
		batch, last, err := m.DB.ExpiringLogs(ctx, at, after, retentionBatch)
		if err != nil || last == 0 {
			return err
		}
		after = last
		if enough, err := visit(batch); err != nil || enough {
			return err
		}
	}
}

// RemovedLog is a job whose log was removed by a rule.
type RemovedLog struct {
	store.RetentionJob
	Rule store.RetentionRule `json:"rule"` // by which it was, in the end
}

// ApplyResult sums up what Apply did.
type ApplyResult struct {
	Jobs        int64 `json:"jobs"` // whose logs were removed
	RawBytes    int64 `json:"raw_bytes"`
	StoredBytes int64 `json:"stored_bytes"`
	Finished    int   `json:"finished"`   // removals of before that it finished
	Held        int64 `json:"held"`       // logs that a legal hold kept
	Unfinished  int   `json:"unfinished"` // removals of which the bucket has something still
	Undecided   int   `json:"undecided"`  // logs that rules end and that the ledger could not call removed
	Renamed     int64 `json:"renamed"`    // logs left because their repository was renamed since they were planned
}

// application is one run of Apply.
type application struct {
	*Remover
	actor      string
	limit      int64
	unfinished func(Unfinished) // once for each job, whatever is tried again
	gone       func(RemovedLog, ApplyResult)

	mu  sync.Mutex
	sum ApplyResult
}

// Apply finishes what removals were stopped, and then removes the logs that rules end,
// up to limit of them (0: all). It calls report for each removal that stays unfinished,
// and for each log that could not be removed, and gone for each log that goes, one call
// at a time; then it goes on. It may be stopped, killed and repeated, also beside
// another. It fails only if Postgres or the bucket is away, the clock is wrong, or the log
// of removals cannot be written: before that nothing goes. The logs of a repository that is called
// otherwise than when it was planned, or listed, are left, as rules may mean other logs
// by that name: Remover.Renamed is told, and the next plan shows what goes by it.
func (m *Remover) Apply(ctx context.Context, actor string, limit int, report func(Unfinished), gone func(RemovedLog, ApplyResult)) (ApplyResult, error) {
	a := &application{Remover: m, actor: actor, limit: int64(limit), gone: gone}
	a.unfinished = once(func(u Unfinished) {
		a.mu.Lock() // gone is called with it too
		defer a.mu.Unlock()
		a.count(u)
		report(u)
	})
	finished, err := m.FinishAll(ctx, a.unfinished)
	a.sum.Finished = finished
	if err != nil {
		return a.sum, err
	}
	size := firstBatch
	err = m.expiring(ctx, func(batch []store.ExpiringLog) (bool, error) {
		for len(batch) > 0 && !a.enough() {
			// No more at once than may go.
			n := min(len(batch), size)
			if a.limit > 0 {
				n = min(n, int(a.limit-a.sum.Jobs))
			}
			if err := a.remove(ctx, batch[:n]); err != nil {
				return false, err
			}
			batch, size = batch[n:], min(2*size, logBatch)
		}
		return a.enough(), nil
	})
	return a.sum, err
}

// firstBatch is how many logs are removed together at first, so that something is seen
// to go soon; then twice as many each time, up to what a record of the log of removals
// takes.
const firstBatch = 16

func (a *application) enough() bool { return a.limit > 0 && a.sum.Jobs >= a.limit }

func (a *application) count(u Unfinished) {
	if u.Undecided {
		a.sum.Undecided++
	} else {
		a.sum.Unfinished++
	}
}

// remove decides of logs that they go, has the log of removals tell of them together,
// and has them go.
func (a *application) remove(ctx context.Context, batch []store.ExpiringLog) error {
	decided := make([]*RemovedLog, len(batch))
	if err := a.each(ctx, len(batch), func(ctx context.Context, i int) (err error) {
		decided[i], err = a.decide(ctx, batch[i])
		return err
	}); err != nil {
		return err
	}
	if err := a.log().Append(ctx, a.unfinished); err != nil {
		return err
	}
	return a.each(ctx, len(decided), func(ctx context.Context, i int) error {
		if decided[i] == nil {
			return nil
		}
		return a.finishOne(ctx, *decided[i])
	})
}

// each calls f for 0 to n-1, several at a time, until one fails.
func (a *application) each(ctx context.Context, n int, f func(context.Context, int) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(retentionParallel)
	for i := range n {
		g.Go(func() error { return f(gctx, i) })
	}
	return g.Wait()
}

// decide has the ledger call a log removed; nil: it does not go.
func (a *application) decide(ctx context.Context, e store.ExpiringLog) (*RemovedLog, error) {
	rule, err := a.DB.RemoveByRule(ctx, e.RetentionJob, a.actor, a.at())
	var renamed *store.RenamedError
	var held *store.HeldError
	switch {
	case errors.As(err, &held):
		a.mu.Lock()
		defer a.mu.Unlock()
		a.sum.Held++
		return nil, nil
	case errors.As(err, &renamed):
		a.mu.Lock()
		defer a.mu.Unlock()
		a.sum.Renamed++
		if a.Renamed != nil {
			a.Renamed(renamed)
		}
		return nil, nil
	case err != nil:
		if err := a.away(ctx, err); err != nil {
			return nil, err
		}
		a.unfinished(Unfinished{JobID: e.JobID, Undecided: true, Error: err.Error()})
		return nil, nil
	case rule == nil:
		return nil, nil
	}
	return &RemovedLog{e.RetentionJob, *rule}, nil
}

func (a *application) finishOne(ctx context.Context, g RemovedLog) error {
	_, left, err := a.finish(ctx, g.JobID)
	if err != nil {
		return err
	}
	if left != nil {
		a.unfinished(*left)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sum.Jobs++
	a.sum.RawBytes += g.RawBytes
	a.sum.StoredBytes += g.StoredBytes
	a.gone(g, a.sum)
	return nil
}
