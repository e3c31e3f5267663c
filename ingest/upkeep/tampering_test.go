package upkeep_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
)

// tampering is something that somebody does to the archive.
type tampering struct {
	object, how string
	do          func(w *evidenceWorld)
	sql         string // done to the database, before do
}

// tamperingsOf is what can be done to an object: two is another job's of the same kind, older
// what it was before, and elsewhere a key that is nobody's.
func tamperingsOf(object string, one, two, elsewhere func(w *evidenceWorld) string, older func(w *evidenceWorld) (key string, content []byte)) []tampering {
	edit := func(how string, f func([]byte) []byte) tampering {
		return tampering{object: object, how: how, do: func(w *evidenceWorld) { w.put(one(w), f(bytes.Clone(w.Get(one(w))))) }}
	}
	return []tampering{
		edit("changed", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }),
		edit("cut", func(b []byte) []byte { return b[:len(b)/2] }),
		{object: object, how: "swapped", do: func(w *evidenceWorld) {
			a, b := w.Get(one(w)), w.Get(two(w))
			w.put(one(w), b)
			w.put(two(w), a)
		}},
		{object: object, how: "replayed", do: func(w *evidenceWorld) { key, content := older(w); w.put(key, content) }},
		{object: object, how: "lost", do: func(w *evidenceWorld) { w.lose(one(w)) }},
		{object: object, how: "renamed", do: func(w *evidenceWorld) { w.put(elsewhere(w), w.Get(one(w))); w.lose(one(w)) }},
	}
}

func keyed(id int64, name func(archive.JobKey) string) func(*evidenceWorld) string {
	return func(w *evidenceWorld) string { return name(w.keyOf(id)) }
}

// nobodys is the folder of an attempt that there was not.
func nobodys(id int64, name func(archive.JobKey) string) func(*evidenceWorld) string {
	return func(w *evidenceWorld) string {
		k := w.keyOf(id)
		k.RunAttempt = 9
		return name(k)
	}
}

// objectTamperings are those of the bucket's objects.
func objectTamperings() []tampering {
	log, filter, details, settled := archive.JobKey.Log, archive.JobKey.Filter, archive.JobKey.Details, archive.JobKey.Settled
	longer := func(k archive.JobKey) string { return k.LogNumbered(2) }
	copied := func(n int) func(archive.JobKey) string {
		return func(k archive.JobKey) string { return k.Redacted(n) }
	}
	before := func(key func(*evidenceWorld) string, what string) func(*evidenceWorld) (string, []byte) {
		return func(w *evidenceWorld) (string, []byte) { return key(w), w.earlier[what] }
	}
	day := func(n int) func(w *evidenceWorld) string {
		return func(w *evidenceWorld) string { return archive.ManifestKey(w.head.Date.AddDate(0, 0, n)) }
	}
	row := func(n int64) func(w *evidenceWorld) string {
		return func(*evidenceWorld) string { return archive.RemovalsKey(n) }
	}
	return slices.Concat(
		tamperingsOf("log.zst", keyed(jobWithLog, log), keyed(jobBesides, log), nobodys(jobWithLog, log), before(keyed(jobRemoved, log), "removed log")),
		tamperingsOf("log-2.zst", keyed(jobLonger, longer), keyed(jobBesides, log), nobodys(jobLonger, longer), func(w *evidenceWorld) (string, []byte) {
			return w.keyOf(jobLonger).LogNumbered(2), w.Get(w.keyOf(jobLonger).Log())
		}),
		tamperingsOf("log.zst before log-2.zst", keyed(jobLonger, log), keyed(jobBesides, log), nobodys(jobLonger, log), func(w *evidenceWorld) (string, []byte) {
			return w.keyOf(jobLonger).Log(), w.Get(w.keyOf(jobLonger).LogNumbered(2))
		}),
		tamperingsOf("log.filter", keyed(jobWithLog, filter), keyed(jobBesides, filter), nobodys(jobWithLog, filter), before(keyed(jobRemoved, filter), "removed filter")),
		tamperingsOf("job.json", keyed(jobWithLog, details), keyed(jobBesides, details), nobodys(jobWithLog, details), func(w *evidenceWorld) (string, []byte) {
			// As it was while the job ran.
			return w.first.Details(), bytes.Replace(w.Get(w.first.Details()), []byte(`"conclusion":"success"`), []byte(`"conclusion":null`), 1)
		}),
		tamperingsOf("settled.json", keyed(jobSkipped, settled), keyed(jobMissing, settled), nobodys(jobSkipped, settled), before(keyed(jobRedacted, settled), "settled.json")),
		tamperingsOf("settled.json of a removal", keyed(jobRedacted, settled), keyed(jobRedacted1, settled), nobodys(jobRedacted, settled), before(keyed(jobRedacted, settled), "settled.json")),
		tamperingsOf("settled.json beside a log", keyed(jobCameLate, settled), keyed(jobMissing, settled), keyed(jobWithLog, settled), func(w *evidenceWorld) (string, []byte) {
			return w.keyOf(jobCameLate).Settled(), w.Get(w.keyOf(jobRemoved).Settled())
		}),
		tamperingsOf("redacted-N.zst", keyed(jobRedacted, copied(2)), keyed(jobRedacted1, copied(1)), keyed(jobRedacted, copied(3)), before(keyed(jobRedacted, copied(2)), "redacted")),
		tamperingsOf("record of removals", row(2), row(3), row(9), func(w *evidenceWorld) (string, []byte) { return row(2)(w), w.Get(row(1)(w)) }),
		tamperingsOf("the last record of removals", row(4), row(3), row(9), func(w *evidenceWorld) (string, []byte) { return row(4)(w), w.Get(row(3)(w)) }),
		tamperingsOf("manifest", day(-1), day(-2), day(-5), func(w *evidenceWorld) (string, []byte) { return day(-1)(w), w.Get(day(-2)(w)) }),
		tamperingsOf("the last manifest", day(0), day(-1), day(9), func(w *evidenceWorld) (string, []byte) { return day(0)(w), w.Get(day(-1)(w)) }),
	)
}

