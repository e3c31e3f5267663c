package lookup

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/store"
)

// Uses is who used an action or a container image.
type Uses struct {
	Uses    []store.ActionUse `json:"uses"`    // those used last come first
	Moved   []string          `json:"moved"`   // ACTION@REF that was more than one commit, IMAGE:TAG that was more than one digest
	Whole   bool              `json:"whole"`   // whether all archived logs were read for what they used
	Unknown store.UnknownUses `json:"unknown"` // of how many jobs it is not known whether they used it, or what
}

// ParseAction reads OWNER/REPO, OWNER/REPO/PATH, and either with @REF or @SHA; or an image,
// as docker://NAME, docker://NAME:TAG or docker://NAME@DIGEST.
func ParseAction(s string) (store.ActionFilter, error) {
	if image, ok := strings.CutPrefix(s, joblog.ImageScheme); ok {
		return parseImage(image)
	}
	name, ref, _ := strings.Cut(s, "@")
	if parts := strings.Split(name, "/"); len(parts) < 2 || slices.Contains(parts, "") {
		return store.ActionFilter{}, fmt.Errorf("%q: want OWNER/REPO, OWNER/REPO@REF, OWNER/REPO/PATH or docker://IMAGE", s)
	}
	return store.ActionFilter{Action: name, Ref: ref}, nil
}

func parseImage(s string) (store.ActionFilter, error) {
	image, err := joblog.ParseImage(s)
	if err != nil {
		return store.ActionFilter{}, fmt.Errorf("%q: want docker://IMAGE, docker://IMAGE:TAG or docker://IMAGE@sha256:DIGEST: %w", joblog.ImageScheme+s, err)
	}
	f := store.ActionFilter{Action: image.Name, Digest: image.Digest}
	if image.Tagged {
		f.Ref = image.Ref
	}
	return f, nil
}

// ParseUses reads the parameters action, repository, since, event, actor and fork.
func ParseUses(q url.Values, now time.Time) (store.ActionFilter, error) {
	f, err := ParseAction(strings.TrimSpace(q.Get("action")))
	if err != nil {
		return f, fmt.Errorf("action=%w", err)
	}
	f.Repository, f.Event, f.Actor = q.Get("repository"), q.Get("event"), q.Get("actor")
	if f.Fork, err = parseFork(q.Get("fork")); err != nil {
		return f, err
	}
	if f.Since, err = ParseTime(q.Get("since"), now); err != nil {
		return f, fmt.Errorf("since=%w", err)
	}
	return f, nil
}

// FindUses finds who used an action.
func FindUses(ctx context.Context, db *store.DB, f store.ActionFilter) (Uses, error) {
	found, err := db.ActionUses(ctx, f)
	if err != nil {
		return Uses{}, err
	}
	whole, err := db.AllLogsRead(ctx)
	if err != nil {
		return Uses{}, err
	}
	unknown, err := db.UnknownUses(ctx, f)
	return Uses{Uses: found, Moved: movedRefs(found), Whole: whole, Unknown: unknown}, err
}

// MovedRefs says of each of Moved what it was, for people.
func (u Uses) MovedRefs() []string {
	var said []string
	for _, at := range u.Moved {
		what := "commit"
		if strings.HasPrefix(at, joblog.ImageScheme) {
			what = "digest"
		}
		said = append(said, at+" was more than one "+what)
	}
	return said
}

// Gaps says, for people, of how many jobs it is not known whether they used it, or what.
func (u Uses) Gaps() []string {
	var said []string
	for _, gap := range []struct {
		jobs int64
		what string
	}{
		{u.Unknown.NoLog, "whose log is not archived may have used it"},
		{u.Unknown.Unread, "whose log was not read by this version may have used it: run jobvault reindex"},
		{u.Unknown.Cut, "whose log tells of more actions than are kept may have used it"},
		{u.Unknown.NoSHA, "used it at a commit or digest that the log does not say"},
		{u.Unknown.NotListed, "used it in runs of which it is not known what started them: no listing has told"},
	} {
		switch {
		case gap.jobs == 1:
			said = append(said, "1 job "+gap.what)
		case gap.jobs >= store.MaxUnknown:
			said = append(said, fmt.Sprintf("%d or more jobs %s", store.MaxUnknown, gap.what))
		case gap.jobs > 1:
			said = append(said, fmt.Sprintf("%d jobs %s", gap.jobs, gap.what))
		}
	}
	return said
}

// movedRefs returns the refs of an action, as ACTION@REF, that were more than one commit,
// and the tags of an image, as IMAGE:TAG, that were more than one digest.
func movedRefs(uses []store.ActionUse) []string {
	resolved := make(map[string]string) // one of each
	moved := []string{}
	for _, u := range uses {
		at, to := refOf(u)
		if to == nil {
			continue
		}
		if first, ok := resolved[at]; !ok {
			resolved[at] = *to
		} else if first != *to && !slices.Contains(moved, at) {
			moved = append(moved, at)
		}
	}
	slices.Sort(moved)
	return moved
}

// refOf is what was asked for, and what that was resolved to; nil: it is not known.
func refOf(u store.ActionUse) (at string, to *string) {
	if u.Digest != nil {
		return strings.ToLower(u.Action) + ":" + u.Ref, u.Digest
	}
	at = u.Action
	if u.Path != nil {
		at += "/" + *u.Path
	}
	return strings.ToLower(at) + "@" + u.Ref, u.SHA
}
