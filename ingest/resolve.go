package ingest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// ResolveRepository finds a repository that is not where it was: it was renamed, moved to
// another owner, or its name is another's now, which is written too. GitHub's answer is
// the error if it is nowhere.
func ResolveRepository(ctx context.Context, db *store.DB, github *ghapi.Clients, repo store.Repository) (store.Repository, error) {
	asked, err := db.AskedAt(ctx)
	if err != nil {
		return repo, err
	}
	github.Forget(repo.Owner, repo.Name)
	found, err := github.Repository(ctx, repo.Owner, repo.Name)
	reports := repositoryRows(asked, found)
	if err != nil || found.ID != repo.ID {
		// Whoever sees what has the name now may see it too.
		if found, err = github.RepositoryByID(ctx, cmp.Or(repo.InstallationID, found.InstallationID), repo.ID); err != nil {
			if _, serr := db.SeeRepositories(ctx, reports); serr != nil {
				err = errors.Join(err, serr)
			}
			return repo, err
		}
		reports = append(reports, repositoryRows(asked, found)...)
	}
	rs, err := db.SeeRepositories(ctx, reports)
	if err != nil {
		return repo, err
	}
	return rs[slices.IndexFunc(rs, func(r store.Repository) bool { return r.ID == repo.ID })], nil
}

// AtRepository asks for something of a repository where it is. One that lost its name is
// found by its id first, and so is one that does not have what is asked for: its name
// may be another's, which knows nothing of its jobs.
func AtRepository(ctx context.Context, db *store.DB, github *ghapi.Clients, repo store.Repository, ask func(*ghapi.Client, store.Repository) error) error {
	resolved := false
	if !repo.HasName {
		var err error
		if repo, err = ResolveRepository(ctx, db, github, repo); err != nil {
			return err
		}
		resolved = true
	}
	for {
		client, err := github.For(ctx, repo.InstallationID, repo.Owner, repo.Name)
		if err == nil {
			err = ask(client, repo)
		}
		if resolved || !ghapi.IsAPINotFound(err) {
			return err
		}
		now, rerr := ResolveRepository(ctx, db, github, repo)
		if rerr != nil {
			return rerr
		}
		if !Moved(repo, now) {
			return err
		}
		repo, resolved = now, true
	}
}

// repositoryRows turns repositories of the REST API into rows, named as of when GitHub was
// asked. Those without an id or a name are left out.
func repositoryRows(asked time.Time, found ...ghapi.Repository) []store.Repository {
	var reports []store.Repository
	for _, r := range found {
		owner, name := r.Names()
		if owner, name = record.Clean(owner), record.Clean(name); r.ID > 0 && owner != "" && name != "" {
			reports = append(reports, store.Repository{
				ID: r.ID, Owner: owner, Name: name, Private: r.Private, InstallationID: r.InstallationID, NamedAt: asked,
			})
		}
	}
	return reports
}

// Moved says whether a repository has another name, or another installation, than before.
func Moved(before, after store.Repository) bool {
	return before.FullName() != after.FullName() || !sameID(before.InstallationID, after.InstallationID)
}

func sameID(a, b *int64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }
