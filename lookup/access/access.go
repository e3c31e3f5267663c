// Package access decides who a caller is, and what of the archive the caller may read. See
// docs/design.md#money-time-and-rights.
//
// There are three rules, of which the settings choose one. By default, callers from this
// machine, on a loopback address, read all, and nobody else reads anything. With GitHub,
// callers bring their own GitHub tokens and read what those may read there; GitHub's answer
// is believed for three minutes. With Tokens, callers bring tokens that jobvault has made.
package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// Errors of Reader. None of them reveals what there is to read.
var (
	// ErrNoCredentials: the request carries no credentials.
	ErrNoCredentials = errors.New("requires authentication")
	// ErrBadCredentials: the caller's token or session is not, or no longer, good.
	ErrBadCredentials = errors.New("bad credentials")
	// ErrNotLocal: without a rule, only this machine may read.
	ErrNotLocal = errors.New("nothing is readable from elsewhere: set JOBVAULT_READ_AUTH")
	// ErrOtherSite: another site has a browser make the request.
	ErrOtherSite = errors.New("another site has sent this request")
	// ErrAway: GitHub or Postgres, which would know the answer, cannot be asked now.
	ErrAway = errors.New("access cannot be checked now")
	// ErrTooMany: a list would be of more repositories than may be asked about.
	ErrTooMany = fmt.Errorf("more than %d repositories would have to be asked after: name one, as OWNER/NAME, or an OWNER/ of fewer, or use a classic token with the scope repo", maxAskedPerList)
)

// ForbiddenError says that a token's scopes or permissions do not let jobvault ask GitHub
// what it has to ask. It reveals something of the token, and nothing of what there is to
// read here: see Named.
type ForbiddenError struct {
	Needs string // the scope or permission, in words; empty: not known
	Said  string // what GitHub says, where Needs is empty
}

// Error names what the token lacks, for the caller whose token it is.
func (e *ForbiddenError) Error() string {
	if e.Needs != "" {
		return "the token does not suffice: it needs " + e.Needs
	}
	return strings.TrimSuffix("the token is refused: "+e.Said, ": ")
}

// Reader is somebody who may read something.
type Reader struct {
	Subject string // as in the table reads
	db      *store.DB
	token   string
	rule    rule
}

// rule decides by a caller's token. Its errors are ErrBadCredentials, ErrAway with the
// cause, and *ForbiddenError.
type rule interface {
	// identify returns the subject that the token belongs to.
	identify(ctx context.Context, token string) (subject string, err error)
	// mayRead says whether the token may read a repository.
	mayRead(ctx context.Context, token string, r store.Repository) (bool, error)
	// repositories lists what the token may read; nil: all. With a name, as in
	// store.JobFilter, it may leave out what has and had another. A repository that may
	// be read but is not listed is found by OWNER/NAME only. It may also fail with
	// ErrTooMany.
	repositories(ctx context.Context, token, name string) ([]int64, error)
}

// MayRead says whether the reader may read a repository. If the token does not suffice to
// find out, the answer is no: to name the missing permission would reveal that there is
// such a repository.
func (r Reader) MayRead(ctx context.Context, repository store.Repository) (bool, error) {
	may, err := r.mayRead(ctx, repository)
	var forbidden *ForbiddenError
	if errors.As(err, &forbidden) {
		return false, nil
	}
	return may, err
}

func (r Reader) mayRead(ctx context.Context, repository store.Repository) (bool, error) {
	if r.rule == nil {
		return r.Subject == subjectLoopback, nil
	}
	return r.rule.mayRead(ctx, r.token, repository)
}

// namePattern is what GitHub allows in names, and no path of another kind.
var namePattern = regexp.MustCompile(`^\.{0,2}[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$`)

// askParallel bounds how many repositories are asked about side by side.
const askParallel = 8

// maxAskedOfName bounds how many repositories are asked about of those that have or had
// one name. Their number has no bound: a test suite may create and delete a repository of
// the same name at every run.
const maxAskedOfName = 20

