package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/jobvault/jobvault/lookup/rest"
)

const wantPaint = 1000.0 // ms

// measurePaint opens the page of a job with a huge log, at its middle, in a real browser,
// and asks the browser when it first painted something.
func measurePaint(ctx context.Context, l *lab) ([]row, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if path, err = exec.LookPath("google-chrome"); err != nil {
			return nil, fmt.Errorf("install the package chromium: %w", err)
		}
	}
	settings, _, err := l.archiveLogs(ctx, "paint", l.scale.readLog)
	if err != nil {
		return nil, err
	}
	s, err := l.startServer(ctx, append(settings, "JOBVAULT_ROLES=lookup")...)
	if err != nil {
		return nil, err
	}
	defer s.abandon()
	var list rest.JobList
	b, err := fetch(ctx, s.url+"/api/v3/jobs")
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err == nil && len(list.Jobs) != 1 {
		err = fmt.Errorf("%d jobs, want 1", len(list.Jobs))
	}
	if err != nil {
		return nil, err
	}
	middle := *list.Jobs[0].Lines / 2
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	browser, cancel := chromedp.NewExecAllocator(ctx, options...)
	defer cancel()
	browser, cancel = chromedp.NewContext(browser)
	defer cancel()
	if err := chromedp.Run(browser); err != nil {
		return nil, fmt.Errorf("start the browser: %w", err)
	}
	var took []float64
	for i := range 7 {
		tab, cancel := chromedp.NewContext(browser)
		limited, stop := context.WithTimeout(tab, time.Minute)
		var ms float64
		err := chromedp.Run(limited,
			chromedp.Navigate(fmt.Sprintf("%s/%s/%s/jobs/1?line=%d", s.url, benchRepository.Owner, benchRepository.Name, middle+int64(i)*1000)),
			chromedp.WaitVisible(`section .log .line.marked`),
			chromedp.Poll(`performance.getEntriesByName("first-contentful-paint").length > 0`, nil),
			chromedp.Evaluate(`performance.getEntriesByName("first-contentful-paint")[0].startTime`, &ms))
		stop()
		cancel()
		if err != nil {
			return nil, fmt.Errorf("look at the page: %w", err)
		}
		took = append(took, ms)
	}
	_, err = s.stop()
	return []row{{
		what: fmt.Sprintf("first paint of the page of a job with a log of %d MiB, in Chromium", l.scale.readLog>>20), ours: fmt.Sprintf("%.0f ms", median(took)),
		against: fmt.Sprintf("%.0f ms wanted", wantPaint), ratio: fmt.Sprintf("%.2f", median(took)/wantPaint), wanted: "< 1", missed: median(took) >= wantPaint,
	}}, errors.Join(err, ctx.Err())
}
