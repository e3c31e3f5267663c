package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/jobvault/jobvault/internal/githubsim"
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
	settings, _, err := l.archiveLogs(ctx, "paint", githubsim.LogStyle{ANSI: true}, l.scale.readLog)
	if err != nil {
		return nil, err
	}
	s, err := l.startServer(ctx, append(settings, "JOBVAULT_ROLES=lookup")...)
	if err != nil {
		return nil, err
	}
	defer s.abandon()
	lines, err := s.linesOf(ctx, 1)
	if err != nil {
		return nil, err
	}
	took, err := paintTimes(ctx, path, s.url, lines/2)
	if err != nil {
		return nil, err
	}
	_, err = s.stop()
	return []row{{
		what: fmt.Sprintf("first paint of the page of a job with a log of %d MiB, in Chromium", l.scale.readLog>>20), ours: fmt.Sprintf("%.0f ms", median(took)),
		against: fmt.Sprintf("%.0f ms wanted", wantPaint), ratio: fmt.Sprintf("%.2f", median(took)/wantPaint), wanted: "< 1", missed: median(took) >= wantPaint,
	}}, errors.Join(err, ctx.Err())
}

// paintTimes opens the page of job 1 some times, each at a line further on, and returns
// the times of the first paint in milliseconds.
func paintTimes(ctx context.Context, chromium, base string, line int64) ([]float64, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
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
		ms, err := firstPaint(browser, fmt.Sprintf("%s/%s/%s/jobs/1?line=%d", base, benchRepository.Owner, benchRepository.Name, line+int64(i)*1000))
		if err != nil {
			return nil, fmt.Errorf("look at the page: %w", err)
		}
		took = append(took, ms)
	}
	return took, nil
}

// firstPaint opens a page in a tab of its own.
func firstPaint(browser context.Context, address string) (ms float64, err error) {
	tab, cancel := chromedp.NewContext(browser)
	defer cancel()
	limited, stop := context.WithTimeout(tab, time.Minute)
	defer stop()
	err = chromedp.Run(limited,
		chromedp.Navigate(address),
		chromedp.WaitVisible(`section .log .line.marked`),
		chromedp.Poll(`performance.getEntriesByName("first-contentful-paint").length > 0`, nil),
		chromedp.Evaluate(`performance.getEntriesByName("first-contentful-paint")[0].startTime`, &ms))
	return ms, err
}