// Named finds the repositories that have or had a name, as far as the reader may read
// them, as store.RepositoriesNamed does. The rule is asked even if there is no such
// repository, so that the time of the answer reveals nothing. Where there is a rule, it
// is asked about the first maxAskedOfName only, whatever is looked for by the name: the
// others are found by their own names, and by their jobs' ids.
//
// It fails with a *ForbiddenError if none may be read, and the token does not suffice to
// ask about the one that has the name. GitHub says that only of repositories that the
// token can see there, and says the same if the archive has none of that name, for which
// it is asked by the name. So the answer is the same whether the archive has one or not,
// as long as GitHub and the archive mean the same repository by the name.
func (r Reader) Named(ctx context.Context, owner, name string) ([]store.Repository, error) {
	if !namePattern.MatchString(owner) || !namePattern.MatchString(name) {
		return nil, nil
	}
	found, err := r.db.RepositoriesNamed(ctx, owner, name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if r.rule != nil {
		found = found[:min(len(found), maxAskedOfName)]
	}
	if len(found) == 0 {
		_, err := r.mayRead(ctx, store.Repository{Owner: owner, Name: name})
		return nil, err
	}
	may, refused, err := r.mayReadEach(ctx, found)
	if err != nil {
		return nil, err
	}
	var readable []store.Repository
	for i, repository := range found {
		if may[i] {
			readable = append(readable, repository)
		}
	}
	if len(readable) == 0 && refused[0] != nil {
		return nil, refused[0]
	}
	return readable, nil
}

// mayReadEach asks about repositories in parallel, so that the time it takes does not
// reveal how many there are either. refused has an error for each repository for which
// the token does not suffice to ask.
func (r Reader) mayReadEach(ctx context.Context, rs []store.Repository) (may []bool, refused []*ForbiddenError, err error) {
	may, refused = make([]bool, len(rs)), make([]*ForbiddenError, len(rs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(askParallel)
	for i, repository := range rs {
		g.Go(func() (err error) {
			if may[i], err = r.mayRead(ctx, repository); errors.As(err, &refused[i]) {
				return nil
			}
			return err
		})
	}
	return may, refused, g.Wait()
}

// Repositories returns the repositories whose jobs lists show to the reader; nil: all.
func (r Reader) Repositories(ctx context.Context) ([]int64, error) {
	return r.repositories(ctx, "")
}

func (r Reader) repositories(ctx context.Context, name string) ([]int64, error) {
	if r.rule == nil {
		if r.Subject != subjectLoopback {
			return []int64{}, nil
		}
		return nil, nil
	}
	return r.rule.repositories(ctx, r.token, name)
}

// Listed returns the repositories whose jobs may be shown by a list that is filtered by a
// name, as in store.JobFilter; nil: all. If the name is OWNER/NAME, these are the
// repositories of that name that the reader may read, whether or not Repositories has
// them, and the rule is asked about no others.
func (r Reader) Listed(ctx context.Context, name string) ([]int64, error) {
	owner, repository, _ := strings.Cut(name, "/")
	if r.rule == nil || owner == "" || repository == "" || repository == "*" {
		return r.repositories(ctx, name)
	}
	named, err := r.Named(ctx, owner, repository)
	if err != nil {
		return nil, err
	}
	ids := []int64{}
	for _, found := range named {
		ids = append(ids, found.ID)
	}
	return ids, nil
}

// Gate lets readers in.
type Gate struct {
	db   *store.DB
	rule rule             // nil: loopback only
	now  func() time.Time // for the store
}

// postgresTime has the store use Postgres' clock: this machine's clock does not decide
// whether a token or a session has ended.
func postgresTime() time.Time { return time.Time{} }

// Loopback returns a Gate for the rule loopback: only this machine may read.
func Loopback(db *store.DB) *Gate { return &Gate{db: db, now: postgresTime} }

// GitHub returns a Gate for the rule github: a caller's GitHub token decides.
func GitHub(db *store.DB, clients *ghapi.Clients) *Gate {
	return &Gate{db: db, rule: newGitHubRule(db, clients, time.Now), now: postgresTime}
}

// Tokens returns a Gate for the rule tokens: tokens made by jobvault decide.
func Tokens(db *store.DB) *Gate {
	return &Gate{db: db, rule: tokenRule{db: db, now: postgresTime}, now: postgresTime}
}

// SignsIn says whether readers have to say who they are.
func (g *Gate) SignsIn() bool { return g.rule != nil }

// Reader finds who makes a request, by its Authorization header or by the cookie of a
// session. A request without a token that another site has made a browser send fails with
// ErrOtherSite, whatever it asks for: it would cost something, and be recorded as
// somebody's reading.
func (g *Gate) Reader(req *http.Request) (Reader, error) {
	return g.admit(req, isCrossSite(req))
}

// PageReader is Reader for pages, to which links on other sites may lead, if a person
// follows them. The person sees that a link was followed, as the window shows the page;
// it is one request, and the site learns nothing from it. Where a page costs more than
// that, see FromOtherSite.
func (g *Gate) PageReader(req *http.Request) (Reader, error) {
	return g.admit(req, isCrossSite(req) && !followedLink(req))
}

func (g *Gate) admit(req *http.Request, otherSite bool) (Reader, error) {
	if g.rule == nil {
		switch {
		case !fromThisMachine(req):
			return Reader{}, ErrNotLocal
		case otherSite:
			return Reader{}, ErrOtherSite
		}
		return Reader{Subject: subjectLoopback, db: g.db}, nil
	}
	token, err := credentials(req)
	if errors.Is(err, ErrNoCredentials) {
		// SameSite keeps the cookie from other sites, but not from other hosts of this one.
		// Where it is older than fetch metadata, a browser's word is not to be had: a proxy
		// may have changed the Host, which is all that Origin could be compared with.
		if token, err = g.session(req); err == nil && otherSite && FromOtherSite(req) {
			err = ErrOtherSite
		}
	}
	if err != nil {
		return Reader{}, err
	}
	return g.readerOf(req.Context(), token)
}

func (g *Gate) readerOf(ctx context.Context, token string) (Reader, error) {
	subject, err := g.rule.identify(ctx, token)
	if err != nil {
		return Reader{}, err
	}
	return Reader{Subject: subject, db: g.db, token: token, rule: g.rule}, nil
}

// TakesGitHubTokens says whether the tokens to sign in with are GitHub's.
func (g *Gate) TakesGitHubTokens() bool {
	_, is := g.rule.(*gitHubRule)
	return is
}
