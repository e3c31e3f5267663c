package ghapi

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Repository is a repository as GitHub lists it.
type Repository struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	FullName string `json:"full_name"`
	Private  *bool  `json:"private"`
	Owner    struct {
		Login string `json:"login"`
	} `json:"owner"`
	// InstallationID is the App's installation that sees it; nil without an App.
	InstallationID *int64 `json:"-"`
}

// Names are owner and name; empty where the answer has none.
func (r Repository) Names() (owner, name string) {
	if r.Owner.Login != "" && r.Name != "" {
		return r.Owner.Login, r.Name
	}
	owner, name, _ = strings.Cut(r.FullName, "/")
	return owner, name
}

// Repository asks for a repository by its name, present or former.
func (cs *Clients) Repository(ctx context.Context, owner, repo string) (Repository, error) {
	c, err := cs.For(ctx, nil, owner, repo)
	if err != nil {
		return Repository{}, err
	}
	return cs.repository(ctx, c, repoPath(owner, repo))
}

// RepositoryByID asks for a repository under whatever name it has now, as the
// installation (nil: the token).
func (cs *Clients) RepositoryByID(ctx context.Context, installation *int64, id int64) (Repository, error) {
	c := cs.client(0)
	if installation != nil && cs.app != nil {
		c = cs.client(*installation)
	}
	r, err := cs.repository(ctx, c, fmt.Sprintf("repositories/%d", id))
	if err == nil && r.ID != id {
		err = &Error{Class: Transient, Op: "get repository", Message: fmt.Sprintf("asked for repository %d, got %d", id, r.ID)}
	}
	return r, err
}

// knownAs is who asked for a repository, and how.
type knownAs struct {
	installation int64
	path         string
}

// knownRepository is an answer, and its ETag: while it is unchanged, asking again
// costs nothing of the limit.
type knownRepository struct {
	etag string
	Repository
}

// maxKnown bounds the answers that are kept.
const maxKnown = 10_000

func (cs *Clients) repository(ctx context.Context, c *Client, path string) (Repository, error) {
	as := knownAs{c.spend.installation, path}
	cs.mu.Lock()
	known := cs.repositories[as]
	cs.mu.Unlock()
	var r Repository
	a, err := c.ask(ctx, "get repository", request{path: path, etag: known.etag}, &r)
	if err != nil {
		return Repository{}, err
	}
	if a.unchanged {
		return known.Repository, nil
	}
	if owner, name := r.Names(); r.ID <= 0 || owner == "" || name == "" {
		return Repository{}, &Error{Class: Transient, Op: "get repository", Message: "the answer names no repository"}
	}
	r.InstallationID = c.installationID()
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.repositories == nil || len(cs.repositories) >= maxKnown {
		cs.repositories = make(map[knownAs]knownRepository)
	}
	cs.repositories[as] = knownRepository{etagOf(a.header), r}
	return r, nil
}

// installationID is nil for the token, and for the App itself.
func (c *Client) installationID() *int64 {
	if c.spend.installation == 0 {
		return nil
	}
	id := c.spend.installation
	return &id
}

// Forget has For ask again which installation sees the repository: it may have
// moved to another owner.
func (cs *Clients) Forget(owner, repo string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.installations, strings.ToLower(owner+"/"+repo))
}

// Visible lists the repositories that the App's installations see, suspended
// ones left out. Without an App there are none: a token does not say what it is
// for.
func (cs *Clients) Visible(ctx context.Context) iter.Seq2[Repository, error] {
	type installation struct {
		ID          int64      `json:"id"`
		SuspendedAt *time.Time `json:"suspended_at"`
	}
	return func(yield func(Repository, error) bool) {
		if cs.app == nil {
			return
		}
		for p, err := range pages[[]installation](ctx, cs.lookup, "list installations", request{path: "app/installations?per_page=100"}) {
			if err != nil {
				yield(Repository{}, err)
				return
			}
			for _, i := range p.body {
				if i.SuspendedAt == nil && !cs.client(i.ID).visible(ctx, yield) {
					return
				}
			}
		}
	}
}

// visible lists what one installation sees. It returns false when the reader has
// enough, and true after an error, which concerns this installation alone.
func (c *Client) visible(ctx context.Context, yield func(Repository, error) bool) bool {
	type list struct {
		Repositories []Repository `json:"repositories"`
	}
	op := fmt.Sprintf("list repositories of installation %d", c.spend.installation)
	for p, err := range pages[list](ctx, c, op, request{path: "installation/repositories?per_page=100"}) {
		if err != nil {
			return yield(Repository{}, err)
		}
		if !c.yieldAll(p.body.Repositories, yield) {
			return false
		}
	}
	return true
}

func (c *Client) yieldAll(rs []Repository, yield func(Repository, error) bool) bool {
	for _, r := range rs {
		if owner, name := r.Names(); r.ID <= 0 || owner == "" || name == "" {
			continue
		}
		r.InstallationID = c.installationID()
		if !yield(r, nil) {
			return false
		}
	}
	return true
}

// Owned lists the repositories of an organisation, or of a user if there is no
// such organisation, as far as we may see them.
func (cs *Clients) Owned(ctx context.Context, owner string) iter.Seq2[Repository, error] {
	return func(yield func(Repository, error) bool) {
		c, err := cs.forOwner(ctx, owner)
		if err != nil {
			yield(Repository{}, err)
			return
		}
		path := "/" + url.PathEscape(owner) + "/repos?" + c.pageSize.ask(nil)
		for _, kind := range []string{"orgs", "users"} {
			for p, perr := range pages[[]Repository](ctx, c, "list repositories of "+owner, request{path: kind + path}) {
				if err = perr; err == nil && !c.yieldAll(p.body, yield) {
					return
				}
			}
			if !isStatus(err, http.StatusNotFound) {
				break
			}
		}
		if err != nil {
			yield(Repository{}, err)
		}
	}
}

func isStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// forOwner returns the client that may see an owner's repositories.
func (cs *Clients) forOwner(ctx context.Context, owner string) (*Client, error) {
	if cs.app == nil {
		return cs.client(0), nil
	}
	id, err := cs.findInstallation(ctx, "orgs/"+url.PathEscape(owner))
	if isStatus(err, http.StatusNotFound) {
		id, err = cs.findInstallation(ctx, "users/"+url.PathEscape(owner))
	}
	if err != nil {
		return nil, err
	}
	return cs.client(id), nil
}
