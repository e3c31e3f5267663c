package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"sort"
	"time"

	"github.com/jobvault/jobvault/store"
)

// Fold makes one account of a job out of everything said of it. The furthest
// snapshot counts; what it leaves open is taken from the next one, and so on
// down. The result does not depend on the order of the snapshots, nor on
// repeats. There must be at least one, all of one job.
func Fold(snapshots []store.Facts) store.Facts {
	ordered := make([]*snapshot, len(snapshots))
	for i, s := range snapshots {
		ordered[i] = &snapshot{Facts: s}
	}
	sort.SliceStable(ordered, func(a, b int) bool { return compareProgress(ordered[a], ordered[b]) > 0 })
	out := ordered[0].Facts
	out.Steps = append([]store.Step(nil), out.Steps...)
	for _, older := range ordered[1:] {
		fill(&out, older.Facts)
	}
	// Names go by the time that is told of, whatever the job's state; those that do not
	// count are known, too.
	reports := make([]store.Repository, len(ordered))
	for i, s := range ordered {
		reports[i] = s.Repository
	}
	out.Repository, out.OtherNames = store.FoldRepository(reports)
	return out
}

// snapshot is what was said of a job once, and, if it was needed, its content.
type snapshot struct {
	store.Facts
	canonical []byte
}

// content is a canonical form of what the snapshot says of the job.
func (s *snapshot) content() []byte {
	if s.canonical == nil {
		// These types always marshal.
		s.canonical, _ = json.Marshal([]any{s.Job, s.Run, s.Steps, s.Labels})
	}
	return s.canonical
}

// compareProgress orders snapshots of one job by how far the job had come. Two
// that came equally far are ordered by their content, so that the order is
// total whatever was sent.
func compareProgress(a, b *snapshot) int {
	further := cmp.Or(
		cmp.Compare(store.Stage(a.Job.Status), store.Stage(b.Job.Status)),
		compareTimes(a.Job.CompletedAt, b.Job.CompletedAt),
		compareTimes(a.Job.StartedAt, b.Job.StartedAt),
		cmp.Compare(completedSteps(a.Facts), completedSteps(b.Facts)),
		cmp.Compare(len(a.Steps), len(b.Steps)),
	)
	if further != 0 {
		return further
	}
	return bytes.Compare(a.content(), b.content())
}

func compareTimes(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return a.Compare(*b)
}

func completedSteps(f store.Facts) int {
	n := 0
	for _, s := range f.Steps {
		if s.Status == store.StatusCompleted {
			n++
		}
	}
	return n
}

// fill takes from an older snapshot what is still open.
func fill(f *store.Facts, older store.Facts) {
	fillNil(&f.Job.RunAttempt, older.Job.RunAttempt)
	fillNil(&f.Job.Conclusion, older.Job.Conclusion)
	fillNil(&f.Job.NodeID, older.Job.NodeID)
	fillNil(&f.Job.HTMLURL, older.Job.HTMLURL)
	fillNil(&f.Job.CheckRunURL, older.Job.CheckRunURL)
	fillNil(&f.Job.CreatedAt, older.Job.CreatedAt)
	fillNil(&f.Job.StartedAt, older.Job.StartedAt)
	fillNil(&f.Job.CompletedAt, older.Job.CompletedAt)
	fillNil(&f.Job.RunnerID, older.Job.RunnerID)
	fillNil(&f.Job.RunnerName, older.Job.RunnerName)
	fillNil(&f.Job.RunnerGroupID, older.Job.RunnerGroupID)
	fillNil(&f.Job.RunnerGroupName, older.Job.RunnerGroupName)
	fillNil(&f.Run.WorkflowName, older.Run.WorkflowName)
	fillNil(&f.Run.HeadBranch, older.Run.HeadBranch)
	fillNil(&f.Run.HeadSHA, older.Run.HeadSHA)
	if len(f.Labels) == 0 {
		f.Labels = older.Labels
	}
	if len(f.Steps) == 0 {
		f.Steps = append([]store.Step(nil), older.Steps...)
		return
	}
	byNumber := make(map[int64]store.Step, len(older.Steps))
	for _, s := range older.Steps { // whose numbers come once
		byNumber[s.Number] = s
	}
	for i := range f.Steps {
		if o, ok := byNumber[f.Steps[i].Number]; ok {
			fillStep(&f.Steps[i], o)
		}
	}
}

// fillStep fills a step from the one of its number in an older snapshot. A number may
// have meant another step then.
func fillStep(s *store.Step, older store.Step) {
	if older.Name != s.Name {
		return
	}
	if older.Status == store.StatusCompleted {
		s.Status = older.Status // a step does not go back either
	}
	fillNil(&s.Conclusion, older.Conclusion)
	fillNil(&s.StartedAt, older.StartedAt)
	fillNil(&s.CompletedAt, older.CompletedAt)
}

func fillNil[T any](dst **T, v *T) {
	if *dst == nil {
		*dst = v
	}
}
