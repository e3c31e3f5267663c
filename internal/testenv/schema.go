package testenv

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a schema of the corpus.
func Schema(t testing.TB, file string) *jsonschema.Schema {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(Corpus(t), "schema", file))
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

// Validate fails the test if a JSON document does not fit a schema.
func Validate(t testing.TB, schema *jsonschema.Schema, body []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%v\n%s", err, body)
	}
}
