package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/archive"
)

type manifestCmd struct {
	JSON bool `help:"Print one JSON object per line."`
}

// writtenManifest is what the command prints of a manifest.
type writtenManifest struct {
	Date   string `json:"date"`
	Jobs   int64  `json:"jobs"`
	SHA256 string `json:"sha256"`
}

// Help is kong's: examples and exit status.
func (manifestCmd) Help() string {
	return helpText(`jobvault manifest
jobvault manifest --json`, usualExit)
}

// Run does what a serving jobvault does by itself, now, and prints what it wrote.
func (c manifestCmd) Run(ctx context.Context, e *environment) error {
	return runSession(ctx, e, maintenanceNeeds, func(s *session) error {
		n := 0
		err := s.manifestWriter().WriteDue(ctx, func(m archive.Manifest) {
			n++
			w := writtenManifest{Date: m.Date.Format(time.DateOnly), Jobs: m.Jobs, SHA256: fmt.Sprintf("%x", m.SHA256)}
			if c.JSON {
				_ = jsonEncoder(e.stdout).Encode(w) // it is in the bucket, whoever hears of it
				return
			}
			fmt.Fprintf(e.stdout, "%s  %d jobs  %s\n", w.Date, w.Jobs, w.SHA256)
		})
		if err == nil && n == 0 && !c.JSON {
			fmt.Fprintln(e.stdout, "nothing is due")
		}
		return err
	})
}
