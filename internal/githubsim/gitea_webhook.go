package githubsim

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"time"
)

// giteaFrameOf is what every event of a Gitea's repository has.
func giteaFrameOf(r Repository) frame {
	return encode(object{
		{"organization", giteaOrganizationObject(r.Owner)},
		{"repository", giteaRepositoryObject(r)},
		{"sender", giteaUserObject("robin")},
	})
}

// indented is a payload as a Gitea sends it.
func indented(payload []byte) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, payload, "", "  "); err != nil {
		panic("githubsim: a payload that is not JSON: " + err.Error())
	}
	return b.Bytes()
}

// setGiteaHeaders are those that a Gitea sends with a delivery, GitHub's among them.
func (d Delivery) setGiteaHeaders(h http.Header, secret string) {
	h.Set("Content-Type", d.ContentType)
	h.Set("User-Agent", "Go-http-client/1.1")
	for _, prefix := range []string{"X-Gitea-", "X-Gogs-", "X-GitHub-"} {
		h.Set(prefix+"Delivery", d.GUID)
		h.Set(prefix+"Event", d.Event)
		h.Set(prefix+"Event-Type", d.Event)
	}
	h.Set("X-GitHub-Hook-Installation-Target-Type", "organization")
	if secret != "" {
		of := sign(sha256.New, secret, d.Body)
		h.Set("X-Gitea-Signature", of)
		h.Set("X-Gogs-Signature", of)
		h.Set("X-Hub-Signature", "sha1="+sign(sha1.New, secret, d.Body))
		h.Set("X-Hub-Signature-256", "sha256="+of)
	}
}

// giteaLife is what a Gitea's webhooks report of a job: an end at its cancellation, and once
// more when its runner has noticed.
func (j Job) giteaLife() []string {
	var life []string
	switch j.Status {
	case "waiting":
		return []string{"waiting"}
	case "in_progress":
		return []string{"queued", "in_progress"}
	case "completed":
		if j.RunnerID == nil {
			return []string{"waiting", "completed"}
		}
		life = []string{"queued", "in_progress", "completed"}
		if is(j.Conclusion, "cancelled") {
			life = append(life, "completed")
		}
		return life
	}
	return []string{"queued"}
}

// asToldByGitea is a job as it was at an action: nothing has begun that is not yet there.
func (j Job) asToldByGitea(action string) Job {
	switch action {
	case "completed":
		return j
	case "in_progress":
		j.Status, j.Conclusion, j.CompletedAt = action, nil, nil
		steps := make([]Step, len(j.Steps))
		for i, st := range j.Steps {
			steps[i] = Step{Number: st.Number, Name: st.Name, Status: "queued"}
		}
		j.Steps = steps
		return j
	}
	j = j.asQueued()
	j.Status, j.StartedAt = action, time.Time{}
	return j
}

// giteaPause is how long after the first `completed` a further one comes.
const giteaPause = 2 * time.Second

// giteaTold is what the i-th action of a life tells, and when.
func (j Job) giteaTold(life []string, i int) (Job, time.Time) {
	at := j.CreatedAt
	switch life[i] {
	case "in_progress":
		at = j.StartedAt
	case "completed":
		if j.CompletedAt != nil {
			at = *j.CompletedAt
		}
	}
	for _, before := range life[:i] {
		if before == "completed" {
			at = at.Add(giteaPause)
		}
	}
	return j.asToldByGitea(life[i]), at
}

// isLast tells whether an action does not come again in a life.
func isLast(life []string, i int) bool {
	for _, later := range life[i+1:] {
		if later == life[i] {
			return false
		}
	}
	return true
}
