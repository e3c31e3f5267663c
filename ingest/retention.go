package ingest

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

// Planned is what Plan sums up.
type Planned struct {
	Jobs        int64        `json:"jobs"` // whose logs would go
	RawBytes    int64        `json:"raw_bytes"`
	StoredBytes int64        `json:"stored_bytes"`
	Held        int64        `json:"held"`       // whose logs would go if no legal hold covered them
	Unfinished  []Unfinished `json:"unfinished"` // removals that were not finished, the first few
}

// mostUnfinished is how many unfinished removals a plan lists.
const mostUnfinished = 20

// Plan calls visit for each job whose log would go now, up to limit of them (0: all),
// also for those that a hold keeps. It changes nothing.
func (m *Remover) Plan(ctx context.Context, limit int, visit func(store.Ending) error) (Planned, error) {
	p := Planned{Unfinished: []Unfinished{}}
	left, err := m.DB.UnfinishedRemovals(ctx, 0, mostUnfinished)
	for _, r := range left {
		p.Unfinished = append(p.Unfinished, Unfinished{JobID: r.JobID, Hold: r.Hold})
	}
	if err != nil {
		return p, err
	}
	err = m.endings(ctx, func(batch []store.Ending) (bool, error) {
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

// endings goes through all jobs whose log goes, in batches, until visit says that it
// is enough.
func (m *Remover) endings(ctx context.Context, visit func([]store.Ending) (enough bool, err error)) error {
	at := m.at()
	for after := int64(0); ; {
		batch, last, err := m.DB.Endings(ctx, at, after, retentionBatch)
		if err != nil || last == 0 {
			return err
		}
		after = last
		if enough, err := visit(batch); err != nil || enough {
			return err
		}
	}
}

// Gone is a job whose log was removed by a rule.
type Gone struct {
	store.RetentionJob
	Rule store.RetentionRule `json:"rule"` // by which it was, in the end
}

// Applied sums up what Apply did.
type Applied struct {
	Jobs        int64 `json:"jobs"` // whose logs were removed
	RawBytes    int64 `json:"raw_bytes"`
	StoredBytes int64 `json:"stored_bytes"`
	Finished    int   `json:"finished"`   // removals of before that it finished
	Held        int64 `json:"held"`       // logs that a legal hold kept
	Unfinished  int   `json:"unfinished"` // removals of which the bucket has something still
}

// application is one run of Apply.
type application struct {
	*Remover
	actor  string
	limit  int64
	report func(Unfinished)
	gone   func(Gone, Applied)

	mu  sync.Mutex
	sum Applied
}

// Apply finishes what removals were stopped, and then removes the logs that rules end,
// up to limit of them (0: all), one by one. It calls report for each removal that stays
// unfinished and gone for each log that goes, one call at a time. It may be stopped,
// killed and repeated, also beside another. It fails only if Postgres or the bucket
// does not answer, or the bucket refuses.
func (m *Remover) Apply(ctx context.Context, actor string, limit int, report func(Unfinished), gone func(Gone, Applied)) (Applied, error) {
	a := &application{Remover: m, actor: actor, limit: int64(limit), report: report, gone: gone}
	var err error
	a.sum.Finished, err = m.FinishAll(ctx, a.unfinished)
	if err != nil {
		return a.sum, err
	}
	err = m.endings(ctx, func(batch []store.Ending) (bool, error) {
		for len(batch) > 0 && !a.enough() {
			// No more at once than may go.
			n := len(batch)
			if a.limit > 0 {
				n = min(n, int(a.limit-a.sum.Jobs))
			}
			if err := a.remove(ctx, batch[:n]); err != nil {
				return false, err
			}
			batch = batch[n:]
		}
		return a.enough(), nil
	})
	return a.sum, err
}

func (a *application) enough() bool { return a.limit > 0 && a.sum.Jobs >= a.limit }

func (a *application) unfinished(u Unfinished) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sum.Unfinished++
	a.report(u)
}

func (a *application) remove(ctx context.Context, batch []store.Ending) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(retentionParallel)
	for _, e := range batch {
		g.Go(func() error { return a.removeOne(gctx, e) })
	}
	return g.Wait()
}

func (a *application) removeOne(ctx context.Context, e store.Ending) error {
	rule, err := a.DB.RemoveByRule(ctx, e.JobID, a.actor, a.at())
	var held *store.HeldError
	if errors.As(err, &held) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.sum.Held++
		return nil
	}
	if err != nil || rule == nil {
		return err
	}
	left, err := a.finish(ctx, e.JobID)
	if err != nil {
		return err
	}
	if left != nil {
		a.unfinished(*left)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sum.Jobs++
	a.sum.RawBytes += e.RawBytes
	a.sum.StoredBytes += e.StoredBytes
	a.gone(Gone{e.RetentionJob, *rule}, a.sum)
	return nil
}
