package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jobvault/jobvault/store"
)

// errRenamed says that logs were left whose repositories are called otherwise than
// planned.
var errRenamed = errors.New("the logs of repositories that were renamed since the last plan are left; jobvault retention plan shows what goes by their new names, and apply removes it then")

// renamedRepository is a repository that was called otherwise when the removal of its
// logs was planned, or listed.
type renamedRepository struct {
	RepositoryID int64             `json:"repository_id"`
	Was          store.PlannedName `json:"was"`
	Is           store.PlannedName `json:"is"`
	Left         []int64           `json:"left"` // jobs whose logs are
}

type renamedRepositories []renamedRepository

// add takes one more log that is left.
func (rs *renamedRepositories) add(e *store.RenamedError) {
	i := slices.IndexFunc(*rs, func(r renamedRepository) bool {
		return r.RepositoryID == e.RepositoryID && r.Was == e.Was && r.Is == e.Is
	})
	if i < 0 {
		i = len(*rs)
		*rs = append(*rs, renamedRepository{RepositoryID: e.RepositoryID, Was: e.Was, Is: e.Is})
	}
	(*rs)[i].Left = append((*rs)[i].Left, e.JobID)
}

// print names them, with the jobs whose logs are left.
func (rs renamedRepositories) print(out io.Writer, asJSON bool) error {
	for _, r := range rs {
		slices.Sort(r.Left)
		var err error
		if asJSON {
			err = jsonEncoder(out).Encode(map[string]any{"renamed": r})
		} else {
			_, err = fmt.Fprintf(out, "repository %d was %s when this was planned, and is %s now: %d logs left, of jobs %s\n",
				r.RepositoryID, plain(r.Was.String()), plain(r.Is.String()), len(r.Left), strings.Trim(fmt.Sprint(r.Left), "[]"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
