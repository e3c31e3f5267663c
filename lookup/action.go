package lookup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jobvault/jobvault/store"
)

// ParseAction reads OWNER/REPO, OWNER/REPO/PATH, and either with @REF or @SHA.
func ParseAction(s string) (store.ActionFilter, error) {
	name, ref, _ := strings.Cut(s, "@")
	if parts := strings.Split(name, "/"); len(parts) < 2 || slices.Contains(parts, "") {
		return store.ActionFilter{}, fmt.Errorf("%q: want OWNER/REPO, OWNER/REPO@REF or OWNER/REPO/PATH", s)
	}
	return store.ActionFilter{Action: name, Ref: ref}, nil
}

// MovedRefs are those of an action, ACTION@REF, that were more than one commit.
func MovedRefs(uses []store.ActionUse) []string {
	commits := make(map[string]string) // one of each
	var moved []string
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