// rowTamperings are those of the database's rows.
func rowTamperings() []tampering {
	row := func(table, how, sql string) tampering {
		return tampering{object: "row of " + table, how: how, sql: sql}
	}
	return []tampering{
		row("job_logs", "changed", `UPDATE job_logs SET reason = 'because' WHERE job_id = 1`),
		row("job_logs", "another state", `UPDATE job_logs SET state = 'missing' WHERE job_id = 1`),
		row("job_logs", "another digest", `UPDATE job_logs SET sha256 = sha256('') WHERE job_id = 1`),
		row("job_logs", "swapped", `UPDATE job_logs a SET (sha256, stored_sha256, stored_bytes, frame_offsets, frame_lines) =
			(SELECT sha256, stored_sha256, stored_bytes, frame_offsets, frame_lines FROM job_logs b WHERE a.job_id + b.job_id = 3) WHERE job_id IN (1, 2)`),
		row("job_logs", "lost", `DELETE FROM job_logs WHERE job_id = 1`),
		row("shorter_logs", "changed", `UPDATE shorter_logs SET archived_at = archived_at - interval '1 hour'`),
		row("shorter_logs", "another digest", `UPDATE shorter_logs SET sha256 = sha256('')`),
		row("shorter_logs", "lost", `DELETE FROM shorter_logs`),
		row("jobs", "changed", `UPDATE jobs SET conclusion = 'failure' WHERE id = 1`),
		row("jobs", "swapped", `UPDATE jobs a SET name = (SELECT name FROM jobs b WHERE a.id + b.id = 3) WHERE id IN (1, 2)`),
		row("jobs", "lost", `WITH l AS (DELETE FROM job_logs WHERE job_id = 1) DELETE FROM jobs WHERE id = 1`),
		row("workflow_runs", "changed", `UPDATE workflow_runs SET head_sha = repeat('f', 40) WHERE id = 101`),
		row("steps", "changed", `UPDATE steps SET conclusion = 'failure' WHERE job_id = 1`),
		row("steps", "lost", `DELETE FROM steps WHERE job_id = 1`),
		row("steps", "lines known otherwise", `UPDATE steps SET log_lines = CASE log_lines WHEN 'exact' THEN 'shared' ELSE 'exact' END WHERE job_id = 1 AND log_first_line IS NOT NULL`),
		row("job_labels", "changed", `WITH forged AS (INSERT INTO labels (name) VALUES ('forged') RETURNING id) UPDATE job_labels SET label_id = (SELECT id FROM forged) WHERE job_id = 1`),
		row("labels", "changed", `UPDATE labels SET name = 'forged'`),
		row("job_actions", "changed", `UPDATE job_actions SET resolved_sha = repeat('f', 40) WHERE job_id = 1`),
		row("job_actions", "lost", `DELETE FROM job_actions WHERE job_id = 1`),
		row("job_annotations", "changed", `UPDATE job_annotations SET message = 'all is well' WHERE job_id = 1`),
		row("job_annotations", "lost", `DELETE FROM job_annotations WHERE job_id = 1`),
		row("job_annotations", "of another step", `UPDATE job_annotations SET step_number = 999 WHERE job_id = 1`),
		row("job_annotations", "of a removed log", `INSERT INTO job_annotations VALUES (6, 7, 'error', 's3cret and hunter2')`),
		row("job_environment", "changed", `UPDATE job_environment SET runner_version = '1' WHERE job_id = 1`),
		row("job_permissions", "changed", `UPDATE job_permissions SET level = 'write' WHERE job_id = 1`),
		row("log_removals", "changed", `UPDATE log_removals SET actor = 'mallory' WHERE job_id = 6`),
		row("log_removals", "lost", `DELETE FROM log_removals WHERE job_id = 6`),
		row("log_redactions", "changed", `UPDATE log_redactions SET reason = 'none' WHERE job_id = 5 AND number = 2`),
		row("log_redactions", "lost", `DELETE FROM log_redactions WHERE job_id = 5 AND number = 1`),
		row("manifests", "changed", `UPDATE manifests SET sha256 = sha256('') WHERE date = '2026-03-02'`),
		row("manifests", "lost", `DELETE FROM manifests WHERE date = '2026-03-03'`),
	}
}

