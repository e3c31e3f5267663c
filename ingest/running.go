package ingest

import "sync"

// running knows River's ids of the jobs that this process works on right now.
type running struct{ ids sync.Map }

// add notes a job until the function that it returns is called.
func (r *running) add(id int64) func() {
	r.ids.Store(id, nil)
	return func() { r.ids.Delete(id) }
}

func (r *running) list() []int64 {
	ids := []int64{}
	r.ids.Range(func(id, _ any) bool {
		ids = append(ids, id.(int64))
		return true
	})
	return ids
}
