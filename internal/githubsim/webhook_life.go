package githubsim

import (
	"fmt"
	"time"
)

// Deliveries returns the life of a job as GitHub's webhooks report it, up to the job's
// status: queued, in_progress, completed, or only completed for a job that was skipped or
// that nothing ever ran; Job.Life overrules. Its repository must have been added, or
// there are none. GUIDs depend on the seed, the job and the place in its life.
func (s *Server) Deliveries(j Job) []Delivery {
	r, ok := s.world.repository(j.RepositoryID)
	if !ok {
		return nil
	}
	return s.deliveries(j, r, s.frameOf(r))
}

func (s *Server) deliveries(j Job, r Repository, f frame) []Delivery {
	var ds []Delivery
	life := s.lifeOf(j)
	for i, action := range life {
		told, at := s.told(j, life, i)
		d := Delivery{
			GUID:         s.guid(uint64(j.ID), uint64(i)),
			Event:        "workflow_job",
			Action:       action,
			JobID:        j.ID,
			RepositoryID: r.ID,
			At:           at,
			ContentType:  "application/json",
			Body:         f.payload(object{{"action", action}, {"workflow_job", s.jobObject(r, told)}}),
			gitea:        s.o.Gitea,
		}
		if d.gitea {
			d.Body = indented(d.Body)
		}
		if j.LogCutAt > 0 && action == "completed" && isLast(life, i) {
			d.sending = func() { s.CompleteLog(j.ID) }
		}
		ds = append(ds, d)
	}
	return ds
}

// lifeOf are the actions that the webhooks report of a job, in order.
func (s *Server) lifeOf(j Job) []string {
	if s.o.Gitea && j.Life == nil {
		return j.giteaLife()
	}
	return j.life()
}

// told is the job as the i-th action of its life tells it, and when.
func (s *Server) told(j Job, life []string, i int) (Job, time.Time) {
	if s.o.Gitea {
		return j.giteaTold(life, i)
	}
	return j.when(life, i)
}

// Ping is the event that GitHub sends when a hook is made. Gitea sends none.
func (s *Server) Ping(repositoryID int64) Delivery {
	r, _ := s.world.repository(repositoryID)
	return Delivery{
		GUID:         s.guid(uint64(repositoryID)),
		Event:        "ping",
		RepositoryID: repositoryID,
		At:           s.now(),
		ContentType:  "application/json",
		Body: s.frameOf(r).payload(object{
			{"zen", "Keep it logically awesome."},
			{"hook_id", hookID},
			{"hook", object{
				{"type", "Repository"},
				{"id", hookID},
				{"name", "web"},
				{"active", true},
				{"events", []string{"workflow_job"}},
				{"config", object{{"content_type", "json"}, {"insecure_ssl", "0"}, {"secret", "********"}}},
				{"updated_at", founded},
				{"created_at", founded},
			}},
		}),
	}
}

// frame is what every event of a repository has, as JSON. It is most of a payload
// and made once for all of them.
type frame []byte

func (s *Server) frameOf(r Repository) frame {
	if s.o.Gitea {
		return giteaFrameOf(r)
	}
	return frameOf(r)
}

func frameOf(r Repository) frame {
	o := object{
		{"repository", repositoryObject(r)},
		{"organization", organizationObject(r.Owner)},
		{"sender", accountObject("robin", "User")},
	}
	if r.InstallationID != 0 {
		o = append(o, member{"installation", object{
			{"id", r.InstallationID},
			{"node_id", nodeID("MDIzOk", r.InstallationID)},
		}})
	}
	return encode(o)
}

// payload puts an event's own members before those of the frame.
func (f frame) payload(o object) []byte {
	own := encode(o)
	b := append(make([]byte, 0, len(own)+len(f)-1), own...)
	b[len(b)-1] = ','
	return append(b, f[1:]...)
}

// life returns the actions that GitHub's webhooks report of the job, in order.
func (j Job) life() []string {
	if j.Life != nil {
		return j.Life
	}
	never := j.RunnerID == nil && len(j.Steps) == 0 && len(j.Labels) == 0
	switch {
	case j.Status == "completed" && (never || is(j.Conclusion, "skipped")):
		return []string{"completed"}
	case j.Status == "completed" && j.RunnerID == nil:
		return []string{"queued", "completed"}
	case j.Status == "completed":
		return []string{"queued", "in_progress", "completed"}
	case j.Status == "in_progress":
		return []string{"queued", "in_progress"}
	case j.Status == "waiting":
		return []string{"queued", "waiting"}
	}
	return []string{"queued"}
}

// when returns the job as it was at the i-th action of its life, and that time.
func (j Job) when(life []string, i int) (Job, time.Time) {
	switch life[i] {
	case "completed":
		// A job carried over into a new attempt ended before it was created.
		if j.CompletedAt != nil && j.CompletedAt.After(j.CreatedAt) {
			return j, *j.CompletedAt
		}
		return j, j.CreatedAt
	case "in_progress":
		return j.asStarted(), j.StartedAt
	}
	// Behind a deployment gate the first queued already has the status waiting.
	told := j.asQueued()
	if life[i] == "waiting" || i+1 < len(life) && life[i+1] == "waiting" {
		told.Status = "waiting"
	}
	at := j.CreatedAt
	if i > 0 {
		// Somewhere between creation and start; only the order counts.
		at = at.Add(j.StartedAt.Sub(j.CreatedAt) * time.Duration(i) / time.Duration(len(life)))
	}
	return told, at
}

func (j Job) asQueued() Job {
	j.Status, j.Conclusion, j.CompletedAt = "queued", nil, nil
	j.StartedAt, j.Steps = j.CreatedAt, nil
	j.RunnerID, j.RunnerName, j.RunnerGroupID, j.RunnerGroupName = nil, nil, nil, nil
	return j
}

// asStarted returns the job with its first step just begun.
func (j Job) asStarted() Job {
	j.Status, j.Conclusion, j.CompletedAt = "in_progress", nil, nil
	if len(j.Steps) > 0 {
		first := j.Steps[0]
		first.Status, first.Conclusion, first.CompletedAt = "in_progress", nil, nil
		j.Steps = []Step{first}
	}
	return j
}

// guid makes a UUID of the seed and what it identifies.
func (s *Server) guid(of ...uint64) string {
	b := s.mac("guid", of...)
	b[6] = b[6]&0x0f | 0x10 // version 1, as GitHub's
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func is(conclusion *string, want string) bool { return conclusion != nil && *conclusion == want }
