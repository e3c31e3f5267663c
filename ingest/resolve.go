package ingest

import (
	"cmp"
	"context"

	"github.com/jobvault/jobvault/ingest/ghapi"
	"github.com/jobvault/jobvault/store"
)

// resolve finds a repository that is not where it was: it was renamed, moved to
// another owner, or its name is another's now. GitHub's answer is the error if it
// is nowhere.
func resolve(ctx context.Context, db *store.DB, github *ghapi.Clients, repo store.Repository) (store.Repository, error) {
	github.Forget(repo.Owner, repo.Name)
	found, err := github.Repository(ctx, repo.Owner, repo.Name)
	if err != nil || found.ID != repo.ID {
		// Whoever sees what has the name now may see it too.
		if found, err = github.RepositoryByID(ctx, cmp.Or(repo.InstallationID, found.InstallationID), repo.ID); err != nil {
			return repo, err
		}
	}
	owner, name := found.Names()
	rs, err := db.SeeRepositories(ctx, []store.Repository{{
		ID: repo.ID, Owner: clean(owner), Name: clean(name), Private: found.Private, InstallationID: found.InstallationID,
	}})
	if err != nil {
		return repo, err
	}
	return rs[0], nil
}

// moved tells whether a repository has to be asked for in another way than before.
func moved(before, after store.Repository) bool {
	return before.FullName() != after.FullName() || !sameID(before.InstallationID, after.InstallationID)
}

func sameID(a, b *int64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }
