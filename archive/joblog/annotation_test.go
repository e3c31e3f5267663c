package joblog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive/joblog"
)

// annotationsOf are those of a job with these lines as its steps.
func annotationsOf(steps ...string) []joblog.Annotation {
	return index(stampLines(hostedLog(runnerImage, steps...))).Usage.Annotations
}

func TestMessages(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"of one line":            {[]string{"##[error]a", "b"}, "a"},
		"of lines with colours":  {[]string{"##[error]\x1b[31ma", "|b\x1b[0m", "|\x1b]0;x\x07c\r"}, "a\nb\nc"},
		"that begins later":      {[]string{"##[error]", "|", "|a"}, "a"},
		"that ends":              {[]string{"##[error]a", "|b", "c", "|d"}, "a\nb"},
		"that ends with another": {[]string{"##[error]a", "##[notice]b", "|c"}, "a"},
		"of many lines":          {append([]string{"##[error]a"}, slices.Repeat([]string{"|b"}, 5000)...), "a" + strings.Repeat("\nb", 499)},
		"of long lines":          {[]string{"##[error]a", "|" + strings.Repeat("é", 3000), "|c"}, "a\n" + strings.Repeat("é", 499)},
		"of spaces":              {[]string{"##[error] \t", "| ", "|\x1b[0m"}, ""},
		"with a clock's text":    {[]string{"##[error]a", "|2026-11-20T10:00:00.0000000Y x"}, "a\n2026-11-20T10:00:00.0000000Y x"},
	} {
		got := annotationsOf(append([]string{"##[group]Run x", "##[endgroup]"}, c.lines...)...)
		if len(got) == 0 || got[0].Message != c.want {
			t.Errorf("%s: %+v, want %.200q", name, got, c.want)
		}
	}
}

// However many warnings there are, no error is lost for them; what is cut is counted.
func TestWarningsCostNoError(t *testing.T) {
	lines := []string{"##[group]Run x", "##[endgroup]"}
	for i := range 100_000 {
		lines = append(lines, fmt.Sprint("##[warning]", i))
	}
	lines = append(lines, slices.Repeat([]string{"##[notice]n"}, 1001)...)
	lines = append(lines, "##[error]the one that counts", "|all of it")
	u := index(stampLines(hostedLog(runnerImage, lines...))).Usage
	if want := (joblog.LevelCounts{Warnings: 99_000, Notices: 1}); u.AnnotationsCut != want || len(u.Annotations) != 2001 || want.Total() != 99_001 {
		t.Errorf("%d annotations, cut %+v", len(u.Annotations), u.AnnotationsCut)
	}
	if last := u.Annotations[len(u.Annotations)-1]; last.Message != "the one that counts\nall of it" {
		t.Errorf("%+v", last)
	}
}

// Of steps within each other, those that were allowed to fail mark their own errors.
func TestToleratedErrors(t *testing.T) {
	end := func(id, outcome, conclusion string) string {
		return fmt.Sprintf("##[end-action id=%s;outcome=%s;conclusion=%s;duration_ms=1]", id, outcome, conclusion)
	}
	got := annotationsOf("##[group]Run ./x", "##[endgroup]", "##[error]0",
		"##[start-action display=x;id=a]", "##[error]1", "##[start-action display=x;id=a.b]", "##[error]2", "##[warning]3", end("a.b", "failure", "success"),
		"##[error]4", end("a", "failure", "failure"), "##[error]5", end("a", "failure", "success"), end("never", "failure", "success"),
		"##[start-action display=x;id=c]", "##[error]6", end("c", "success", "success"), `##[\start-action display=x;id=d]`, "##[error]7", end("d", "failure", "success"))
	var tolerated []string
	for _, a := range got {
		if a.Tolerated {
			tolerated = append(tolerated, a.Message)
		}
	}
	if len(got) != 8 || !slices.Equal(tolerated, []string{"2"}) {
		t.Errorf("of %d these are tolerated: %q", len(got), tolerated)
	}
}

// Annotations and marks of a call's inputs are forgotten with them.
func TestInputsLeaveNoOpenAnnotation(t *testing.T) {
	j := newJob()
	want := index(j.log("\n")).Usage.Annotations
	j.inputs = []string{"x: \n" + forgedStamp + "##[start-action display=x;id=a]\n" + forgedStamp + "##[error]forged"}
	j.steps = slices.Insert(j.steps, 2, "##[end-action id=a;outcome=failure;conclusion=success;duration_ms=1]")
	got := index(j.log("\n")).Usage.Annotations
	for i := range got {
		got[i].Line = want[min(i, len(want)-1)].Line
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
