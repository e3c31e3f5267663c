package joblog_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/testenv"
)

// told are ranges as "1:1-31 2,3:32-42s": e is exact, s shared, and nothing estimated.
func told(ranges []joblog.Range) string {
	var out []string
	for i, r := range ranges {
		number := fmt.Sprint(r.Number)
		if i > 0 && r.Certainty == joblog.Shared && ranges[i-1].Certainty == joblog.Shared && ranges[i-1].First == r.First {
			last := out[len(out)-1]
			number = last[:strings.IndexByte(last, ':')] + "," + number
			out = out[:len(out)-1]
		}
		word := map[joblog.Certainty]string{joblog.Exact: "e", joblog.Estimated: "", joblog.Shared: "s"}[r.Certainty]
		out = append(out, fmt.Sprintf("%s:%d-%d%s", number, r.First, r.Last, word))
	}
	return strings.Join(out, " ")
}

// lines is told without how much is certain.
func lines(told string) string { return strings.NewReplacer("e", "", "s", "").Replace(told) }

// The recorded cases, with what a person says of them.
func TestStepsOfCases(t *testing.T) {
	for name, want := range map[string]string{
		"vm-image":            "1:1-27e 2:28-32 3:33-33e",
		"annotation-lines":    "1:1-31 2:32-40 3:41-41e",
		"pull-image":          "1:1-31e 2:32-36e 3:37-39 4:40-40e",
		"composite-markers":   "1:1-31 2:32-43 3:44-46 6:47-49 7:50-50e",
		"parallel-steps":      "1:1-31 2,3:32-42s 4:43-43 5:44-44e",
		"runner-hooks":        "1:1-31e 2:32-36e 3:37-39 4:40-43e 5:44-44e",
		"environment-url":     "1:1-31e 2:32-34 6:35-36 7:37-39",
		"script-prints-marks": "1:1-31e 2:32-37 3:38-40 4:41-41e",
		"script-groups":       "1:1-31 2:32-33 3,4:34-42s 5:43-43e",
		"escapes":             "1:1-31 2:32-46 3:47-47e",
		"debug-logging":       "1:1-34e 2:35-41e 3:42-47e 4:48-50e",
		"act-runner":          "0:9-10 1:11-14",
		"bare-error":          "1:1-31 2:32-32 3:33-33 4:34-34e",
	} {
		dir := filepath.Join(testenv.Corpus(t), "cases", name)
		log, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		if got := told(joblog.AlignSteps(index(log), stepsOf(t, filepath.Join(dir, "job.json")))); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func stepsOf(t *testing.T, path string) (ran []joblog.Step) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var job struct {
		Steps []struct {
			Number      int64
			Name        string
			Conclusion  string
			StartedAt   time.Time `json:"started_at"`
			CompletedAt time.Time `json:"completed_at"`
		}
	}
	if err := json.Unmarshal(b, &job); err != nil {
		t.Fatal(err)
	}
	for _, s := range job.Steps {
		ran = append(ran, joblog.Step{Number: s.Number, Name: s.Name, Conclusion: s.Conclusion, StartedAt: s.StartedAt, CompletedAt: s.CompletedAt})
	}
	return ran
}
