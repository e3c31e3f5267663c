package joblog

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Logs of Gitea's and Forgejo's runner, which is made of act (github.com/nektos/act, as of
// 2026). They begin with a line of the runner's; commands stay in them as a step printed
// them, and actions are cloned without a word of the commit. Whatever stands in one, a step
// may have printed it: only what comes before the first step tells of the environment, and
// no action is called the set-up's.
const (
	actStart = "🚀  Start image="
	actPull  = "🐳  docker pull image="
	actClone = "☁  git clone '"
	actRef   = "' # ref="
	actRun   = "⭐ Run "
)

// actLog is such a log that is being read.
type actLog struct {
	stepped bool   // a step has begun
	stopped string // commands of the step are text until this one; empty: they are not
}

var actBegins = regexp.MustCompile(`^.{1,200}\(version:([^\s)]+)\) received task \d+ of job `)

// beginsActLog tells by its first line whether a log is of act; nil: it is not.
func (u *usageReader) beginsActLog(text []byte) *actLog {
	m := actBegins.FindSubmatch(text[:min(len(text), maxField)])
	if m == nil {
		return nil
	}
	u.usage.Environment.RunnerVersion = plainText(m[1], maxField)
	return &actLog{}
}

// inActLog takes note of a line of such a log.
func (u *usageReader) inActLog(n int64, text []byte) {
	if bytes.HasPrefix(text, []byte("::")) || bytes.HasPrefix(text, []byte("##[")) {
		u.actCommand(n, string(text))
		return
	}
	// Almost every line ends here: the runner's begin with a picture.
	if text = bytes.TrimLeft(text, " "); len(text) == 0 || text[0] < utf8.RuneSelf {
		return
	}
	s := string(text[:min(len(text), 4*maxField)])
	if image, ok := strings.CutPrefix(s, actStart); ok && !u.act.stepped {
		setField(&u.usage.Environment.Image, image)
	} else if rest, ok := strings.CutPrefix(s, actPull); ok {
		u.actPulls(n, rest)
	} else if rest, ok := strings.CutPrefix(s, actClone); ok {
		u.actClones(n, rest)
	} else if strings.HasPrefix(s, actRun) {
		u.act.stepped, u.act.stopped = true, ""
	}
}

// actPulls is an image that is pulled: the one that all of the job runs in is told by its
// environment.
func (u *usageReader) actPulls(n int64, rest string) {
	name, _, _ := strings.Cut(rest, " ")
	if image, err := ParseImage(name); err == nil && name != u.usage.Environment.Image {
		u.useImage(n, ContainerImage, image, false)
	}
}

// actClones is an action that is cloned: "https://HOST/OWNER/REPO' # ref=REF".
func (u *usageReader) actClones(n int64, rest string) {
	at := strings.LastIndex(rest, actRef)
	if at < 0 {
		return
	}
	_, path, found := strings.Cut(rest[:at], "://")
	_, name, of := strings.Cut(path, "/")
	name = strings.TrimSuffix(name, ".git")
	if ref := rest[at+len(actRef):]; found && of && ref != "" && !strings.ContainsAny(name, "' \t") {
		u.use(n, []byte(name), []byte(ref), nil, false)
	}
}

// actSyntax is how a step may write a command: "::NAME KEY=VALUE,KEY=VALUE::MESSAGE", or
// "##[NAME KEY=VALUE;KEY=VALUE]MESSAGE".
type actSyntax struct {
	begin, between, end string
	escapes             *strings.Replacer
}

var actSyntaxes = []actSyntax{
	{"::", ",", "::", strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",")},
	{"##[", ";", "]", strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n", "%3B", ";", "%5D", "]")},
}

// actCommand is a line that may be a command.
func (u *usageReader) actCommand(n int64, s string) {
	for _, syntax := range actSyntaxes {
		rest, ok := strings.CutPrefix(s, syntax.begin)
		head, message, ended := strings.Cut(rest, syntax.end)
		if !ok || !ended {
			continue
		}
		name, properties, _ := strings.Cut(head, " ")
		switch a := (Annotation{Line: n, Level: Kind(name)}); {
		case u.act.stopped != "":
			if name == u.act.stopped {
				u.act.stopped = ""
			}
		case name == "stop-commands":
			u.act.stopped = message
		case a.Level == Error, a.Level == Warning, a.Level == Notice:
			a.File, a.FileLine = syntax.place(properties)
			u.annotate(a, []byte(syntax.escapes.Replace(message)))
		}
	}
}

// place is of which line of which file a command's properties say that it is.
func (x actSyntax) place(properties string) (file string, line int64) {
	for property := range strings.SplitSeq(properties, x.between) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(property), "="); key {
		case "file":
			file = plainText([]byte(x.escapes.Replace(value)), maxField)
		case "line":
			if n, err := strconv.ParseInt(value, 10, 32); err == nil {
				line = max(n, 0)
			}
		}
	}
	return file, line
}
