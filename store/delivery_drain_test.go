package store_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/jobvault/jobvault/store"
)

// drainOnce works on one batch and wants no error.
func (f *fixture) drainOnce(limit int, understand func([]store.Delivery) store.Interpretation) []store.Verdict {
	f.t.Helper()
	verdicts, err := f.db.DrainDeliveries(f.t.Context(), limit, understand)
	f.check(err)
	return verdicts
}

func verdictGUIDs(vs []store.Verdict) []uuid.UUID {
	var out []uuid.UUID
	for _, v := range vs {
		out = append(out, v.GUID)
	}
	return out
}

// anyOrder compares GUIDs without regard to their order.
var anyOrder = cmpopts.SortSlices(func(a, b uuid.UUID) bool { return a.String() < b.String() })

func TestDrainTakesTheOldestUpToItsLimit(t *testing.T) {
	f := newFixture(t)
	var ds []store.Delivery
	for i := range 5 {
		ds = append(ds, deliveryOf(factsOf(int64(9-i), "queued")))
	}
	f.insert(ds...)
	all := guids(ds)
	for _, c := range []struct {
		limit int
		want  []uuid.UUID
		left  []uuid.UUID
	}{
		{0, nil, all}, {2, all[:2], all[2:]}, {10, all[2:], nil}, {10, nil, nil},
	} {
		got := f.drainOnce(c.limit, func(ds []store.Delivery) store.Interpretation {
			if len(ds) == 0 {
				t.Error("asked to understand nothing")
			}
			return believeLast(ds)
		})
		if diff := cmp.Diff(c.want, verdictGUIDs(got), anyOrder); diff != "" {
			t.Errorf("limit %d, taken (-want +got):\n%s", c.limit, diff)
		}
		if diff := cmp.Diff(c.left, f.waiting(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("limit %d, left (-want +got):\n%s", c.limit, diff)
		}
	}
}

func TestDrainHandsOverAllOfItsJobsAndOfNoOther(t *testing.T) {
	f := newFixture(t)
	job1 := func() store.Delivery { return deliveryOf(factsOf(1, "queued")) }
	done, pruned, quarantined, waiting, later := job1(), job1(), job1(), job1(), job1()
	done.State, pruned.State, quarantined.State = store.DeliveryDone, store.DeliveryDone, store.DeliveryQuarantined
	pruned.Payload = nil
	other, otherDone := deliveryOf(factsOf(2, "queued")), deliveryOf(factsOf(2, "queued"))
	otherDone.State = store.DeliveryDone
	nameless := store.Delivery{GUID: uuid.New(), Event: "workflow_job", State: store.DeliveryQuarantined, Payload: []byte("{}")}
	f.insert(otherDone, done, nameless, pruned, quarantined, waiting, other, later)
	var handed []store.Delivery
	verdicts := f.drainOnce(1, func(ds []store.Delivery) store.Interpretation {
		handed = append(handed, ds...)
		return believeLast(ds)
	})
	// What came later is handed over too, as it is of the job, and goes on waiting.
	want := []store.Delivery{done, waiting, later}
	if diff := cmp.Diff(want, handed, cmpopts.IgnoreFields(store.Delivery{}, "ReceivedAt")); diff != "" {
		t.Errorf("handed over (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]store.Verdict{{GUID: waiting.GUID}}, verdicts); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(guids([]store.Delivery{other, later}), f.waiting()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestDrainReadsTheNewest200OfAJob(t *testing.T) {
	f := newFixture(t)
	var ds []store.Delivery
	for range 250 {
		d := deliveryOf(factsOf(1, "queued"))
		d.State = store.DeliveryDone
		ds = append(ds, d)
	}
	ds[249].State = store.DeliveryReceived
	f.insert(ds...)
	beside := deliveryOf(factsOf(2, "queued"))
	f.insert(beside)
	var handed []store.Delivery
	f.drainOnce(10, func(ds []store.Delivery) store.Interpretation {
		handed = append(handed, ds...)
		return believeLast(ds)
	})
	if diff := cmp.Diff(append(guids(ds[50:]), beside.GUID), guids(handed)); diff != "" {
		t.Errorf("handed over (-want +got):\n%s", diff)
	}
}

// A drain holds one job's deliveries, and takes no further job when it has read much:
// what it leaves waits as before.
func TestDrainIsBoundedInBytes(t *testing.T) {
	f := newFixture(t)
	var ds []store.Delivery
	for i := range int64(3) {
		ds = append(ds, deliveryOf(factsOf(i+1, "queued")), deliveryOf(factsOf(i+1, "completed")))
	}
	f.insert(ds...)
	for left := 4; left >= 0; left -= 2 {
		verdicts := f.drainOnce(10, func(ds []store.Delivery) store.Interpretation {
			if len(ds) != 2 || *ds[0].JobID != *ds[1].JobID {
				t.Errorf("handed over %d deliveries, not of one job", len(ds))
			}
			u := believeLast(ds)
			u.Read = 1 << 40
			return u
		})
		if len(verdicts) != 2 || len(f.waiting()) != left {
			t.Fatalf("%d taken and %d left, want 2 and %d", len(verdicts), len(f.waiting()), left)
		}
	}
	if f.job(3).Status != "completed" {
		t.Error("the last job was not heard")
	}
}

// Of a job with payloads of many bytes the newest are read, and at least one.
func TestDrainReadsSoManyBytesOfAJob(t *testing.T) {
	f := newFixture(t)
	var ds []store.Delivery
	for range 3 {
		d := deliveryOf(factsOf(1, "queued"))
		d.Payload = make([]byte, 24<<20)
		ds = append(ds, d)
	}
	f.insert(ds[0], ds[1])
	f.insert(ds[2])
	var handed []uuid.UUID
	verdicts := f.drainOnce(10, func(ds []store.Delivery) store.Interpretation {
		handed = append(handed, guids(ds)...)
		return store.Interpretation{}
	})
	if len(handed) != 2 || handed[1] != ds[2].GUID || len(verdicts) != 3 || len(f.waiting()) != 0 {
		t.Errorf("handed over %v, verdicts %v, left %v", handed, verdicts, f.waiting())
	}
}

func TestDrainEndsHoweverManyDeliveriesAJobHas(t *testing.T) {
	f := newFixture(t)
	for range 5 {
		var ds []store.Delivery
		for range 100 {
			ds = append(ds, deliveryOf(factsOf(1, "queued")))
		}
		f.insert(ds...)
	}
	f.insert(deliveryOf(factsOf(2, "queued")))
	for range 10 {
		f.drainOnce(200, believeLast)
	}
	if n := len(f.waiting()); n != 0 {
		t.Errorf("%d deliveries wait after 10 rounds", n)
	}
	if f.job(2).Status != "queued" {
		t.Error("the other job was not heard")
	}
}

func TestVerdictsMarkTheDeliveries(t *testing.T) {
	f := newFixture(t)
	good, bad, foreign := deliveryOf(factsOf(1, "queued")), deliveryOf(factsOf(1, "queued")), deliveryOf(factsOf(2, "queued"))
	f.insert(good, bad, foreign)
	verdicts := f.drainOnce(2, func([]store.Delivery) store.Interpretation {
		return store.Interpretation{Verdicts: []store.Verdict{
			{GUID: bad.GUID, Error: "it's no job"}, {GUID: foreign.GUID, Error: "not taken"}, {GUID: good.GUID}, {GUID: uuid.New()},
		}}
	})
	if diff := cmp.Diff([]store.Verdict{{GUID: bad.GUID, Error: "it's no job"}, {GUID: good.GUID}}, verdicts); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	got := column[string](f, `SELECT format('%s %s', state, error) FROM deliveries ORDER BY received_at`)
	if diff := cmp.Diff([]string{"done ", "quarantined it's no job", "received "}, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	f.drainOnce(2, func(ds []store.Delivery) store.Interpretation {
		for _, d := range ds {
			if d.GUID == bad.GUID {
				t.Error("what is quarantined was handed over again")
			}
		}
		return believeLast(ds)
	})
}

func TestQuarantineDeliveryTouchesOnlyWhatWaits(t *testing.T) {
	f := newFixture(t)
	done, waits, other := deliveryOf(factsOf(1, "queued")), deliveryOf(factsOf(2, "queued")), deliveryOf(factsOf(3, "queued"))
	done.State = store.DeliveryDone
	f.insert(done, waits, other)
	for _, guid := range []uuid.UUID{done.GUID, waits.GUID, waits.GUID, uuid.New()} {
		f.check(f.db.QuarantineDelivery(t.Context(), store.Verdict{GUID: guid, Error: "refused by Postgres"}))
	}
	got := column[string](f, `SELECT format('%s %s', state, error) FROM deliveries ORDER BY received_at`)
	if diff := cmp.Diff([]string{"done ", "quarantined refused by Postgres", "received "}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// everything is all rows of ours, for comparing.
func (f *fixture) everything() []string {
	f.t.Helper()
	var all []string
	for _, table := range []string{
		"repositories", "workflow_runs", "jobs", "steps", "labels", "job_labels", "deliveries", "job_logs", "queue.river_job",
	} {
		all = append(all, column[string](f, fmt.Sprintf(`SELECT '%s ' || x::text FROM %s x ORDER BY 1`, table, table))...)
	}
	return all
}

func TestAFailedBatchLeavesEverythingAsItWas(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(1, "queued"))
	first, second := deliveryOf(factsOf(1, "completed")), deliveryOf(factsOf(3, "completed"))
	f.insert(first, second)
	before := f.everything()
	for name, spoil := range map[string]func(*store.Facts){
		"a NUL in the name":  func(f *store.Facts) { f.Job.Name = "a\x00b" },
		"an unknown run":     func(f *store.Facts) { f.Job.RunID = 99 },
		"a step twice":       func(f *store.Facts) { f.Steps = append(steps(f.Job.ID, "x"), steps(f.Job.ID, "x")...) },
		"a NUL in a label":   func(f *store.Facts) { f.Labels = []string{"linux", "\x00"} },
		"a time beyond 9999": func(f *store.Facts) { f.Job.CreatedAt = new(day.AddDate(9000, 0, 0)) },
	} {
		verdicts, err := f.db.DrainDeliveries(t.Context(), 10, func(ds []store.Delivery) store.Interpretation {
			u := believeLast(ds)
			for i := range u.Facts {
				if u.Facts[i].Job.ID == 3 {
					spoil(&u.Facts[i])
				}
			}
			u.Verdicts[0].Error = "to be forgotten"
			return u
		})
		if err == nil {
			t.Fatalf("%s was taken", name)
		}
		if diff := cmp.Diff([]store.Verdict{{GUID: first.GUID}, {GUID: second.GUID}}, verdicts); diff != "" {
			t.Errorf("%s: the verdicts are not empty but for the GUIDs:\n%s", name, diff)
		}
		if diff := cmp.Diff(before, f.everything()); diff != "" {
			t.Errorf("%s: changed:\n%s", name, diff)
		}
	}
	f.drain()
	if f.job(1).Status != "completed" || f.job(3).Status != "completed" {
		t.Error("they cannot be worked on any more")
	}
}
