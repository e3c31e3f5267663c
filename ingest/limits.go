package ingest

import (
	"context"
	"sync"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// SharedLimits are GitHub's limits as all replicas on one database know them.
//
// A process remembers what it wrote last, and writes on condition that it is
// still there: alone it takes one statement for a request, and with others a few.
type SharedLimits struct {
	db *store.DB

	mu       sync.Mutex
	accounts map[int64]*account
}

// account is one installation's limit. The lock lets one request of this process
// at a time be counted; they would only get in each other's way.
type account struct {
	mu   sync.Mutex
	last store.RateLimit
	read bool
}

// NewSharedLimits keeps the limits in the database.
func NewSharedLimits(db *store.DB) *SharedLimits {
	return &SharedLimits{db: db, accounts: make(map[int64]*account)}
}

// Update implements ghapi.Limits.
func (l *SharedLimits) Update(ctx context.Context, installation int64, f func(*ghapi.Window)) error {
	l.mu.Lock()
	a, ok := l.accounts[installation]
	if !ok {
		a = &account{}
		l.accounts[installation] = a
	}
	l.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		fresh := !a.read
		if fresh {
			var err error
			if a.last, err = l.db.RateLimit(ctx, installation); err != nil {
				return err
			}
			a.read = true
		}
		w := windowOf(a.last)
		f(&w)
		next := rateLimitOf(w, a.last)
		if next == a.last {
			if fresh {
				return nil
			}
			// What says no may be out of date.
			a.read = false
			continue
		}
		saved, err := l.db.SaveRateLimit(ctx, next)
		if err != nil {
			a.read = false
			return err
		}
		if saved {
			next.Version++
			a.last = next
			return nil
		}
		a.read = false
	}
}

func windowOf(r store.RateLimit) ghapi.Window {
	return ghapi.Window{
		Limit: r.RequestLimit, Remaining: r.Remaining, Reset: r.ResetAt, Guessed: r.Guessed, Closed: r.ClosedUntil, Spent: r.Spent, Answered: r.Answered,
		Minute: r.MinuteAt, Points: r.MinutePoints,
	}
}

func rateLimitOf(w ghapi.Window, was store.RateLimit) store.RateLimit {
	return store.RateLimit{
		InstallationID: was.InstallationID, RequestLimit: w.Limit, Remaining: w.Remaining, ResetAt: w.Reset, Guessed: w.Guessed,
		ClosedUntil: w.Closed, Spent: w.Spent, Answered: w.Answered, MinuteAt: w.Minute, MinutePoints: w.Points, Version: was.Version,
	}
}
