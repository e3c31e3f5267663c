package githubsim

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// Payloads name hosts that cannot exist (RFC 2606), so that bodies do not
// depend on the port and nothing that follows a link leaves the machine.
const (
	webHost = "https://github.example"
	apiHost = "https://api.github.example"
)

// jobObject is the job as both the API and the webhooks of the server tell it.
func (s *Server) jobObject(r Repository, j Job) object {
	if s.o.Gitea {
		return giteaJobObject(r, j)
	}
	return jobObject(r, j)
}

// jobObject is the job as both the API and the webhooks of GitHub tell it, with its
// 23 fields in the order of its schema.
func jobObject(r Repository, j Job) object {
	var (
		api = fmt.Sprintf("%s/repos/%s/%s", apiHost, r.Owner, r.Name)
		web = fmt.Sprintf("%s/%s/%s", webHost, r.Owner, r.Name)
	)
	o := object{
		{"id", j.ID},
		{"run_id", j.RunID},
		{"run_url", fmt.Sprintf("%s/actions/runs/%d", api, j.RunID)},
		{"run_attempt", j.RunAttempt},
		{"node_id", nodeID("CR", r.ID, j.ID)},
		{"head_sha", j.HeadSHA},
		{"url", fmt.Sprintf("%s/actions/jobs/%d", api, j.ID)},
		{"html_url", fmt.Sprintf("%s/actions/runs/%d/job/%d", web, j.RunID, j.ID)},
		{"status", j.Status},
		{"conclusion", j.Conclusion},
		{"created_at", j.CreatedAt},
		{"started_at", j.StartedAt},
		{"completed_at", j.CompletedAt},
		{"name", j.Name},
		{"steps", stepObjects(j.Steps)},
		{"check_run_url", fmt.Sprintf("%s/check-runs/%d", api, j.ID)},
		{"labels", j.Labels},
		{"runner_id", j.RunnerID},
		{"runner_name", j.RunnerName},
		{"runner_group_id", j.RunnerGroupID},
		{"runner_group_name", j.RunnerGroupName},
		{"workflow_name", orNull(j.WorkflowName)},
		{"head_branch", orNull(j.HeadBranch)},
	}.without(j.Omit)
	for _, k := range slices.Sorted(maps.Keys(j.Extra)) {
		o = append(o, member{k, j.Extra[k]})
	}
	return o
}

func stepObjects(steps []Step) []object {
	out := make([]object, len(steps))
	for i, st := range steps {
		out[i] = object{
			{"name", st.Name},
			{"status", st.Status},
			{"conclusion", st.Conclusion},
			{"number", st.Number},
			{"started_at", st.StartedAt},
			{"completed_at", st.CompletedAt},
		}
	}
	return out
}

// nodeID looks like GitHub's: a prefix for the type, then packed ids.
func nodeID(prefix string, ids ...int64) string {
	var b []byte
	for _, id := range ids {
		b = binary.BigEndian.AppendUint64(append(b, 0xcf), uint64(id))
	}
	return prefix + "_" + base64.RawURLEncoding.EncodeToString(b)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
