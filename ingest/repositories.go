package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// Named are the repositories and owners that the settings name; they are looked
// at although no webhook told of them yet.
type Named struct {
	Repositories []string // OWNER/NAME
	Owners       []string
}

// Repositories lists the repositories to sweep: those that are known, those
// that the App's installations see, and those that are named, as far as they are
// selected. The ones that were not swept for longest come first. An error does
// not stop the others: it comes back beside them.
//
// A known one that does not have its name any more is asked after by its id: it is
// looked at under the name that GitHub tells now, and not at all if it is gone.
func (s *Sweeper) Repositories(ctx context.Context) ([]store.Repository, error) {
	asked, err := s.DB.AskedAt(ctx)
	if err != nil {
		return nil, err
	}
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
		if slices.ContainsFunc(known, func(r store.Repository) bool { return r.HasName && strings.EqualFold(r.FullName(), name) }) {
			continue
		}
		r, err := s.find(ctx, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, r)
	}
	if _, err := s.recordRepositories(ctx, asked, found); err != nil {
		return nil, err
	}
	rs, nerrs := s.named(ctx)
	errs = append(errs, nerrs...)
	rs = slices.DeleteFunc(rs, func(r store.Repository) bool { return !s.selected(r) })
	return rs, errors.Join(append(errs, s.byNeed(ctx, rs))...)
}

// named lists the repositories that are known and have their names, when GitHub was
// asked after those that do not, as far as they are not known to be gone. Its answer
// about one may cost another its name, which is asked after then.
func (s *Sweeper) named(ctx context.Context) (rs []store.Repository, errs []error) {
	asked := make(map[int64]bool)
	for {
		known, err := s.DB.Repositories(ctx)
		if err != nil {
			return nil, append(errs, err)
		}
		before := len(asked)
		for _, r := range known {
			if r.HasName || asked[r.ID] {
				continue
			}
			asked[r.ID] = true
			if s.notFound.has(r, s.Now(), goneFor) {
				continue
			}
			switch _, err := ResolveRepository(ctx, s.DB, s.GitHub, r); {
			case ghapi.IsNotFound(err):
				s.notFound.note(r, s.Now())
			case err != nil:
				errs = append(errs, fmt.Errorf("repository %d, formerly %s: %w", r.ID, r.FullName(), err))
			}
		}
		if len(asked) == before {
			s.notFound.keep(asked)
			return slices.DeleteFunc(known, func(r store.Repository) bool { return !r.HasName }), errs
		}
	}
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
	asked, err := s.DB.AskedAt(ctx)
	if err != nil {
		return store.Repository{}, err
	}
	r, err := s.find(ctx, fullName)
	if err != nil {
		return store.Repository{}, err
	}
	rs, err := s.recordRepositories(ctx, asked, []ghapi.Repository{r})
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
	asked, err := s.DB.AskedAt(ctx)
	if err != nil {
		return nil, err
	}
	var found []ghapi.Repository
	for r, err := range s.GitHub.Owned(ctx, owner) {
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return s.recordRepositories(ctx, asked, found)
}

// recordRepositories writes repositories under the names that GitHub gave them when it was
// asked: those that are selected by that name, and those that are known, whatever they are
// called now. It returns those that are selected.
func (s *Sweeper) recordRepositories(ctx context.Context, asked time.Time, found []ghapi.Repository) ([]store.Repository, error) {
	reports := repositoryRows(asked, found...)
	ids := make([]int64, len(reports))
	for i, r := range reports {
		reports[i].HasName, ids[i] = true, r.ID
	}
	known, err := s.DB.RepositoriesOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	reports = slices.DeleteFunc(reports, func(r store.Repository) bool {
		return !s.selected(r) && !slices.ContainsFunc(known, func(k store.Repository) bool { return k.ID == r.ID })
	})
	rs, err := s.DB.SeeRepositories(ctx, reports)
	return slices.DeleteFunc(rs, func(r store.Repository) bool { return !s.selected(r) }), err
}

func (s *Sweeper) selected(r store.Repository) bool { return selects(s.Selected, r) }

// selects says whether a setting such as JOBVAULT_REPOSITORIES selects a repository. One
// that does not have its name is selected only if it is under that name and under none:
// no pattern lets it in by a name that may be another's, and what keeps it out by that
// name still does.
func selects(selected func(fullName string) bool, r store.Repository) bool {
	return selected == nil || selected(r.FullName()) && (r.HasName || selected(""))
}
