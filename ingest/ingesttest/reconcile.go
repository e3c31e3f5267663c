package ingesttest

import (
	"testing"
	"time"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// Reconcile does one round and wants no error.
func (r *Rig) Reconcile(hooks ...ghapi.Hook) ingest.ReconcileResult {
	r.T.Helper()
	done, err := r.Sweeper().Reconcile(r.T.Context(), hooks)
	r.Check(err)
	return done
}

// Recent is a history of the last days.
func Recent(jobs, runs int) githubsim.History {
	now := time.Now()
	return githubsim.History{Seed: 4, Jobs: jobs, Runs: runs, Begin: now.Add(-60 * time.Hour), End: now.Add(-30 * time.Minute)}
}

// HookOf is where the simulator's deliveries can be listed.
func HookOf(t testing.TB, day githubsim.Day) ghapi.Hook {
	t.Helper()
	h, err := ghapi.ParseHook(day.Repositories[0].Owner + "/421337")
	if err != nil {
		t.Fatal(err)
	}
	return h
}
