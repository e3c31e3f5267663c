package ingesttest

import (
	"bytes"
	"fmt"
	"io"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// Object is the key of a job's object: of log.zst, job.json or settled.json.
func (r *Rig) Object(id int64, name string) string {
	r.T.Helper()
	lines, err := r.DB.LedgerOf(r.T.Context(), []int64{id})
	r.Check(err)
	k := KeyOf(lines[id])
	return map[string]string{"log.zst": k.Log(), "job.json": k.Details(), "settled.json": k.Settled()}[name]
}

// Get reads an object.
func (r *Rig) Get(key string) []byte {
	r.T.Helper()
	body, err := r.Archive.Bucket().Get(r.T.Context(), key, 0, -1)
	r.Check(err)
	defer body.Close()
	b, err := io.ReadAll(body)
	r.Check(err)
	return b
}

// Overwrite does what no part of jobvault can.
func (r *Rig) Overwrite(key string, content []byte) {
	r.T.Helper()
	r.Check(r.Archive.Bucket().Remove(r.T.Context(), key))
	_, err := r.Archive.Bucket().Put(r.T.Context(), key, bytes.NewReader(content))
	r.Check(err)
}

// Exec executes SQL.
func (r *Rig) Exec(sql string, args ...any) {
	r.T.Helper()
	_, err := r.Pool.Exec(r.T.Context(), sql, args...)
	r.Check(err)
}

// Archived archives a small job, now.
func (r *Rig) Archived(id int64) {
	r.T.Helper()
	r.Know(Completed(id, r.Now(), githubsim.TextLog(fmt.Appendf(nil, "the log of %d\n", id))))
	if says, _ := r.Try(id); says != "done" {
		r.T.Fatalf("job %d: %s", id, says)
	}
}
