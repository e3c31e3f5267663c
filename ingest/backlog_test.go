package ingest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// Of a limit that has begun anew since GitHub was last asked, all is left; one of which
// nothing is known is not told of.
func TestLimitMetricsTellWhatIsLeftNow(t *testing.T) {
	r := newRig(t, ingesttest.Options{})
	now := time.Date(2024, 7, 8, 12, 0, 0, 0, time.UTC)
	for _, l := range []store.RateLimit{
		{InstallationID: 1, RequestLimit: 5000, Remaining: 17, ResetAt: now.Add(time.Minute)},
		{InstallationID: 2, RequestLimit: 5000, Remaining: 17, ResetAt: now},
		{InstallationID: 3, Remaining: 17, ResetAt: now.Add(time.Minute)},
	} {
		_, err := r.DB.SaveRateLimit(t.Context(), l)
		r.Check(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(ingest.NewBacklog(r.DB, func() time.Time { return now }, func(string) bool { return true }))
	families, err := registry.Gather()
	r.Check(err)
	left := make(map[string]float64)
	for _, f := range families {
		if f.GetName() != "jobvault_rate_limit_remaining" {
			continue
		}
		for _, m := range f.GetMetric() {
			left[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	if diff := cmp.Diff(map[string]float64{"1": 17, "2": 5000}, left); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A metric that cannot be collected is named in the scrape's error and is missing, rather
// than 0; those that were collected before it are there.
func TestMetricsThatCannotBeCollectedAreMissing(t *testing.T) {
	for table, c := range map[string]struct{ missing, there string }{
		"deliveries":   {"jobvault_deliveries_waiting", ""},
		"sweeps":       {"jobvault_sweeps_failing", "jobvault_deliveries_waiting"},
		"manifests":    {"jobvault_manifest_age_seconds", "jobvault_sweeps_failing"},
		"log_removals": {"jobvault_unfinished_removals", "jobvault_sweeps_failing"},
		"rate_limits":  {"jobvault_rate_limit_remaining", "jobvault_unfinished_removals"},
	} {
		t.Run(table, func(t *testing.T) {
			r := newRig(t, ingesttest.Options{})
			_, err := r.DB.Pool().Exec(t.Context(), `ALTER TABLE `+table+` RENAME TO elsewhere`)
			r.Check(err)
			registry := prometheus.NewRegistry()
			registry.MustRegister(ingest.NewBacklog(r.DB, time.Now, func(string) bool { return true }))
			families, err := registry.Gather()
			if err == nil || !strings.Contains(err.Error(), c.missing) {
				t.Errorf("the scrape's error is %v, want one that names %s", err, c.missing)
			}
			names := make(map[string]bool)
			for _, f := range families {
				names[f.GetName()] = true
			}
			if names[c.missing] || c.there != "" && !names[c.there] {
				t.Errorf("collected are %v, want %q and not %s", names, c.there, c.missing)
			}
		})
	}
}