// bothTamperings are done by somebody who can write bucket and database.
func bothTamperings() []tampering {
	both := func(how string, do func(w *evidenceWorld)) tampering {
		return tampering{object: "bucket and database", how: how, do: do}
	}
	failed := func(w *evidenceWorld) []byte {
		raw := bytes.ReplaceAll(w.Get(w.first.Details()), []byte(`"conclusion":"success"`), []byte(`"conclusion":"failure"`))
		w.put(w.first.Details(), raw)
		w.Exec(`UPDATE jobs SET conclusion = 'failure' WHERE id = 1`)
		w.Exec(`UPDATE steps SET conclusion = 'failure' WHERE job_id = 1`)
		w.Exec(`UPDATE job_logs SET details_sha256 = sha256($1::bytea), details_bytes = $2 WHERE job_id = 1`, raw, len(raw))
		return raw
	}
	somebodyElse := func(w *evidenceWorld) []byte {
		key := w.keyOf(jobRemoved).Settled()
		raw := bytes.ReplaceAll(w.Get(key), []byte(`"actor":"eve"`), []byte(`"actor":"bob"`))
		w.put(key, raw)
		w.Exec(`UPDATE log_removals SET actor = 'bob' WHERE job_id = 6`)
		w.Exec(`UPDATE job_logs SET settled_sha256 = sha256($1::bytea) WHERE job_id = 6`, raw)
		return raw
	}
	return []tampering{
		both("job.json and its rows", func(w *evidenceWorld) { failed(w) }),
		both("job.json, its rows and the manifest", func(w *evidenceWorld) {
			raw := failed(w)
			w.rewrite(1, func(l *archive.ManifestLine) {
				if l.JobID == jobWithLog {
					sum := sha256.Sum256(raw)
					l.DetailsSHA256, l.DetailsBytes = hex.EncodeToString(sum[:]), new(int64(len(raw)))
				}
			})
		}),
		both("job.json, its rows and all manifests", func(w *evidenceWorld) {
			raw := failed(w)
			w.rewrite(3, func(l *archive.ManifestLine) {
				if l.JobID == jobWithLog {
					sum := sha256.Sum256(raw)
					l.DetailsSHA256, l.DetailsBytes = hex.EncodeToString(sum[:]), new(int64(len(raw)))
				}
			})
		}),
		both("job.json and its rows, before the next manifest", func(w *evidenceWorld) { failed(w); w.listAgain() }),
		both("who removed it, before the next manifest", func(w *evidenceWorld) { somebodyElse(w); w.listAgain() }),
		both("who removed it", func(w *evidenceWorld) { somebodyElse(w) }),
		both("who removed it, and all manifests", func(w *evidenceWorld) {
			raw := somebodyElse(w)
			w.rewrite(3, func(l *archive.ManifestLine) {
				if l.JobID == jobRemoved && l.State == "removed" {
					sum := sha256.Sum256(raw)
					l.SettledSHA256 = hex.EncodeToString(sum[:])
				}
			})
		}),
	}
}

