package joblog

import (
	"bytes"
	"strings"
	"time"
)

// Before a job's first step the runner pulls the images that are actions, builds those of
// actions with a Dockerfile, and starts the job's container and its services. No code of
// the job has run then. What is printed:
//
//   - a group for each image of an action, with docker's words. The title has the image as
//     the workflow or the action names it, in which GitHub resolves no expression. Docker's
//     words hold those of a registry only where something fails;
//   - a group for each Dockerfile, whose output is anybody's;
//   - groups for containers. The workflow may take their images from an input.
//
// A composite action of the job's own repository has the same groups printed in the middle
// of the job.
const (
	pullImage    = "##[group]Pull down action image '"
	buildImage   = "##[group]Build container for action use: '"
	startsGroup  = "##[group]Starting "
	jobContainer = "##[group]Starting job container"
	service      = " service container"
	digestLine   = "Digest: "

	// maxPull is how many lines of a group are read: an image has 127 layers at most, of
	// which docker prints some six lines each.
	maxPull = 2000
	// maxNamed is how long the runner takes from the line that names the job to a group that
	// it prints before the first step: 45 to 50 ms on GitHub's machines (logs of 2025 and
	// 2026). A job's name may come from a matrix, and have line ends; who words it does not
	// know the time at which it will be printed. Who guesses it is found out by the next line
	// of the runner's, unless that is later than all of what was worded.
	maxNamed = 100 * time.Millisecond
)

// containers is how far the reading of such groups is.
type containers struct {
	trusted bool      // all since the set-up is the runner's and docker's
	jobLine int64     // the line that names the job; 0: there was none, or another came since
	last    time.Time // of the line before, of those that were trusted
	stamp   [StampLen - 1]byte
	claimed bool   // images are said to be the set-up's
	image   *Image // that the group's title names; nil: the group is of a container
	row     int    // of the usage's actions, which the image has; -1: none
	left    int    // how many lines of the group there may be; 0: the line is in none
}

func (c *containers) busy() bool { return c.trusted || c.left > 0 }

// trust says that a set-up ended with the line n, and that all of it was the runner's. Of
// a line that names the job, named is true.
func (c *containers) trust(n int64, stamp []byte, named bool) {
	*c = containers{trusted: true, last: ParseLine(stamp).Time}
	if named {
		c.jobLine = n
	}
}

// inContainers is a line beyond the set-up. It tells whether it was read.
func (u *usageReader) inContainers(n int64, kind Kind, stamp, text []byte) bool {
	c := &u.containers
	if c.trusted && n != c.jobLine && kind != Debug {
		u.watch(stamp)
	}
	switch {
	case kind == Group:
		return u.containerGroup(n, text)
	case kind == EndGroup:
		c.left = 0
		return false
	case !c.busy(), kind == Debug, n == c.jobLine:
		return false
	case c.left == 0, kind != Plain && kind != Command:
		c.trusted = false
		return false
	}
	c.left--
	if kind == Command {
		u.pullCommand(n, text)
	} else {
		u.pulling(string(text[:min(len(text), 4*maxField)]))
	}
	return true
}

// watch distrusts a line whose time is not one that the runner can have printed it at.
func (u *usageReader) watch(stamp []byte) {
	c := &u.containers
	at := ParseLine(stamp).Time
	if at.Before(c.last) || c.jobLine > 0 && at.Sub(c.last) > maxNamed {
		u.disclaim()
	}
	c.last, c.jobLine = at, 0
	copy(c.stamp[:], stamp)
}

// follows looks at the time of any line after images that are said to be the set-up's. One
// that is earlier than they shows that somebody has worded them.
func (u *usageReader) follows(stamp []byte) {
	c := &u.containers
	if c.claimed && !c.trusted && bytes.Compare(stamp, c.stamp[:]) < 0 && !ParseLine(stamp).Time.IsZero() {
		u.disclaim()
	}
}

// disclaim says of no image any more that it is the set-up's.
func (u *usageReader) disclaim() {
	u.containers.trusted, u.containers.claimed = false, false
	for i := range u.usage.Actions {
		if k := u.usage.Actions[i].Kind; k == PulledImage || k == BuiltImage {
			u.usage.Actions[i].InSetup = false
		}
	}
}

// containerGroup is the title of a group.
func (u *usageReader) containerGroup(n int64, text []byte) bool {
	c := &u.containers
	c.left = 0
	if len(text) > 4*maxField {
		c.trusted = false
		return false
	}
	if hasPrefix(text, pullImage) {
		return u.pullGroup(n, text[len(pullImage):])
	}
	trusted := c.trusted
	c.trusted = false
	if hasPrefix(text, buildImage) {
		return u.build(n, string(text[len(buildImage):]), trusted)
	}
	if string(text) == jobContainer || hasPrefix(text, startsGroup) && bytes.HasSuffix(text, []byte(service)) {
		c.image, c.row, c.left = nil, -1, maxPull
		return true
	}
	return false
}

