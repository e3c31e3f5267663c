package ingest

import "sync"

// inFlight is the set of River's ids of the jobs that this process works on right now.
// The zero value is empty and ready; it may be used by several goroutines.
type inFlight struct{ ids sync.Map }

// add notes a job until the function that it returns is called.
func (r *inFlight) add(id int64) func() {
	r.ids.Store(id, nil)
	return func() { r.ids.Delete(id) }
}

func (r *inFlight) list() []int64 {
	ids := []int64{}
	r.ids.Range(func(id, _ any) bool {
		ids = append(ids, id.(int64))
		return true
	})
	return ids
}
