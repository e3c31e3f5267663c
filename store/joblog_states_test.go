package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/store"
)

// mayBecome is the table in docs/design.md#the-ledger, except for the way from
// archived to removed: that must keep the digest, and is not Settle's.
var mayBecome = map[string][]string{
	store.LogPending:  allStates,
	store.LogArchived: nil,
	store.LogNone:     nil,
	store.LogExpired:  {store.LogArchived},
	store.LogMissing:  {store.LogArchived},
	store.LogDenied:   allStates,
	store.LogRemoved:  nil,
}

var allStates = []string{
	store.LogPending, store.LogArchived, store.LogNone, store.LogExpired, store.LogMissing, store.LogDenied, store.LogRemoved,
}

func may(from, to string) bool { return slices.Contains(mayBecome[from], to) }

func TestSettleKeepsToTheTableOfStates(t *testing.T) {
	f := newFixture(t)
	var id int64
	for _, from := range allStates {
		for _, to := range allStates {
			id++
			f.fetch(withSteps(id, "completed", steps(id, "build")...))
			f.settle(settledAs(id, from))
			before := f.log(id)
			s := settledAs(id, to)
			s.Reason = "the second"
			changed, err := f.db.Settle(t.Context(), s, day.Add(time.Hour))
			f.check(err)
			after := f.log(id)
			if changed != may(from, to) {
				t.Errorf("from %s to %s: changed is %v", from, to, changed)
			}
			if !changed {
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("from %s to %s, which may not be, changed:\n%s", from, to, diff)
				}
				continue
			}
			if after.State != to || *after.Reason != "the second" || after.Attempts != before.Attempts+1 {
				t.Errorf("from %s to %s: %+v", from, to, after)
			}
			if open := to == store.LogPending || to == store.LogDenied; open != (after.SettledAt == nil) {
				t.Errorf("from %s to %s: settled at %v", from, to, after.SettledAt)
			}
		}
	}
}

func TestASettlementThatIsRefusedLeavesTheSteps(t *testing.T) {
	f := newFixture(t)
	f.fetch(withSteps(3, "completed", steps(3, "build")...))
	f.settle(archivedAs(3, store.StepLines{Number: 1, First: 1, Last: 9}))
	changed, err := f.db.Settle(t.Context(), archivedAs(3, store.StepLines{Number: 1, First: 2, Last: 2}), day)
	f.check(err)
	if s := f.steps(3)[0]; changed || *s.LogFirstLine != 1 || *s.LogLastLine != 9 {
		t.Errorf("changed is %v, the step is at %d-%d", changed, *s.LogFirstLine, *s.LogLastLine)
	}
}

// Whatever workers believe, in any order: the ledger goes only where the table
// lets it, and what is archived stays as it is.
func TestLedgerNeverLeavesTheTable(t *testing.T) {
	f := newFixture(t)
	var id int64
	rapid.Check(t, func(rt *rapid.T) {
		id++
		f.completed(id)
		state, attempts := store.LogPending, 0
		for range rapid.IntRange(1, 8).Draw(rt, "settlements") {
			before := f.log(id)
			if rapid.IntRange(0, 3).Draw(rt, "kind") == 0 {
				f.check(f.db.NoteAttempt(t.Context(), store.Attempt{JobID: id, Asked: true, Status: 404, Reason: "not yet"}))
				if state == store.LogPending || state == store.LogDenied {
					state = store.LogPending
					attempts++
				}
			} else {
				s := settledAs(id, rapid.SampledFrom(allStates).Draw(rt, "state"))
				s.Asked = rapid.Bool().Draw(rt, "asked")
				changed, err := f.db.Settle(t.Context(), s, day)
				f.check(err)
				if changed != may(state, s.State) {
					rt.Errorf("from %s to %s: changed is %v", state, s.State, changed)
				}
				if changed {
					state = s.State
					if s.Asked {
						attempts++
					}
				}
			}
			after := f.log(id)
			if after.State != state || after.Attempts != attempts {
				rt.Errorf("%s after %d attempts, want %s after %d", after.State, after.Attempts, state, attempts)
			}
			if before.State == store.LogArchived && !cmp.Equal(before, after) {
				rt.Errorf("an archived log changed:\n%s", cmp.Diff(before, after))
			}
		}
	})
}
