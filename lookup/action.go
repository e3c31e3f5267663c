package lookup

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jobvault/jobvault/store"
)

// Uses is who used an action.
type Uses struct {
	Uses  []store.ActionUse `json:"uses"`  // those used last come first
	Moved []string          `json:"moved"` // ACTION@REF that was more than one commit
	Whole bool              `json:"whole"` // whether all archived logs were read for what they used
}

// ParseAction reads OWNER/REPO, OWNER/REPO/PATH, and either with @REF or @SHA.
func ParseAction(s string) (store.ActionFilter, error) {
	name, ref, _ := strings.Cut(s, "@")
	if parts := strings.Split(name, "/"); len(parts) < 2 || slices.Contains(parts, "") {
		return store.ActionFilter{}, fmt.Errorf("%q: want OWNER/REPO, OWNER/REPO@REF or OWNER/REPO/PATH", s)
	}
	return store.ActionFilter{Action: name, Ref: ref}, nil
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
	return Uses{Uses: found, Moved: movedRefs(found), Whole: whole}, err
}

// movedRefs returns the refs of an action, as ACTION@REF, that were more than one commit.
func movedRefs(uses []store.ActionUse) []string {
	commits := make(map[string]string) // one of each
	moved := []string{}
	for _, u := range uses {
		if u.SHA == nil {
			continue
		}
		at := u.Action
		if u.Path != nil {
			at += "/" + *u.Path
		}
		at = strings.ToLower(at) + "@" + u.Ref
		if first, ok := commits[at]; !ok {
			commits[at] = *u.SHA
		} else if first != *u.SHA && !slices.Contains(moved, at) {
			moved = append(moved, at)
		}
	}
	slices.Sort(moved)
	return moved
}
