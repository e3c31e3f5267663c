package ingest_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/store"
)

// Repositories that are gone or not selected any more are swept no more: their
// age must not hide that of the others.
func TestSweepMetricsTellOfWhatIsSwept(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	registry := prometheus.NewRegistry()
	registry.MustRegister(ingest.NewBacklog(r.DB, time.Now, func(name string) bool { return name != "acme/deselected" }))
	gauges := func() map[string]float64 {
		families, err := registry.Gather()
		r.Check(err)
		got := make(map[string]float64)
		for _, f := range families {
			got[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
		}
		return got
	}
	if _, ok := gauges()["jobvault_sweep_age_seconds"]; ok {
		t.Error("an age before any sweep")
	}
	for i, name := range []string{"good", "older", "deselected", "gone"} {
		id := int64(i + 1)
		_, err := r.DB.SeeRepositories(t.Context(), []store.Repository{{ID: id, Owner: "acme", Name: name}})
		r.Check(err)
		r.Check(r.DB.SweepSucceeded(t.Context(), store.Sweep{RepositoryID: id}, time.Now().Add(-time.Duration(id)*time.Hour)))
	}
	r.Check(r.DB.SweepFailed(t.Context(), 4, "gone", time.Now()))
	got := gauges()
	if got["jobvault_sweeps_failing"] != 1 {
		t.Errorf("%v sweeps fail, want 1", got["jobvault_sweeps_failing"])
	}
	if age := got["jobvault_sweep_age_seconds"]; age < 2*3600 || age > 2*3600+600 {
		t.Errorf("the oldest sweep is %v s old, want two hours", age)
	}
}