// listAgain has jobvault itself list what the ledger says by now.
func (w *evidenceWorld) listAgain() {
	w.T.Helper()
	was := w.Now()
	w.nextDay(w.clock)
	w.clock.Advance(-w.Now().Sub(was))
}

// rewrite writes the first manifests again, with other lines and the right digests, and
// has the database tell of them.
func (w *evidenceWorld) rewrite(days int, edit func(*archive.ManifestLine)) {
	w.T.Helper()
	var previous *archive.Manifest
	for n := range days {
		date := w.head.Date.AddDate(0, 0, n-2)
		var lines []archive.ManifestLine
		_, err := w.Archive.ReadManifest(w.T.Context(), date, func(l archive.ManifestEntry) error {
			lines = append(lines, l.ManifestLine)
			return nil
		})
		w.Check(err)
		w.lose(archive.ManifestKey(date))
		m, err := w.Archive.WriteManifest(w.T.Context(), date, previous, nil, edited(lines, edit))
		w.Check(err)
		w.Exec(`UPDATE manifests SET sha256 = $2, stored_sha256 = $3, stored_bytes = $4 WHERE date = $1`, date, m.SHA256[:], m.StoredSHA256[:], m.StoredBytes)
		for _, l := range lines {
			w.Exec(`UPDATE job_logs SET manifest_date = $2 WHERE job_id = $1 AND (manifest_date IS NULL OR manifest_date < $2)`, l.JobID, date)
		}
		previous = &m
	}
}

func edited(lines []archive.ManifestLine, edit func(*archive.ManifestLine)) iter.Seq2[archive.ManifestLine, error] {
	return func(yield func(archive.ManifestLine, error) bool) {
		for _, l := range lines {
			if edit(&l); !yield(l, nil) {
				return
			}
		}
	}
}

// Every kind of tampering is found, by the commands that docs/manifests.md says, and
// by none of them where nothing was tampered with. JOBVAULT_UPDATE=1 writes the table.
func TestEveryTamperingIsFound(t *testing.T) {
	t.Parallel()
	w := newEvidenceWorld(t)
	if found := w.found(); slices.ContainsFunc(found, func(f string) bool { return f != silent }) {
		t.Fatalf("nothing was done, and it is found: %v", found)
	}
	table := tamperingHeader()
	for _, c := range slices.Concat(objectTamperings(), rowTamperings(), bothTamperings()) {
		undo := w.tampered(c.sql)
		if c.do != nil {
			c.do(w)
		}
		w.age()
		found := w.found()
		if !slices.ContainsFunc(found, func(f string) bool { return f != silent }) {
			t.Errorf("%s %s: nobody finds it", c.object, c.how)
		}
		table += tamperingLine(c, found)
		undo()
		w.restore()
	}
	if found := w.found(); slices.ContainsFunc(found, func(f string) bool { return f != silent }) {
		t.Errorf("all was put back, and it is found: %v", found)
	}
	compareTamperings(t, table)
}

func tamperingHeader() string {
	head, rule := "| what | how |", "|---|---|"
	for _, c := range evidenceCommands {
		head, rule = head+" `"+c.name+"` |", rule+":-:|"
	}
	return head + "\n" + rule + "\n"
}

func tamperingLine(c tampering, found []string) string {
	line := fmt.Sprintf("| %s | %s |", c.object, c.how)
	for _, f := range found {
		line += strings.TrimRight(" "+f, " ") + " |"
	}
	return line + "\n"
}

// compareTamperings wants the document to have the table.
func compareTamperings(t *testing.T, table string) {
	t.Helper()
	const path, begin, end = "../../docs/manifests.md", "<!-- tampering -->\n", "<!-- /tampering -->\n"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), begin)
	written, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no table of tampering", path)
	}
	if os.Getenv("JOBVAULT_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(written, "\n"), strings.Split(table, "\n")); diff != "" {
		t.Errorf("%s (-written +found):\n%s", path, diff)
	}
}
