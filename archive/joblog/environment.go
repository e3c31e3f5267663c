package joblog

import (
	"regexp"
	"strings"
)

// Environment is what the runner says of itself and of the job, while it sets the
// job up. Empty: it did not say, or whether it was the runner is not known.
type Environment struct {
	RunnerVersion string
	RunnerName    string // of a self-hosted runner, as the next two
	RunnerGroup   string
	Machine       string
	OS            string // such as "Ubuntu 22.04.4 LTS" or "Linux (x64)"
	Image         string // of the machine, or of the container that all of the job runs in
	ImageVersion  string
	SecretSource  string
	CacheMode     string
	ActionsLocked *bool  // whether a lockfile of the workflow pinned its actions; nil: not known
	JobDefinedAt  string // OWNER/REPO/PATH@REF of the file with the job
	WorkflowRef   string // of the workflow that was started, where it called that file
}

func (u *usageReader) definedAt(_ int64, rest string) {
	setField(&u.usage.Environment.JobDefinedAt, rest)
}

func (u *usageReader) chainBegins(int64, string) { u.setUp.chain = true }

// startedBy is the first line of a reusable workflow's chain.
func (u *usageReader) startedBy(s string) {
	u.setUp.chain = false
	ref, _, _ := strings.Cut(s, " ")
	setField(&u.usage.Environment.WorkflowRef, ref)
}

func (u *usageReader) version(_ int64, rest string) {
	setField(&u.usage.Environment.RunnerVersion, strings.TrimSuffix(rest, "'"))
}

func (u *usageReader) runnerName(_ int64, rest string) {
	setField(&u.usage.Environment.RunnerName, strings.TrimSuffix(rest, "'"))
}

func (u *usageReader) runnerGroup(_ int64, rest string) {
	setField(&u.usage.Environment.RunnerGroup, strings.TrimSuffix(rest, "'"))
}

func (u *usageReader) machine(_ int64, rest string) {
	setField(&u.usage.Environment.Machine, strings.TrimSuffix(rest, "'"))
}

func (u *usageReader) secretSource(_ int64, rest string) {
	setField(&u.usage.Environment.SecretSource, rest)
}

func (u *usageReader) cacheMode(_ int64, rest string) {
	setField(&u.usage.Environment.CacheMode, rest)
}

// fetched: all actions are downloaded, and a lockfile that pinned them would have been told
// of by now.
func (u *usageReader) fetched() {
	if e := &u.usage.Environment; e.ActionsLocked == nil {
		e.ActionsLocked = new(false)
	}
}

func (u *usageReader) locked(int64, string) { u.usage.Environment.ActionsLocked = new(true) }

func (u *usageReader) system(_ int64, s string) {
	e := &u.usage.Environment
	e.OS = plainText([]byte(strings.TrimSpace(e.OS+" "+s)), maxField)
}

func (u *usageReader) image(_ int64, s string) {
	e := &u.usage.Environment
	if v, ok := strings.CutPrefix(s, "Version: "); ok {
		setField(&e.ImageVersion, v)
	} else if v, ok := strings.CutPrefix(s, "Image: "); ok {
		setField(&e.Image, v)
	} else if v, ok := strings.CutPrefix(s, "Environment: "); ok {
		setField(&e.Image, v)
	}
}

// vmImage is a line of the one group that part of the hosted runners have, since 2026, in
// the place of those of the system and the image.
func (u *usageReader) vmImage(_ int64, s string) {
	e := &u.usage.Environment
	if v, ok := strings.CutPrefix(s, "- Version: "); ok {
		setField(&e.ImageVersion, v)
	} else if v, ok := strings.CutPrefix(s, "- Name: "); ok {
		setField(&e.Image, v)
	} else if v, ok := strings.CutPrefix(s, "- OS: "); ok {
		setField(&e.OS, v)
	}
}

var permission = regexp.MustCompile(`^([A-Za-z]+): ([a-z]+)$`)

func (u *usageReader) permission(_ int64, s string) {
	if m := permission.FindStringSubmatch(s); m != nil && len(u.usage.Permissions) < maxPermissions {
		u.usage.Permissions = append(u.usage.Permissions, Permission{m[1], m[2]})
	}
}

// setField sets a field that is not set yet.
func setField(field *string, v string) {
	if *field == "" {
		*field = plainText([]byte(v), maxField)
	}
}
