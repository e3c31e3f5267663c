package record

import (
	"fmt"
	"net/http"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// SettlementOf is the settlement of a job whose log is in the bucket.
func SettlementOf(jobID int64, log archive.Log, at time.Time) store.Settlement {
	object := ObjectOf(log, at)
	return store.Settlement{
		JobID: jobID, State: store.LogArchived, Reason: truncatedReason(log), HTTPStatus: http.StatusOK, Asked: true,
		Object: &object, Shorter: ShorterRows(jobID, log.Shorter), Steps: StepAligner(log.Index), Usage: log.Index.Usage,
	}
}

// ObjectOf is what the ledger notes of a log's object.
func ObjectOf(log archive.Log, at time.Time) store.Object {
	return store.Object{
		Key: log.Key, RawBytes: log.RawBytes, StoredBytes: log.StoredBytes, Lines: log.Lines, SHA256: log.SHA256, StoredSHA256: log.StoredSHA256,
		FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets, Truncated: log.Truncated, ArchivedAt: at, FilterBytes: log.FilterBytes,
	}
}

func truncatedReason(log archive.Log) string {
	if !log.Truncated {
		return ""
	}
	return fmt.Sprintf("cut at %d bytes, the limit that is set", log.RawBytes)
}

// StepAligner is StepLines of a job's log.
func StepAligner(x *joblog.Index) store.StepAligner {
	return func(steps []store.Step) []store.StepLines { return StepLines(x, steps) }
}

// StepLines are the lines of the steps that ran, by the job's log and its steps as the
// tables have them. One whose start is not known has none; if it was not skipped, the lines
// of its neighbours are not exact.
func StepLines(x *joblog.Index, steps []store.Step) []store.StepLines {
	var ran []joblog.Step
	for _, s := range steps {
		if s.Conclusion != nil && *s.Conclusion == "skipped" {
			continue
		}
		step := joblog.Step{Number: s.Number, Name: s.Name}
		if s.StartedAt != nil {
			step.StartedAt = *s.StartedAt
		}
		if s.Conclusion != nil {
			step.Conclusion = *s.Conclusion
		}
		if s.CompletedAt != nil {
			step.CompletedAt = *s.CompletedAt
		}
		ran = append(ran, step)
	}
	var lines []store.StepLines
	for _, r := range joblog.AlignSteps(x, ran) {
		lines = append(lines, store.StepLines{Number: r.Number, First: r.First, Last: r.Last, Certainty: r.Certainty})
	}
	return lines
}

// LogOf is what the ledger says of an archived log.
func LogOf(l store.LedgerLine) archive.Log {
	return archive.Log{
		LogLayout: archive.LogLayout{
			Key: *l.ObjectKey, RawBytes: *l.RawBytes, StoredBytes: *l.StoredBytes, Lines: *l.Lines,
			FrameLines: l.FrameLines, FrameOffsets: l.FrameOffsets,
		},
		SHA256: DigestOf(l.SHA256), StoredSHA256: DigestOf(l.StoredSHA256), Truncated: l.Truncated, Shorter: ShorterOf(l.Shorter),
	}
}

// ShorterOf is what the ledger says of the logs whose place a job's log has taken.
func ShorterOf(rows []store.ShorterLog) []archive.ShorterLog {
	var logs []archive.ShorterLog
	for _, s := range rows {
		logs = append(logs, archive.ShorterLog{
			Number: s.Number, ObjectKey: s.ObjectKey, RawBytes: s.RawBytes, StoredBytes: s.StoredBytes, Lines: s.Lines,
			SHA256: DigestOf(s.SHA256), StoredSHA256: DigestOf(s.StoredSHA256), ArchivedAt: s.ArchivedAt,
		})
	}
	return logs
}

// ShorterRows is what ShorterOf was made of.
func ShorterRows(jobID int64, logs []archive.ShorterLog) []store.ShorterLog {
	var rows []store.ShorterLog
	for _, s := range logs {
		row := store.ShorterLog{
			JobID: jobID, Number: s.Number, ObjectKey: s.ObjectKey, RawBytes: s.RawBytes, StoredBytes: s.StoredBytes, Lines: s.Lines,
			SHA256: s.SHA256[:], ArchivedAt: s.ArchivedAt,
		}
		if s.StoredSHA256 != (archive.Digest{}) {
			row.StoredSHA256 = s.StoredSHA256[:]
		}
		rows = append(rows, row)
	}
	return rows
}
