package githubsim

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// plan is how a generated log is laid out: the lines that have a meaning, and
// how much build output stands between them.
type plan struct {
	seed     uint64
	size     int64
	style    LogStyle
	sections []section
	lastFill int   // the section whose output makes the size exact
	tail     int64 // bytes after that output
}

// section is one step's part of the log.
type section struct {
	before, after []string
	share         int64 // of the build output
	from, to      ticks
}

func newPlan(seed uint64, size int64, style LogStyle) *plan {
	if style.Steps == nil {
		style.Steps = inventedSteps(style.Start, size)
	}
	if style.Repository == "" {
		style.Repository = "acme/rocket"
	}
	if style.JobName == "" {
		style.JobName = "test (ubuntu-latest)"
	}
	p := &plan{seed: seed, size: size, style: style, lastFill: -1}
	for _, st := range style.Steps {
		p.sections = append(p.sections, stepSection(st, style))
	}
	if len(p.sections) == 0 {
		p.sections = []section{{before: headLines(style)}}
	}
	for i, sec := range p.sections {
		if sec.share > 0 {
			p.lastFill = i
		}
	}
	if p.lastFill < 0 {
		p.lastFill = len(p.sections) - 1
		p.sections[p.lastFill].share = 1
	}
	p.tail = p.lineBytes(p.sections[p.lastFill].after)
	for _, sec := range p.sections[p.lastFill+1:] {
		p.tail += p.lineBytes(sec.before) + p.lineBytes(sec.after)
	}
	if style.NoFinalNewline {
		// The last end of line is made and then cut, see trim.
		p.tail -= int64(len(p.eol()))
	}
	return p
}

func (p *plan) eol() string {
	if p.style.CRLF {
		return "\r\n"
	}
	return "\n"
}

func (p *plan) lineBytes(lines []string) int64 {
	var n int64
	for _, l := range lines {
		n += int64(stampSize + len(l) + len(p.eol()))
	}
	return n
}

// stepSection is what the runner and the step print. A step that did not run
// prints nothing.
func stepSection(st Step, style LogStyle) section {
	var sec section
	if st.StartedAt != nil {
		sec.from = ticksOf(*st.StartedAt)
		sec.to = sec.from + ticksPerSecond/2
	}
	if st.CompletedAt != nil {
		sec.to = max(sec.to, ticksOf(*st.CompletedAt))
	}
	command, isRun := strings.CutPrefix(st.Name, "Run ")
	switch {
	case st.Conclusion != nil && *st.Conclusion == "skipped":
	case st.Name == "Set up job":
		sec.before = headLines(style)
	case st.Name == "Complete job":
		sec.before = []string{"Cleaning up orphan processes"}
	case strings.HasPrefix(st.Name, "Post "):
		sec.before = postLines
	case isRun && strings.HasPrefix(command, "actions/checkout@"):
		sec.before = checkoutLines(command, style)
	case isRun && strings.Contains(command, "@"):
		sec.before = []string{"##[group]Run " + command, "with:", "  check-latest: false", "##[endgroup]"}
	default:
		if !isRun {
			command = "make " + strings.ReplaceAll(strings.ToLower(st.Name), " ", "-")
		}
		sec.before = runLines(command)
		sec.share = 1
		sec.after = endLines(st)
	}
	return sec
}

// endLines are what the runner says of a command that did not end well.
func endLines(st Step) []string {
	if st.Conclusion == nil {
		return nil
	}
	switch *st.Conclusion {
	case "failure":
		return []string{"##[error]Process completed with exit code 1."}
	case "cancelled":
		return []string{"##[error]The operation was canceled."}
	}
	return nil
}

func runLines(command string) []string {
	return []string{
		"##[group]Run " + command,
		"\x1b[36;1m" + command + "\x1b[0m",
		"shell: /usr/bin/bash -e {0}",
		"env:",
		"  CI: true",
		"  GOFLAGS: -mod=readonly",
		"##[endgroup]",
	}
}

func checkoutLines(action string, style LogStyle) []string {
	return []string{
		"##[group]Run " + action,
		"with:",
		"  repository: " + style.Repository,
		"  token: ***",
		"  fetch-depth: 1",
		"##[endgroup]",
		"Syncing repository: " + style.Repository,
		"##[group]Getting Git version info",
		fmt.Sprintf("Working directory is '/home/runner/work/%[1]s/%[1]s'", baseName(style.Repository)),
		"[command]/usr/bin/git version",
		"git version 2.45.2",
		"##[endgroup]",
		"##[group]Fetching the repository",
		"[command]/usr/bin/git -c protocol.version=2 fetch --no-tags --prune --no-recurse-submodules --depth=1 origin +" + fakeSHA(style.Repository) + ":refs/remotes/origin/main",
		"From " + webHost + "/" + style.Repository,
		" * [new ref]         " + fakeSHA(style.Repository) + " -> origin/main",
		"##[endgroup]",
		"[command]/usr/bin/git log -1 --format='%H'",
		"'" + fakeSHA(style.Repository) + "'",
	}
}

var postLines = []string{
	"Post job cleanup.",
	"[command]/usr/bin/git version",
	"git version 2.45.2",
	"Temporarily overriding HOME='/home/runner/work/_temp/5b1f3c1e' before making global git config changes",
	"[command]/usr/bin/git config --local --name-only --get-regexp core\\.sshCommand",
	"[command]/usr/bin/git config --local --unset-all http.https://github.example/.extraheader",
}

// inventedSteps fit the size: about a second for each 20,000 lines.
func inventedSteps(start time.Time, size int64) []Step {
	if start.IsZero() {
		start = time.Date(2024, 7, 8, 16, 48, 9, 0, time.UTC)
	}
	names := []string{"Set up job", "Run actions/checkout@v4", "Run make build", "Run go test ./...", "Post Run actions/checkout@v4", "Complete job"}
	var (
		steps    []Step
		success  = "success"
		duration = 2*time.Second + time.Duration(size/2_000_000)*time.Second
	)
	for i, name := range names {
		from, to := start, start.Add(time.Second)
		if i == 2 || i == 3 {
			to = from.Add(duration)
		}
		steps = append(steps, Step{Number: int64(i + 1), Name: name, Status: "completed", Conclusion: &success, StartedAt: &from, CompletedAt: &to})
		start = to
	}
	return steps
}

func baseName(repository string) string {
	return repository[strings.LastIndexByte(repository, '/')+1:]
}

// fakeSHA is forty hexadecimal digits that depend on the text alone.
func fakeSHA(of string) string {
	h := fnv.New64a()
	h.Write([]byte(of))
	r := rng(h.Sum64())
	return fmt.Sprintf("%016x%016x%08x", r.next(), r.next(), uint32(r.next()))
}
