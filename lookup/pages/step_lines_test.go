package pages_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// parallelJob is job 31, two of whose steps ran side by side: one failed.
func (f *fixture) parallelJob() {
	facts := f.Facts(31, "Set up job", "Run make build", "Run make lint", "Post checkout", "Complete job")
	facts.Job.Name, facts.Job.Conclusion, facts.Steps[1].Conclusion = "build & lint", new("failure"), new("failure")
	f.Record(facts)
	all := lines(400)
	all[199] = "##[error]undefined: rocket"
	f.Log(31, stamped(all...), store.StepLines{Number: 1, First: 1, Last: 100, Certainty: joblog.Exact},
		store.StepLines{Number: 2, First: 101, Last: 300, Certainty: joblog.Shared}, store.StepLines{Number: 3, First: 101, Last: 300, Certainty: joblog.Shared},
		store.StepLines{Number: 4, First: 301, Last: 390}, store.StepLines{Number: 5, First: 391, Last: 400, Certainty: joblog.Exact})
}

// Beside a step's lines stands how they are known; steps that share lines stand together
// before them, and no line of theirs under one alone.
func TestStepsSayHowTheirLinesAreKnown(t *testing.T) {
	f := newFixture(t)
	f.parallelJob()
	a := f.get("/acme/rocket/jobs/31")
	f.want(a, 200,
		`<span class="range">1–100</span> <abbr class="known exact" title="The log itself names the step">exact</abbr>`,
		`<span class="range">101–300</span> <abbr class="known shared" title="Steps have the same lines if they ran at the same time`,
		`shared</abbr> <span class="small">with 3</span>`, `shared</abbr> <span class="small">with 2</span>`,
		`<abbr class="known estimated" title="By times and by what the runner prints when a step begins: the log does not name the step">estimated</abbr>`,
		`<div class="step">Step 1: Set up job <span class="small">begins here (`,
		`<div class="step">Steps 2: Run make build and 3: Run make lint <span class="small">have the lines from here to 300 (`,
		`<div class="step">Step 4: Post checkout <span class="small">begins about here (`)
	if n := strings.Count(a.body, `<div class="step">`); n != 4 {
		t.Errorf("%d steps begin, want 4", n)
	}
	f.want(f.get("/search?pattern=undefined&step=lint"), 200, "1 line in 1 of 1 logs", "1 of the lines are shared with other steps")
	f.want(f.get("/search?pattern=line+31&step=post"), 200, "it is an estimate that they are the step's")
	for _, path := range []string{"/search?pattern=undefined", "/search?pattern=line+1&step=set+up"} {
		if body := f.get(path).body; strings.Contains(body, "shared with") || strings.Contains(body, "an estimate") {
			t.Errorf("%s says of no step, or of one that is certain, that it is not", path)
		}
	}
}

// Of very many steps that share lines, the table names some.
func TestManyStepsShareLines(t *testing.T) {
	f := newFixture(t)
	f.Record(f.Facts(31, "a", "b", "c", "d", "e", "f", "g", "h"))
	var all []store.StepLines
	for n := range int64(8) {
		all = append(all, store.StepLines{Number: n + 1, First: 1, Last: 2, Certainty: joblog.Shared})
	}
	f.Log(31, stamped("x", "y"), all...)
	f.want(f.get("/acme/rocket/jobs/31"), 200, "with 2, 3, 4, 5, 6, 2 more<", "with 1, 2, 3, 4, 5, 2 more<", "Steps 1: a and 2: b and", "and 8: h <")
	f.Record(f.Facts(32, "a", "b"))
	f.Log(32, stamped("x", "y", "z"), store.StepLines{Number: 1, First: 1, Last: 3, Certainty: joblog.Shared}, store.StepLines{Number: 2, First: 2, Last: 2, Certainty: joblog.Shared})
	f.want(f.get("/acme/rocket/jobs/32"), 200, "Step 1: a <", "has the lines from here to 3", "Step 2: b <", "has the lines from here to 2")
}

func TestBrowserShowsSharedLinesAlsoOnAPhone(t *testing.T) {
	ctx := browser(t)
	f := newFixture(t)
	f.parallelJob()
	for _, width := range []int64{1280, 390} {
		f.run(ctx, "the job", chromedp.EmulateViewport(width, 900), chromedp.Navigate(f.url+"/acme/rocket/jobs/31"), chromedp.WaitVisible(`section .log`))
		if got := f.eval(ctx, `document.documentElement.scrollWidth > innerWidth`); got != "false" {
			t.Errorf("at %d pixels the page is wider than the window", width)
		}
		f.run(ctx, "the word", chromedp.WaitVisible(`//table[@class="steps"]//tr[3]//abbr[text()="shared"]`))
		f.run(ctx, "jump to a step that shares", chromedp.Click(`//table[@class="steps"]//a[text()="Run make lint"]`), chromedp.WaitVisible(`#L101.marked`))
		if got := f.eval(ctx, `document.getElementById("L101").previousElementSibling.innerText`); !strings.HasPrefix(got, "Steps 2: Run make build and 3: Run make lint") {
			t.Errorf("before its lines stands %q", got)
		}
	}
}