// pullGroup is the title of a group in which the image of an action is pulled.
func (u *usageReader) pullGroup(n int64, title []byte) bool {
	c := &u.containers
	if u.tooMany() {
		c.trusted = false
		return true
	}
	name, ended := bytes.CutSuffix(title, []byte("'"))
	image, err := ParseImage(string(name))
	if !ended || err != nil {
		c.trusted = false
		return false
	}
	c.image, c.left = &image, maxPull
	c.row = u.useImage(n, PulledImage, image, c.trusted)
	c.claimed = c.claimed || c.trusted
	return true
}

// useImage takes note of an image, and returns its row; of one too many, -1.
func (u *usageReader) useImage(n int64, kind ActionKind, i Image, inSetup bool) int {
	if u.add(Action{Line: n, Kind: kind, Name: i.Name, Ref: i.Ref, Digest: i.Digest, InSetup: inSetup}) == nil {
		return -1
	}
	return len(u.usage.Actions) - 1
}

// pullCommand is a command within a group: "docker [--config DIR] pull IMAGE".
func (u *usageReader) pullCommand(n int64, text []byte) {
	c := &u.containers
	fields := bytes.Fields(text[:min(len(text), 4*maxField)])
	if len(fields) < 3 || string(fields[len(fields)-2]) != "pull" || !bytes.HasSuffix(fields[0], []byte("docker")) {
		c.trusted = false
		return
	}
	image, err := ParseImage(string(fields[len(fields)-1]))
	switch {
	case err != nil, c.image != nil && image != *c.image:
		c.trusted = false
	case c.image == nil:
		c.row = u.useImage(n, ContainerImage, image, false)
	}
}

// pulling is a line of docker's while it pulls an image.
func (u *usageReader) pulling(s string) {
	c := &u.containers
	if digest, ok := strings.CutPrefix(s, digestLine); ok && isDigest(digest) && c.row >= 0 {
		a := &u.usage.Actions[c.row]
		a.InSetup = a.InSetup && c.trusted
		setField(&a.Digest, digest)
		return
	}
	c.trusted = c.trusted && c.image != nil && c.image.isDockers(s)
}

// isDigest tells whether s is sha256:HEX.
func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && isCommit(hex)
}

// isDockers tells whether a line is one that docker prints while it pulls the image, with
// nothing in it that a registry can word.
func (i *Image) isDockers(s string) bool {
	const layer = 12 // digits of its digest
	if len(s) > layer+1 && s[layer] == ':' && strings.Trim(s[:layer], "0123456789abcdef") == "" {
		return true
	}
	if strings.HasPrefix(s, i.Ref+": Pulling from ") || i.Digest != "" && strings.HasPrefix(s, i.Digest+": Pulling from ") {
		return true
	}
	if strings.HasPrefix(s, "Status: Downloaded newer image for ") || strings.HasPrefix(s, "Status: Image is up to date for ") {
		return true
	}
	named, err := ParseImage(s)
	return err == nil && named.Name == i.Name
}

// build is the title of a group in which the image of an action is built: its Dockerfile
// in the folder of actions, as ".../_actions/OWNER/REPO/REF/PATH/Dockerfile'.". A ref may
// have slashes; which action it is, the lines before tell.
func (u *usageReader) build(n int64, title string, trusted bool) bool {
	if u.tooMany() {
		return true
	}
	path, ended := strings.CutSuffix(title, "'.")
	path = strings.ReplaceAll(path, `\`, "/")
	_, path, found := strings.Cut(path, "/_actions/")
	parts := strings.SplitN(path, "/", 4)
	if !ended || !found || len(parts) < 4 {
		return false
	}
	a := Action{Name: parts[0] + "/" + parts[1], Ref: parts[2]}
	within := parts[3]
	for _, known := range u.usage.Actions {
		rest, ok := strings.CutPrefix(path, known.Name+"/"+known.Ref+"/")
		if ok && known.Kind == Downloaded && len(rest) <= len(within) {
			a, within = known, rest
		}
	}
	u.containers.claimed = u.containers.claimed || trusted
	folder := within[:max(0, strings.LastIndexByte(within, '/'))]
	u.add(Action{
		Line: n, Kind: BuiltImage, Name: plainText([]byte(a.Name), maxField), Path: plainText([]byte(folder), maxField),
		Ref: plainText([]byte(a.Ref), maxField), SHA: a.SHA, InSetup: trusted && a.InSetup,
	})
	return true
}
