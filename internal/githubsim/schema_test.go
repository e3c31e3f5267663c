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
)

// corpus is the folder with real inputs, which not every machine has.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("JOBVAULT_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus of real payloads: set JOBVAULT_CORPUS (looked at %s)", dir)
	}
	return dir
}

func compileSchema(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(corpus(t), "schema", file))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(file, plainSchema(doc)); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile(file)
}

// plainSchema turns OpenAPI's dialect into JSON Schema: nullable becomes a type,
// and references to what the file does not have allow anything.
func plainSchema(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["$ref"]; ok {
			return true
		}
		for k, inner := range v {
			v[k] = plainSchema(inner)
		}
		if v["nullable"] == true {
			v["type"] = []any{v["type"], "null"}
			if enum, ok := v["enum"].([]any); ok {
				v["enum"] = append(enum, nil)
			}
		}
	case []any:
		for i, inner := range v {
			v[i] = plainSchema(inner)
		}
	}
	return v
}

func validate(t *testing.T, schema *jsonschema.Schema, body []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%v\n%s", err, body)
	}
}

func TestJobsFitTheSchema(t *testing.T) {
	schema := compileSchema(t, "job.schema.json")
	s := start(t, Options{})
	for _, life := range lives() {
		s.AddJob(life.job)
		resp, body := get(t, s, "repos/acme/rocket/actions/jobs/77")
		wantStatus(t, resp, body, http.StatusOK)
		validate(t, schema, []byte(body))
	}
	day := s.PlayableDay(1, 100, 1000)
	for _, j := range day.Jobs {
		r, _ := s.world.repository(j.RepositoryID)
		validate(t, schema, encode(jobObject(r, j)))
	}
}

// TestJobHasTheSchemasKeysInItsOrder reads the order from the schema's text.
func TestJobHasTheSchemasKeysInItsOrder(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(corpus(t), "schema", "job.schema.json"))
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
		schemas[action] = compileSchema(t, "webhook-workflow-job-"+strings.ReplaceAll(action, "_", "-")+".schema.json")
	}
	s := start(t, Options{})
	for _, life := range lives() {
		for _, d := range s.Deliveries(life.job) {
			validate(t, schemas[d.Action], d.Body)
		}
	}
	for _, d := range s.PlayableDay(1, 100, 1000).Deliveries {
		validate(t, schemas[d.Action], d.Body)
	}
}

// TestPayloadsHaveTheKeysOfRealOnes compares with what GitHub has sent: no key
// of a recent real payload may be missing.
func TestPayloadsHaveTheKeysOfRealOnes(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(corpus(t), "webhooks", "octokit-3-completed-completed.json"))
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
