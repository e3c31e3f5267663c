package archive

import "fmt"

// JobKey names a job in the bucket. Ids only: names change and hold anything.
type JobKey struct {
	RepositoryID int64
	RunID        int64
	RunAttempt   int64 // 1 where GitHub did not say
	JobID        int64
}

func (k JobKey) object(name string) string {
	return fmt.Sprintf("v1/%d/%d/%d/%d/%s", k.RepositoryID, k.RunID, k.RunAttempt, k.JobID, name)
}

// Details is the key of the job as the REST API sent it.
func (k JobKey) Details() string { return k.object("job.json") }

// Log is the key of the log.
func (k JobKey) Log() string { return k.object("log.zst") }

// Settled is the key of the record of why there is no log.
func (k JobKey) Settled() string { return k.object("settled.json") }
