package search

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/store"
)

// maxFilterReads bounds how many logs' filters are read at once: the filters of one log
// take up to 8 MiB.
const maxFilterReads = 16

// candidateLog is a log that may have a match.
type candidateLog struct {
	store.ListedLog
	frames []archive.Candidate // that may have one; nil: all
}

// prefilter decides which logs have to be read. It looks into the filters of several logs
// side by side, and sums up in skipped those that cannot have a match: that is where a
// search saves its time.
//
// A log is read whole if the query is unfiltered, if its pattern requires no text that
// filters could rule out, or if the log's filters are missing or damaged. Logs that are
// not in the archive are neither candidates nor counted.
func (r *run) prefilter(ctx context.Context, logs []store.ListedLog) (candidates []candidateLog, skipped Stats, err error) {
	all := make([]*candidateLog, len(logs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(min(max(r.Parallel, 1), maxFilterReads))
	for i, l := range logs {
		switch {
		case l.State != store.LogArchived && l.State != store.LogRemoved:
		case l.FilterBytes == nil || r.Unfiltered || !r.Pattern.Selective():
			all[i] = &candidateLog{ListedLog: l}
		default:
			g.Go(func() (err error) {
				all[i] = &candidateLog{ListedLog: l}
				all[i].frames, err = r.candidateFrames(gctx, l.JobLog)
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, skipped, err
	}
	for _, l := range all {
		switch {
		case l == nil:
		case l.frames != nil && len(l.frames) == 0:
			skipped.add(Stats{Logs: 1, RawBytes: *l.RawBytes})
		default:
			candidates = append(candidates, *l)
		}
	}
	return candidates, skipped, nil
}

// candidateFrames returns the frames of a log that may have a match; nil: the log's
// filters are of no use. Reporting damaged filters is left to jobvault verify.
func (r *run) candidateFrames(ctx context.Context, log store.JobLog) ([]archive.Candidate, error) {
	if archive.LogNumber(*log.ObjectKey) == 0 {
		return nil, nil
	}
	frames, err := r.logs.Archive.Candidates(ctx, *log.ObjectKey, *log.FilterBytes, log.SHA256, len(log.FrameOffsets), r.Pattern)
	if errors.Is(err, bucket.ErrNotFound) || errors.Is(err, bucket.ErrUnreadable) {
		return nil, nil
	}
	return append([]archive.Candidate{}, frames...), err
}
