package githubsim

import (
	"fmt"
	"time"
)

// oddScenes are the runs with everything that a system which archives jobs must
// know about.
func (m *dayMaker) oddScenes() []scene {
	return []scene{
		{1 * time.Hour, 6, 0, "CI", m.matrix},
		{2 * time.Hour, 3, 1, "Deploy", m.reusable},
		{3 * time.Hour, 9, 0, "CI", m.rerun},
		{4 * time.Hour, 2, 2, "Docs", m.skipped},
		{5 * time.Hour, 2, 0, "CI", m.cancelledBeforeRunner},
		{5*time.Hour + 30*time.Minute, 2, 3, "Nightly", m.runnersDied},
		{7 * time.Hour, 1, 2, "", m.checkRun},
		{8 * time.Hour, 1, 1, "Nightly", m.expiredLog},
		{9 * time.Hour, 4, 3, "Größe & <b>shape</b> 🛰", m.oddNames},
		{10 * time.Hour, 1, 1, "Deploy", m.gated},
		{11 * time.Hour, 5, 0, "Logs", m.oddLogs},
		{12 * time.Hour, 2, 2, "Scan", m.oddConclusions},
		{13 * time.Hour, 1, 0, "Nightly", m.big},
		{24*time.Hour - 3*time.Minute, 1, 3, "CI", m.lateLog},
	}
}

func (m *dayMaker) matrix(u *dayRun) {
	for _, os := range []string{"ubuntu-latest", "windows-latest", "macos-14"} {
		for _, version := range []string{"1.25", "1.26"} {
			m.add(u.job(draft{
				name:   fmt.Sprintf("test (%s, %s)", os, version),
				labels: []string{os},
				style:  LogStyle{CRLF: os == "windows-latest"},
			}), archived)
		}
	}
}

// reusable is a workflow that calls others: "caller / callee".
func (m *dayMaker) reusable(u *dayRun) {
	m.add(u.job(draft{name: "build"}), archived)
	m.add(u.job(draft{name: "deploy / plan", after: 10 * time.Minute}), archived)
	m.add(u.job(draft{name: "deploy / apply", after: 20 * time.Minute}), archived)
}

// rerun is a run with one flaky job and its second attempt: that job under a new
// id, and the others carried over, under new ids too, as a burst of completed in
// the second in which the attempt began. Their logs are the old ones. In a third
// attempt one job alone was run again, and one is carried over that was before.
func (m *dayMaker) rerun(u *dayRun) {
	build := m.add(u.job(draft{name: "build"}), archived)
	lint := m.add(u.job(draft{name: "lint"}), archived)
	m.add(u.job(draft{name: "flaky", conclusion: "failure"}), archived)
	u.attempt = 2
	u.at = u.at.Add(30 * time.Minute)
	build = m.add(u.carriedOver(build), archived)
	m.add(u.carriedOver(lint), archived)
	flaky := m.add(u.job(draft{name: "flaky"}), archived)
	u.attempt = 3
	u.at = u.at.Add(30 * time.Minute)
	for _, old := range []Job{build, flaky} {
		m.add(u.carriedOver(old), archived)
	}
	m.add(u.job(draft{name: "lint"}), archived)
}

func (m *dayMaker) skipped(u *dayRun) {
	m.add(u.job(draft{name: "changes"}), archived)
	m.add(u.bare(draft{name: "publish", conclusion: "skipped", labels: []string{}, after: time.Minute}), none)
}

func (m *dayMaker) cancelledBeforeRunner(u *dayRun) {
	m.add(u.job(draft{name: "test", conclusion: "cancelled"}), archived)
	j := u.bare(draft{name: "gpu", conclusion: "cancelled", labels: []string{"self-hosted", "gpu"}})
	end := j.CreatedAt.Add(4 * time.Minute)
	j.CompletedAt = &end
	m.add(j, none)
}

// runnersDied has a job whose log never came, and one of whose log only a part came.
func (m *dayMaker) runnersDied(u *dayRun) {
	labels := []string{"self-hosted", "linux", "spot"}
	lost := u.job(draft{name: "spot instance taken away", conclusion: "failure", labels: labels})
	lost.Steps, lost.Log = died(lost.Steps), Log{}
	m.add(lost, missing)

	partial := u.job(draft{name: "out of memory", conclusion: "failure", labels: labels, size: 90_000})
	partial.Steps = died(partial.Steps)
	partial.Log = TextLog(partial.Log.Bytes()[:61_234])
	m.add(partial, archived)
}

// died are the steps as they stood when the runner stopped talking.
func died(steps []Step) []Step {
	steps = steps[:4:4]
	last := &steps[3]
	last.Status, last.Conclusion, last.CompletedAt = "in_progress", nil, nil
	return steps
}

// checkRun is a third party's check run, which GitHub tells as if it were a job.
func (m *dayMaker) checkRun(u *dayRun) {
	j := u.bare(draft{name: "security/scan", conclusion: "neutral", labels: []string{}})
	j.HeadBranch = ""
	m.add(j, none)
}

func (m *dayMaker) expiredLog(u *dayRun) {
	j := m.add(u.job(draft{name: "backup"}), expired)
	m.s.ExpireLog(j.ID)
}

// oddNames includes two jobs of one name.
func (m *dayMaker) oddNames(u *dayRun) {
	for _, name := range []string{"lint: 🚀 go/vet", "../../etc: C:\\temp \"<b>&amp;\"", "größe / 日本語", "größe / 日本語"} {
		m.add(u.job(draft{name: name}), archived)
	}
}

// gated is a job that waited for somebody to allow the deployment.
func (m *dayMaker) gated(u *dayRun) {
	j := u.job(draft{name: "release to production"})
	j.Life = []string{"queued", "waiting", "queued", "in_progress", "completed"}
	m.add(j, archived)
}

func (m *dayMaker) oddLogs(u *dayRun) {
	for _, d := range []draft{
		{name: "one huge line", style: LogStyle{HugeLine: true}, size: 1_500_000},
		{name: "binary output", style: LogStyle{NULBytes: true, InvalidUTF8: true}},
		{name: "colours and loose lines", style: LogStyle{ANSI: true, UntimestampedLines: true}},
		{name: "no final newline", style: LogStyle{NoFinalNewline: true}},
		{name: "three pages", style: LogStyle{ANSI: true}, size: 5 << 20},
	} {
		m.add(u.job(d), archived)
	}
}

func (m *dayMaker) oddConclusions(u *dayRun) {
	m.add(u.job(draft{name: "hung", conclusion: "timed_out"}), archived)
	m.add(u.job(draft{name: "approval needed", conclusion: "action_required"}), archived)
}

func (m *dayMaker) big(u *dayRun) {
	m.add(u.job(draft{name: "fuzz everything", lasts: 40 * time.Minute, size: m.bigLog}), archived)
}

// lateLog ends just now, so that its log is still worth waiting for.
func (m *dayMaker) lateLog(u *dayRun) {
	j := m.add(u.job(draft{name: "just finished", lasts: 2 * time.Minute}), archived)
	m.s.LogAvailableAt(j.ID, 3)
}
