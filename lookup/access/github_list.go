package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// maxAskedPerList bounds how many repositories one list may ask GitHub about: a token has
// 5,000 requests an hour there, and an answer is believed for three minutes.
const maxAskedPerList = 200

// visible is what GitHub lists for a token now: whether a repository is private may have
// changed since the archive last heard of it.
type visible struct {
	extent          ghapi.Extent
	private, public []int64
}

func (g *gitHubRule) visibleTo(ctx context.Context, token string) (visible, error) {
	return ask(ctx, g, token, "repositories", func(ctx context.Context, c ghapi.Caller) (visible, error) {
		listed, err := c.Repositories(ctx)
		s := visible{extent: listed.Extent}
		for _, r := range listed.Repositories {
			if r.Private != nil && !*r.Private {
				s.public = append(s.public, r.ID)
			} else {
				s.private = append(s.private, r.ID)
			}
		}
		return s, err
	})
}

// repositories returns, of the repositories that the token sees and the archive has,
// those whose Actions it may read: a token may see a repository and yet not read its
// Actions. If the token does not suffice to ask about a repository, or the repository is
// gone, the answer is no. Each question is asked once for all lists and readings, see
// ask.
func (g *gitHubRule) repositories(ctx context.Context, token, name string) ([]int64, error) {
	ids, err := g.readable(ctx, token, name)
	slices.Sort(ids)
	return ids, err
}

func (g *gitHubRule) readable(ctx context.Context, token, name string) ([]int64, error) {
	s, err := g.visibleTo(ctx, token)
	if err != nil {
		return nil, err
	}
	private, err := g.archived(ctx, name, s.private)
	if err != nil {
		return nil, err
	}
	public, err := g.archived(ctx, name, s.public)
	if err != nil {
		return nil, err
	}
	switch s.extent {
	case ghapi.ExtentAll:
		return append(private, public...), nil
	case ghapi.ExtentPublic:
		private, err = g.askEach(ctx, token, private)
		return append(private, public...), err
	case ghapi.ExtentAlike:
		if private, err = g.askOne(ctx, token, private); err != nil {
			return nil, err
		}
		public, err = g.askOne(ctx, token, public)
		return append(private, public...), err
	}
	return g.askEach(ctx, token, append(private, public...))
}

// archived returns the repositories that the archive has; if there is a name, those of
// that name.
func (g *gitHubRule) archived(ctx context.Context, name string, ids []int64) (archived []int64, err error) {
	if name == "" {
		archived, err = g.db.KnownRepositories(ctx, ids)
	} else {
		archived, err = g.db.RepositoryIDs(ctx, name, append([]int64{}, ids...))
		slices.Sort(archived)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return append([]int64{}, archived...), nil
}

// askEach asks about each repository, several in parallel. If there are too many, it asks
// about none.
func (g *gitHubRule) askEach(ctx context.Context, token string, ids []int64) ([]int64, error) {
	if len(ids) > maxAskedPerList {
		return nil, ErrTooMany
	}
	var mu sync.Mutex
	may := make(map[int64]bool)
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(askParallel)
	for _, id := range ids {
		group.Go(func() error {
			yes, _, err := g.askAbout(gctx, token, id)
			mu.Lock()
			defer mu.Unlock()
			may[id] = yes
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	readable := []int64{}
	for _, id := range ids {
		if may[id] {
			readable = append(readable, id)
		}
	}
	return readable, nil
}

// askOne asks about repositories one by one until an answer is about the token itself,
// which then holds for the rest.
func (g *gitHubRule) askOne(ctx context.Context, token string, ids []int64) ([]int64, error) {
	for i, id := range ids[:min(len(ids), maxAskedPerList)] {
		yes, lacks, err := g.askAbout(ctx, token, id)
		switch {
		case err != nil:
			return nil, err
		case lacks:
			return []int64{}, nil
		case yes:
			return ids[i:], nil
		}
	}
	return []int64{}, nil
}

// askAbout asks about one repository. lacks says that the token does not suffice to ask.
func (g *gitHubRule) askAbout(ctx context.Context, token string, id int64) (may, lacks bool, err error) {
	may, err = g.mayRead(ctx, token, store.Repository{ID: id})
	var forbidden *ForbiddenError
	if errors.As(err, &forbidden) {
		return false, true, nil
	}
	return may, false, err
}
