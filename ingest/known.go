package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jobvault/jobvault/ingest/ghapi"
	"github.com/jobvault/jobvault/store"
)

// Named are the repositories and owners that the settings name; they are looked
// at although no webhook told of them yet.
type Named struct {
	Repositories []string // OWNER/NAME
	Owners       []string
}

// Repositories lists the repositories to look at: those that are known, those
// that the App's installations see, and those that are named, as far as they are
// selected. The ones that were not swept for longest come first. An error does
// not stop the others: it comes back beside them.
func (s *Sweeper) Repositories(ctx context.Context) ([]store.Repository, error) {
	found, errs := s.visible(ctx)
	known, err := s.DB.Repositories(ctx)
	if err != nil {
		return nil, err
	}
	for _, owner := range s.Named.Owners {
		for r, err := range s.GitHub.Owned(ctx, owner) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			found = append(found, r)
		}
	}
	for _, name := range s.Named.Repositories {
		if slices.ContainsFunc(known, func(r store.Repository) bool { return strings.EqualFold(r.FullName(), name) }) {
			continue
		}
		r, err := s.find(ctx, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, r)
	}
	rs, err := s.see(ctx, found)
	if err != nil {
		return nil, err
	}
	for _, r := range known {
		if !slices.ContainsFunc(rs, func(seen store.Repository) bool { return seen.ID == r.ID }) {
			rs = append(rs, r)
		}
	}
	rs = slices.DeleteFunc(rs, func(r store.Repository) bool { return !s.selected(r.FullName()) })
	return rs, errors.Join(append(errs, s.byNeed(ctx, rs))...)
}

// visible lists what the App's installations see.
func (s *Sweeper) visible(ctx context.Context) (rs []ghapi.Repository, errs []error) {
	for r, err := range s.GitHub.Visible(ctx) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		rs = append(rs, r)
	}
	return rs, errs
}

// byNeed orders repositories by when a sweep of theirs last succeeded.
func (s *Sweeper) byNeed(ctx context.Context, rs []store.Repository) error {
	last := make(map[int64]int64, len(rs))
	for _, r := range rs {
		sweep, err := s.DB.Sweep(ctx, r.ID)
		if err != nil {
			return err
		}
		if sweep.SucceededAt != nil {
			last[r.ID] = sweep.SucceededAt.UnixNano()
		}
	}
	slices.SortStableFunc(rs, func(a, b store.Repository) int { return cmp.Compare(last[a.ID], last[b.ID]) })
	return nil
}

// Find returns a repository by its name, OWNER/NAME, of which GitHub is asked.
func (s *Sweeper) Find(ctx context.Context, fullName string) (store.Repository, error) {
	r, err := s.find(ctx, fullName)
	if err != nil {
		return store.Repository{}, err
	}
	rs, err := s.see(ctx, []ghapi.Repository{r})
	if err == nil && len(rs) == 0 {
		err = fmt.Errorf("repository %s: JOBVAULT_REPOSITORIES does not select it", fullName)
	}
	if err != nil {
		return store.Repository{}, err
	}
	return rs[0], nil
}

func (s *Sweeper) find(ctx context.Context, fullName string) (ghapi.Repository, error) {
	owner, name, _ := strings.Cut(fullName, "/")
	r, err := s.GitHub.Repository(ctx, owner, name)
	if err != nil {
		return r, fmt.Errorf("repository %s: %w", fullName, err)
	}
	return r, nil
}

// Owned lists the selected repositories of an organisation or user.
func (s *Sweeper) Owned(ctx context.Context, owner string) ([]store.Repository, error) {
	var found []ghapi.Repository
	for r, err := range s.GitHub.Owned(ctx, owner) {
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	rs, err := s.see(ctx, found)
	return slices.DeleteFunc(rs, func(r store.Repository) bool { return !s.selected(r.FullName()) }), err
}

// see writes repositories as GitHub names them now.
func (s *Sweeper) see(ctx context.Context, found []ghapi.Repository) ([]store.Repository, error) {
	var rs []store.Repository
	for _, r := range found {
		owner, name := r.Names()
		if owner = clean(owner); owner != "" && s.selected(owner+"/"+clean(name)) {
			rs = append(rs, store.Repository{ID: r.ID, Owner: owner, Name: clean(name), Private: r.Private, InstallationID: r.InstallationID})
		}
	}
	if len(rs) == 0 {
		return nil, nil
	}
	return s.DB.SeeRepositories(ctx, rs)
}

func (s *Sweeper) selected(fullName string) bool { return s.Selected == nil || s.Selected(fullName) }
