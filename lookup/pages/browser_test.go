package pages_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// browser starts Chromium. Whatever it complains of fails the test: a page that
// breaks its own Content-Security-Policy, a script that fails.
func browser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(testenv.Program(t, "chromium")), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 40*time.Second)
	t.Cleanup(cancel)
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("a script failed: %s", e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError && !strings.Contains(e.Entry.Text, "status of 4") && !strings.Contains(e.Entry.Text, "ERR_BLOCKED_BY_CLIENT") {
				t.Errorf("the browser complains: %s", e.Entry.Text)
			}
		}
	})
	return ctx
}

// run does things in the browser.
func (f *fixture) run(ctx context.Context, what string, actions ...chromedp.Action) {
	f.T.Helper()
	if err := chromedp.Run(ctx, actions...); err != nil {
		f.T.Fatalf("%s: %v", what, err)
	}
}

// eval is the value of an expression.
func (f *fixture) eval(ctx context.Context, expression string) string {
	f.T.Helper()
	var v any
	f.run(ctx, expression, chromedp.Evaluate(expression, &v))
	return fmt.Sprint(v)
}

// failedJob is one among others, with the log of an ordinary failure.
func (f *fixture) failedJob() {
	for i := range int64(60) {
		f.Record(f.Facts(100 + i))
	}
	facts := f.Facts(31, "Set up job", "Run make", "Post checkout")
	facts.Job.Name, facts.Job.Conclusion = "unit tests", new("failure")
	facts.Steps[1].Conclusion = new("failure")
	f.Record(facts)
	all := lines(3000)
	all[0], all[4] = "##[group]Operating System", "##[endgroup]"
	all[1999] = "##[group]Run make"
	all[2099] = "##[endgroup]"
	all[2499] = "##[error]assertion failed: rocket is not ready"
	f.Log(31, stamped(all...), store.StepLines{Number: 1, First: 1, Last: 1999}, store.StepLines{Number: 2, First: 2000, Last: 2900},
		store.StepLines{Number: 3, First: 2901, Last: 3000})
}

// Somebody looks into a failure in a browser: from the list to the error in the log.
func TestBrowserFindsAFailureAndReadsItsLog(t *testing.T) {
	ctx := browser(t)
	f := newFixture(t)
	f.failedJob()
	f.run(ctx, "filter", chromedp.Navigate(f.url), chromedp.SendKeys(`input[name=conclusion]`, "failure"), chromedp.SendKeys(`input[name=repository]`, "acme/rocket"),
		chromedp.Click(`.filter button`), chromedp.WaitVisible(`//a[text()="Clear"]`))
	if got := f.eval(ctx, `document.querySelectorAll("table.jobs tbody tr").length`); got != "1" {
		t.Errorf("%s jobs, want the one that failed", got)
	}
	f.run(ctx, "open the job", chromedp.Click(`//a[text()="unit tests"]`), chromedp.WaitVisible(`section .log`))
	f.run(ctx, "jump to the failing step", chromedp.Click(`//table[@class="steps"]//a[text()="Run make"]`), chromedp.WaitVisible(`#L2000.marked`))
	if got := f.eval(ctx, `document.getElementById("L2000").closest("details").open`); got != "true" {
		t.Error("the step's group is folded")
	}
	f.run(ctx, "fold", chromedp.Click(`#L2000 .x`), chromedp.Poll(`!document.getElementById("L2000").closest("details").open`, nil))
	f.run(ctx, "unfold by the keyboard", chromedp.Focus(`//summary[.//*[@id="L2000"]]`), chromedp.KeyEvent("\r"),
		chromedp.Poll(`document.getElementById("L2000").closest("details").open`, nil))
	if got := f.eval(ctx, `getComputedStyle(document.querySelector("#L2001 time")).display`); got != "none" {
		t.Error("timestamps are shown unasked")
	}
	f.run(ctx, "timestamps", chromedp.Click(`#stamps`), chromedp.WaitVisible(`#L2001 time`))
	f.run(ctx, "next error, by its key", chromedp.KeyEvent("n"), chromedp.WaitVisible(`#L2500.marked.error`))
	if got := f.eval(ctx, `getComputedStyle(document.querySelector("#L2500 time")).display`); got == "none" {
		t.Error("that timestamps are shown is forgotten")
	}
	f.run(ctx, "search", chromedp.SendKeys(`#q`, "rocket is not"), chromedp.Submit(`#q`), chromedp.WaitVisible(`//a[text()="2500"]`))
	f.run(ctx, "open what was found", chromedp.Click(`//a[text()="2500"]`), chromedp.WaitVisible(`#L2500.marked`))
	// A range, and its link.
	f.run(ctx, "mark lines", chromedp.Click(`#L2498 .n`), chromedp.WaitVisible(`#L2498.marked`),
		chromedp.Evaluate(`document.querySelector("#L2501 .n").dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true, shiftKey: true}))`, nil),
		chromedp.WaitVisible(`#L2501.marked`))
	link := f.eval(ctx, `location.href`)
	if !strings.HasSuffix(link, "/acme/rocket/jobs/31?line=2498-2501#L2498") {
		t.Errorf("the link is %s", link)
	}
	f.run(ctx, "copy it", chromedp.Click(`#copy`), chromedp.Poll(`document.getElementById("copy").textContent !== "Copy link"`, nil))
	f.run(ctx, "open the link anew", chromedp.Navigate("about:blank"), chromedp.Navigate(link), chromedp.WaitVisible(`#L2501.marked`))
	if got := f.eval(ctx, `document.querySelectorAll(".marked").length`); got != "4" {
		t.Errorf("%s lines are marked, want 4", got)
	}
	f.run(ctx, "the lines come into sight", chromedp.Poll(`(r => r.top >= 0 && r.bottom <= innerHeight)(document.getElementById("L2498").getBoundingClientRect())`, nil))
}

// Without JavaScript the pages do the same.
func TestBrowserWithoutJavaScript(t *testing.T) {
	ctx := browser(t)
	f := newFixture(t)
	f.failedJob()
	f.run(ctx, "block the script", network.Enable(), network.SetBlockedURLs([]string{"*/assets/script-*"}))
	f.run(ctx, "a line", chromedp.Navigate(f.url+"/acme/rocket/jobs/31?line=2500"), chromedp.WaitVisible(`#L2500.marked`))
	f.run(ctx, "timestamps", chromedp.Click(`#stamps`), chromedp.WaitVisible(`#L2500 time`))
	f.run(ctx, "another line", chromedp.Click(`#L2510 .n`), chromedp.WaitVisible(`#L2510.marked`))
	f.run(ctx, "the error before it", chromedp.Click(`#previous`), chromedp.WaitVisible(`#L2500.marked`))
	f.run(ctx, "a group", chromedp.Navigate(f.url+"/acme/rocket/jobs/31"), chromedp.Click(`#L1 .x`),
		chromedp.Poll(`document.getElementById("L1").closest("details").open`, nil))
}

func TestBrowserSignsInAndOut(t *testing.T) {
	ctx := browser(t)
	v := testenv.NewVault(t)
	f := serve(t, v, access.Tokens(v.DB))
	f.failedJob()
	secret := f.Facts(32)
	secret.Repository = store.Repository{ID: 9, Owner: "acme", Name: "secret", SeenAt: f.At}
	secret.Job.RepositoryID, secret.Run.RepositoryID, secret.Run.ID, secret.Job.RunID = 9, 9, 3, 3
	f.Record(secret)
	token, digest := access.NewToken()
	f.Check(f.DB.AddReadToken(t.Context(), store.ReadToken{Name: "reader", Repositories: []string{"Acme/Rocket"}, CreatedAt: f.At}, digest))
	f.run(ctx, "a wrong token", chromedp.Navigate(f.url+"/acme/rocket/jobs/31"), chromedp.WaitVisible(`#token`),
		chromedp.SendKeys(`#token`, "jobvault_nothing_of_the_kind"), chromedp.Submit(`#token`), chromedp.WaitVisible(`[role=alert]`))
	f.run(ctx, "a good one", chromedp.SendKeys(`#token`, token), chromedp.Submit(`#token`), chromedp.WaitVisible(`section .log`))
	if got := f.eval(ctx, `document.cookie`); got != "" {
		t.Errorf("scripts see the cookie: %s", got)
	}
	f.run(ctx, "what is not his", chromedp.Navigate(f.url+"/acme/secret/jobs/32"), chromedp.WaitVisible(`//h1[text()="Not found"]`))
	if got := f.eval(ctx, `document.querySelector("main").innerText`); strings.Contains(got, "secret") {
		t.Errorf("the page tells: %s", got)
	}
	f.run(ctx, "the list", chromedp.Navigate(f.url), chromedp.WaitVisible(`table.jobs`))
	if got := f.eval(ctx, `document.body.innerHTML.includes("secret")`); got != "false" {
		t.Error("the list tells of what he may not read")
	}
	f.run(ctx, "sign out", chromedp.Click(`//button[text()="Sign out"]`), chromedp.WaitVisible(`#token`),
		chromedp.Navigate(f.url+"/acme/rocket/jobs/31"), chromedp.WaitVisible(`#token`))
}

// Whatever a hostile log holds is text in its pages: the browser runs nothing of it.
func TestBrowserRunsNothingOfALog(t *testing.T) {
	ctx := browser(t)
	f := newFixture(t)
	facts := f.Facts(31, hostile)
	facts.Job.Name = hostile
	f.Record(facts)
	f.Log(31, stamped(hostile, "##[group]"+hostile, "</summary></details><script>document.title='pwned'</script>", "##[endgroup]",
		"\x1b]0;pwned\x07\x1b[31m<b>\x1b[0m", "a\u202eb", strings.Repeat("y", 450<<10)), store.StepLines{Number: 1, First: 1, Last: 7})
	for _, path := range []string{"/", "/acme/rocket/jobs/31", "/acme/rocket/jobs/31?line=3", "/acme/rocket/jobs/31/find?q=script", "/acme/rocket/runs/2", "/overview"} {
		f.run(ctx, path, chromedp.Navigate(f.url+path), chromedp.WaitVisible(`#main`))
		if got := f.eval(ctx, `document.title`); !strings.HasSuffix(got, "· jobvault") {
			t.Errorf("%s: the title is %q", path, got)
		}
		if got := f.eval(ctx, `document.querySelectorAll("main script, main img[onerror], main b:not(.kind)").length`); got != "0" {
			t.Errorf("%s: %s things of a log are in the page", path, got)
		}
	}
}

// A form of another site does not sign anybody out, or in.
func TestOtherSitesCannotPost(t *testing.T) {
	v := testenv.NewVault(t)
	f := serve(t, v, access.Tokens(v.DB))
	for _, path := range []string{"/sign-in", "/sign-out"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+path, strings.NewReader("token=x"))
		f.Check(err)
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		req.Header.Set("Origin", "https://evil.example")
		f.want(f.do(req), 403)
	}
	for next, want := range map[string]string{"/x?y=1": "/x?y=1", "//evil.example/": "/", "https://evil.example/": "/", "/\\evil.example": "/", "x": "/", "javascript:alert(1)": "/"} {
		a := f.get("/sign-in?next=" + strings.NewReplacer(":", "%3A", "/", "%2F", "\\", "%5C", "?", "%3F").Replace(next))
		f.want(a, 200, `name="next" value="`+want+`"`)
	}
}

// However long the names are that somebody gave a branch, a title or an account, no page is
// wider than a telephone.
func TestBrowserPagesFitATelephone(t *testing.T) {
	ctx := browser(t)
	f := newFixture(t)
	f.failedJob()
	long := strings.Repeat("w", 200)
	f.started(2, store.RunStart{
		Event: new("pull_request_target"), Actor: new("mallory-" + long[:40]), TriggeringActor: new("mona-" + long[:40]), FromFork: new(true),
		Path: new(".github/workflows/" + long + ".yml"), DisplayTitle: new(long), RunNumber: new(int64(41)),
	})
	f.Settle(store.Settlement{JobID: 100, State: store.LogNone, Usage: &joblog.Usage{Actions: []joblog.Action{{Line: 1, Name: "acme/lint", Ref: "v1", InSetup: true}}}})
	f.run(ctx, "a telephone", chromedp.EmulateViewport(390, 844))
	for _, path := range []string{"/", "/acme/rocket/runs/2", "/acme/rocket/jobs/31", "/uses?action=acme/lint&event=pull_request_target&fork=1"} {
		f.run(ctx, path, chromedp.Navigate(f.url+path), chromedp.WaitVisible(`#main`))
		if got := f.eval(ctx, `document.documentElement.scrollWidth`); got != "390" {
			t.Errorf("%s is %s pixels wide", path, got)
		}
	}
}
