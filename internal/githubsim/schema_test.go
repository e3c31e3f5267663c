package githubsim

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/jobvault/jobvault/internal/testenv"
)

func TestJobsFitTheSchema(t *testing.T) {
	schema := testenv.Schema(t, "job.schema.json")
	s := start(t, Options{})
	for _, life := range lives() {
		s.AddJob(life.job)
		resp, body := get(t, s, "repos/acme/rocket/actions/jobs/77")
		wantStatus(t, resp, body, http.StatusOK)
		testenv.Validate(t, schema, []byte(body))
	}
	day := s.PlayableDay(1, 100, 1000)
	for _, j := range day.Jobs {
		r, _ := s.world.repository(j.RepositoryID)
		testenv.Validate(t, schema, encode(jobObject(r, j)))
	}
}

// TestJobHasTheSchemasKeysInItsOrder reads the order from the schema's text.
func TestJobHasTheSchemasKeysInItsOrder(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testenv.Corpus(t), "schema", "job.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct{ Properties json.RawMessage }
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	var keys []string
	dec := json.NewDecoder(bytes.NewReader(schema.Properties))
	dec.Token() // the opening brace
	for dec.More() {
		key, _ := dec.Token()
		keys = append(keys, key.(string))
		if err := dec.Decode(new(json.RawMessage)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, m := range jobObject(rocket, aJob(1)) {
		got = append(got, m.key)
	}
	if diff := cmp.Diff(keys, got); diff != "" {
		t.Error(diff)
	}
}

func TestDeliveriesFitTheSchemas(t *testing.T) {
	schemas := map[string]*jsonschema.Schema{}
	for _, action := range []string{"queued", "waiting", "in_progress", "completed"} {
		schemas[action] = testenv.Schema(t, "webhook-workflow-job-"+strings.ReplaceAll(action, "_", "-")+".schema.json")
	}
	s := start(t, Options{})
	for _, life := range lives() {
		for _, d := range s.Deliveries(life.job) {
			testenv.Validate(t, schemas[d.Action], d.Body)
		}
	}
	for _, d := range s.PlayableDay(1, 100, 1000).Deliveries {
		testenv.Validate(t, schemas[d.Action], d.Body)
	}
}

// TestPayloadsHaveTheKeysOfRealOnes compares with what GitHub has sent: no key
// of a recent real payload may be missing.
func TestPayloadsHaveTheKeysOfRealOnes(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testenv.Corpus(t), "webhooks", "octokit-3-completed-completed.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Options{})
	ds := s.Deliveries(aJob(77))
	var real, ours map[string]map[string]json.RawMessage
	for from, to := range map[string]*map[string]map[string]json.RawMessage{string(b): &real, string(ds[2].Body): &ours} {
		var top map[string]json.RawMessage
		if err := json.Unmarshal([]byte(from), &top); err != nil {
			t.Fatal(err)
		}
		*to = map[string]map[string]json.RawMessage{}
		for k, v := range top {
			var inner map[string]json.RawMessage
			if json.Unmarshal(v, &inner) == nil {
				(*to)[k] = inner
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(real)) {
		for inner := range real[k] {
			if _, ok := ours[k][inner]; !ok {
				t.Errorf("no %s.%s", k, inner)
			}
		}
	}
}
