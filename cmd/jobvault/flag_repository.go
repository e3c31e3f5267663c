package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/store"
)

// checkRepository wants OWNER/NAME or an id.
func checkRepository(s string) error {
	if id, err := strconv.ParseInt(s, 10, 64); err == nil && id > 0 {
		return nil
	}
	return checkFullName(s)
}

// checkFullName wants OWNER/NAME.
func checkFullName(s string) error {
	owner, name, ok := strings.Cut(s, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return usageError{fmt.Errorf("--repo=%q: want OWNER/NAME", s)}
	}
	return nil
}

// repositoryID is that of the known repository that has a name, or of the one with an
// id; 0 for no name. Where none has the name but some had it, the error names those: people
// must say which they mean.
func repositoryID(ctx context.Context, db *store.DB, s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	if id, err := strconv.ParseInt(s, 10, 64); err == nil {
		rs, err := db.RepositoriesOf(ctx, []int64{id})
		if err == nil && len(rs) == 0 {
			err = fmt.Errorf("no repository with the id %d is known", id)
		}
		return id, err
	}
	owner, name, _ := strings.Cut(s, "/")
	rs, err := db.RepositoriesNamed(ctx, owner, name)
	if err != nil {
		return 0, err
	}
	var had []string
	for _, r := range rs {
		switch {
		case !strings.EqualFold(r.FullName(), s):
			had = append(had, fmt.Sprintf("%d (now %s)", r.ID, r.FullName()))
		case r.HasName:
			return r.ID, nil
		default:
			had = append(had, strconv.FormatInt(r.ID, 10))
		}
	}
	if len(had) == 0 {
		return 0, fmt.Errorf("no repository %s is known", s)
	}
	return 0, fmt.Errorf("no repository is known to have the name %s now; it was that of %s: say which by its id", s, strings.Join(had, ", "))
}

// repositoriesNamed finds the repositories that flags name, OWNER/NAME each.
func (s *session) repositoriesNamed(ctx context.Context, sweeper *ingest.Sweeper, names []string) ([]store.Repository, error) {
	var rs []store.Repository
	for _, name := range names {
		if !s.config.repositories.MatchRepository(name) {
			return nil, usageError{fmt.Errorf("--repo=%s: JOBVAULT_REPOSITORIES=%q does not select it", name, s.config.Repositories)}
		}
		r, err := sweeper.Find(ctx, name)
		if err != nil {
			return nil, err
		}
		rs = append(rs, r)
	}
	return rs, nil
}
