package githubsim

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/internal/testenv"
)

// recorded is what a delivery's payload says, as far as it is looked at one by one.
type recorded struct {
	Action     string          `json:"action"`
	Job        json.RawMessage `json:"workflow_job"`
	Repository struct {
		ID    int64  `json:"id"`
		Name  string `json:"name"`
		Owner struct {
			Login string `json:"login"`
		} `json:"owner"`
	} `json:"repository"`
}

// decoded is JSON as values, with the recorded host replaced by the simulator's.
func decoded(t *testing.T, text []byte) (v any) {
	t.Helper()
	text = bytes.ReplaceAll(text, []byte(testenv.RecordedHost), []byte(giteaHost))
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// keysOf lists the keys of objects within a value, with the path to each.
func keysOf(v any, path string) (keys []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			keys = append(keys, path+k)
			keys = append(keys, keysOf(v[k], path+k+".")...)
		}
	case []any:
		if len(v) > 0 {
			keys = keysOf(v[0], path+"[].")
		}
	}
	return keys
}

// replayed is a simulator with all jobs of the recording, as they were at last, and the
// actions that webhooks reported of each.
func replayed(t *testing.T, rec testenv.GiteaRecording) (s *Server, lives map[int64][]string, payloads map[int64][]json.RawMessage) {
	t.Helper()
	s = start(t, Options{Gitea: true})
	last, lives, payloads := map[int64]Job{}, map[int64][]string{}, map[int64][]json.RawMessage{}
	repositories := map[string]int64{}
	for _, d := range rec.Deliveries {
		var p recorded
		if err := json.Unmarshal([]byte(d.Body), &p); err != nil {
			t.Fatal(err)
		}
		s.AddRepository(Repository{ID: p.Repository.ID, Owner: p.Repository.Owner.Login, Name: p.Repository.Name})
		repositories[p.Repository.Owner.Login+"/"+p.Repository.Name] = p.Repository.ID
		j := parsed(t, p.Job, p.Repository.ID)
		if old, ok := last[j.ID]; !ok || old.Status != "completed" {
			last[j.ID] = j
		}
		lives[j.ID], payloads[j.ID] = append(lives[j.ID], p.Action), append(payloads[j.ID], json.RawMessage(d.Body))
	}
	for path, list := range rec.Lists {
		var l struct{ Jobs []json.RawMessage }
		if err := json.Unmarshal(list, &l); err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(path, "/")
		for _, raw := range l.Jobs {
			j := parsed(t, raw, repositories[parts[2]+"/"+parts[3]])
			last[j.ID] = j
		}
	}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		s.AddJob(last[id])
	}
	return s, lives, payloads
}

func parsed(t *testing.T, raw []byte, repositoryID int64) Job {
	t.Helper()
	j, err := ParseGiteaJob(raw, repositoryID)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// The simulator answers every recorded request with what the Gitea answered.
func TestRecordedAnswersOfGitea(t *testing.T) {
	rec := testenv.Gitea(t)
	s, _, _ := replayed(t, rec)
	for _, answers := range []map[string]json.RawMessage{rec.Jobs, rec.Lists} {
		for path, want := range answers {
			resp, body := get(t, s, strings.TrimPrefix(path, "/"))
			if diff := cmp.Diff(decoded(t, want), decoded(t, []byte(body))); diff != "" || resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %d (-recorded +simulated):\n%s", path, resp.StatusCode, diff)
			}
		}
	}
}

// The simulator's webhooks tell of each job what the Gitea's did, with the same keys and
// the same headers.
func TestRecordedDeliveriesOfGitea(t *testing.T) {
	rec := testenv.Gitea(t)
	s, lives, payloads := replayed(t, rec)
	compared := 0
	for id, life := range lives {
		j, _ := s.world.job(id)
		if slices.Contains(life, "completed") != (j.Status == "completed") {
			continue // its end was told by nobody, or it was never listed after it
		}
		j.Life = life
		for i, d := range s.Deliveries(j) {
			compared++
			want, got := decoded(t, payloads[id][i]).(map[string]any), decoded(t, d.Body).(map[string]any)
			if diff := cmp.Diff(want["workflow_job"], got["workflow_job"]); diff != "" {
				t.Errorf("job %d, %s (-recorded +simulated):\n%s", id, life[i], diff)
			}
			if diff := cmp.Diff(keysOf(want, ""), keysOf(got, "")); diff != "" {
				t.Errorf("job %d, %s, keys (-recorded +simulated):\n%s", id, life[i], diff)
			}
			r, err := d.Request(t.Context(), "http://127.0.0.1/", "secret")
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range rec.Deliveries[0].Headers {
				if got := r.Header.Get(name); got == "" || !strings.Contains(name, "Delivery") && !strings.Contains(name, "Signature") && got != value {
					t.Errorf("header %s is %q, recorded was %q", name, got, value)
				}
			}
		}
	}
	if compared < 300 {
		t.Errorf("only %d deliveries of %d were compared", compared, len(rec.Deliveries))
	}
}
