package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/internal/growth"
	"github.com/jobvault/jobvault/store"
)

// depthOf is the depth of a JSON text, by another way than deeperThan's.
func depthOf(text []byte) int {
	d, depth, deepest := json.NewDecoder(bytes.NewReader(text)), 0, 0
	for {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
			deepest = max(deepest, depth)
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
}

// FuzzDepth: of what is JSON the depth is told exactly.
func FuzzDepth(f *testing.F) {
	for _, text := range []string{`[[1],{"a":{}}]`, `"[[[[\"[["`, `{"\\":["\\\\"]}`, `[]]]]][[[[[`, `["`, `"\`, ``, `{"a":"}"}`, "[\"\u2028\"]", `[1,[2,[3]]]`} {
		f.Add([]byte(text), 2)
	}
	f.Fuzz(func(t *testing.T, text []byte, levels int) {
		defer growth.Within(t, time.Now(), len(text))
		if levels < 0 || levels > 100 {
			return
		}
		deeper := DeeperThan(text, levels)
		if json.Valid(text) && deeper != (depthOf(text) > levels) {
			t.Errorf("%q has %d levels; more than %d: %t", text, depthOf(text), levels, deeper)
		}
	})
}

func TestDepthAtItsBound(t *testing.T) {
	for _, unit := range [][2]string{{"[", "]"}, {`{"a":`, "}"}, {`[{"a":`, "}]"}} {
		per := strings.Count(unit[0], "[") + strings.Count(unit[0], "{")
		for _, levels := range []int{MaxDepth - per, MaxDepth, MaxDepth + per} {
			text := []byte(strings.Repeat(unit[0], levels/per) + "1" + strings.Repeat(unit[1], levels/per))
			if deeper := DeeperThan(text, MaxDepth); deeper != (levels > MaxDepth) {
				t.Errorf("%s, %d levels: deeper %t", unit[0], levels, deeper)
			}
		}
	}
	if DeeperThan([]byte(strings.Repeat("[]", 2*MaxDepth)), MaxDepth) || DeeperThan([]byte(`"`+strings.Repeat(`[\"`, 2*MaxDepth)), MaxDepth) {
		t.Error("brackets beside each other, or in a text, are no depth")
	}
	// It looks through megabytes without memory of its own.
	text := []byte(strings.Repeat(`{"a":["\"]"]}`, 100_000))
	if n := testing.AllocsPerRun(1, func() { DeeperThan(text, MaxDepth) }); n > 0 {
		t.Errorf("%.0f allocations", n)
	}
}

// FuzzForm: what a form holds under "payload" is taken out of it, and nothing else is.
func FuzzForm(f *testing.F) {
	f.Add([]byte("payload=%7B%7D"), `{"a":1}`)
	f.Add([]byte("payload=1&payload=2"), "")
	f.Add([]byte("a=b&;=;&%zz=1"), "+ %")
	f.Add([]byte(strings.Repeat("a&", 1000)), "é\x00\xff")
	f.Fuzz(func(t *testing.T, body []byte, payload string) {
		defer growth.Within(t, time.Now(), len(body)+len(payload))
		_, _ = PayloadJSON(ContentForm, body)
		got, err := PayloadJSON(ContentForm, []byte("a=b&payload="+url.QueryEscape(payload)))
		if err != nil || string(got) != payload {
			t.Errorf("%q came out as %q, %v", payload, got, err)
		}
	})
}

// FuzzJobJSON: a job.json, whoever wrote it, makes rows that can be stored, or an error.
func FuzzJobJSON(f *testing.F) {
	f.Add([]byte(`{"id":4,"run_id":2,"status":"completed","url":"https://api.github.com/repos/a/b/actions/jobs/4","steps":[{"number":1},null],"labels":["l",null]}`))
	f.Add([]byte(`{"id":4,"run_id":2,"status":"\u0000","html_url":"https://x/a\u0000/b/runs/1/job/2"}`))
	f.Add([]byte(`{"url":"https://x/repos/%zz"}`))
	f.Add([]byte(`{"run_url":{"a":[1,{"b":2}]}}`))
	f.Add([]byte(`[{"id":4}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		defer growth.Within(t, time.Now(), len(raw))
		if owner, name, err := RepositoryNames(raw); err == nil && (owner == "" || name == "" || !storable(owner+name)) {
			t.Errorf("names %q and %q", owner, name)
		}
		key := archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 3, JobID: 4}
		facts, err := FactsOfDetails(raw, key, store.Repository{ID: 1})
		if err != nil {
			return
		}
		for _, s := range append(facts.Labels, facts.Job.Name, facts.Job.Status) {
			if !storable(s) {
				t.Errorf("%q cannot be stored", s)
			}
		}
		for _, s := range facts.Steps {
			if !storable(s.Name) || !storable(s.Status) {
				t.Errorf("step %+v cannot be stored", s)
			}
		}
	})
}

// What is kept of an error is brief, can be stored, and is its beginning.
func TestBriefAtItsBound(t *testing.T) {
	for _, c := range []struct {
		text string
		want string
	}{
		{strings.Repeat("x", maxReason), strings.Repeat("x", maxReason)},
		{strings.Repeat("x", maxReason+1), strings.Repeat("x", maxReason) + "…"},
		{strings.Repeat("é", maxReason), strings.Repeat("é", maxReason/2) + "…"},
		{"x" + strings.Repeat("é", maxReason), "x" + strings.Repeat("é", maxReason/2-1) + "…"},
		{"a\x00b\xff", "a\ufffdb\ufffd"},
	} {
		if got := Reason(errors.New(c.text)); got != c.want || !storable(got) {
			t.Errorf("%d bytes became %.40q, %d bytes", len(c.text), got, len(got))
		}
	}
}

// No delivery takes more than its share of time, whatever it is full of.
func TestDeliveriesAreReadInLinearTime(t *testing.T) {
	jobID, repositoryID := int64(1), int64(3)
	delivery := store.Delivery{JobID: &jobID, RepositoryID: &repositoryID, ReceivedAt: time.Unix(0, 0)}
	jobPayload := func(more string) []byte {
		return fmt.Appendf(nil, `{"workflow_job":{"id":1,"run_id":2,"status":"queued","name":"x"%s},"repository":{"id":3,"full_name":"a/b"}}`, more)
	}
	for _, unit := range []string{"[", `{"a":`, `"a",`, `\"`, "1", `{"id":1},`, `"workflow_job":{"id":1},`, `{"number":1},`, "\\u0000", "\x00", "&payload=", "%7B", "a=b&"} {
		t.Run(unit, func(t *testing.T) {
			growth.Linear(t, 50_000, func(n int) func() {
				bare := []byte(strings.Repeat(unit, n/len(unit)))
				listed := jobPayload(`,"steps":[` + strings.TrimSuffix(string(bare), ",") + `]`)
				quoted := jobPayload(`,"x":"` + string(bare) + `"`)
				return func() {
					for _, body := range [][]byte{bare, listed, quoted} {
						DeeperThan(body, MaxDepth)
						ReadHead(body)
						_, _ = FactsOfDelivery(body, delivery, time.Now())
						_, _ = PayloadJSON(ContentForm, body)
						_, _, _ = RepositoryNames(body)
					}
				}
			})
		})
	}
}
