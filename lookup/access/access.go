// Package access says who may read what is archived, and who somebody is.
//
// There are three rules, of which the settings choose one. By default, whoever
// calls from this machine on a loopback address reads all, and nobody else reads
// anything. With GitHub, callers bring their own GitHub tokens and read what those
// may read there. With Tokens, callers bring tokens that jobvault has made.
package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jobvault/jobvault/ingest/ghapi"
	"github.com/jobvault/jobvault/store"
)

// Errors of Reader. None tells what there is to read.
var (
	// ErrNoCredentials: the caller says nothing of who it is.
	ErrNoCredentials = errors.New("requires authentication")
	// ErrBadCredentials: the caller's token or session is not, or no longer, good.
	ErrBadCredentials = errors.New("bad credentials")
	// ErrNotLocal: without a rule, only this machine may read.
	ErrNotLocal = errors.New("nothing is readable from elsewhere: set JOBVAULT_READ_AUTH")
	// ErrAway: whoever knows the answer cannot be asked now.
	ErrAway = errors.New("access cannot be checked now")
)

// Reader is somebody who may read something.
type Reader struct {
	Subject string // as in the table reads
	db      *store.DB
	token   string
	rule    rule
}

// rule decides by a caller's token. Its errors are ErrBadCredentials, or ErrAway
// with the cause.
type rule interface {
	// identify finds whose token it is.
	identify(ctx context.Context, token string) (subject string, err error)
	// mayRead says whether the token may read a repository.
	mayRead(ctx context.Context, token string, r store.Repository) (bool, error)
	// repositories lists what the token may read; nil: all. What may be read
	// besides, but is not listed, is found by its name only.
	repositories(ctx context.Context, token string) ([]int64, error)
}

// MayRead says whether the reader may read a repository.
func (r Reader) MayRead(ctx context.Context, repository store.Repository) (bool, error) {
	if r.rule == nil {
		return r.Subject == subjectLoopback, nil
	}
	return r.rule.mayRead(ctx, r.token, repository)
}

// namePattern is what GitHub allows in names, and no path of another kind.
var namePattern = regexp.MustCompile(`^\.{0,2}[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$`)

// Named finds the repositories that have or had a name, as far as the reader may read
// them, as store.RepositoriesNamed does. The rule is asked also where there is none:
// the time that the answer takes must not tell.
func (r Reader) Named(ctx context.Context, owner, name string) ([]store.Repository, error) {
	if !namePattern.MatchString(owner) || !namePattern.MatchString(name) {
		return nil, nil
	}
	found, err := r.db.RepositoriesNamed(ctx, owner, name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if len(found) == 0 {
		_, err := r.MayRead(ctx, store.Repository{Owner: owner, Name: name})
		return nil, err
	}
	var readable []store.Repository
	for _, repository := range found {
		may, err := r.MayRead(ctx, repository)
		if err != nil {
			return nil, err
		}
		if may {
			readable = append(readable, repository)
		}
	}
	return readable, nil
}

// Repositories are those whose jobs the reader is shown in lists; nil: all.
func (r Reader) Repositories(ctx context.Context) ([]int64, error) {
	if r.rule == nil {
		if r.Subject != subjectLoopback {
			return []int64{}, nil
		}
		return nil, nil
	}
	return r.rule.repositories(ctx, r.token)
}

// Listed are the repositories whose jobs a list may show that is filtered by a name:
// those of Repositories, and, if the name is OWNER/NAME, what the reader may read of
// that name.
func (r Reader) Listed(ctx context.Context, name string) ([]int64, error) {
	ids, err := r.Repositories(ctx)
	owner, repository, both := strings.Cut(name, "/")
	if err != nil || ids == nil || !both {
		return ids, err
	}
	named, err := r.Named(ctx, owner, repository)
	if err != nil {
		return nil, err
	}
	ids = slices.Clone(ids)
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

// postgresTime has the store ask Postgres: whether a token or a session has ended is
// nothing that this machine's clock knows.
func postgresTime() time.Time { return time.Time{} }

// Loopback is the rule that only this machine may read.
func Loopback(db *store.DB) *Gate { return &Gate{db: db, now: postgresTime} }

// GitHub is the rule that a caller's GitHub token decides.
func GitHub(db *store.DB, clients *ghapi.Clients) *Gate {
	return &Gate{db: db, rule: newGitHubRule(clients, time.Now), now: postgresTime}
}

// Tokens is the rule that tokens made by jobvault decide.
func Tokens(db *store.DB) *Gate {
	return &Gate{db: db, rule: tokenRule{db: db, now: postgresTime}, now: postgresTime}
}

// SignsIn says whether readers have to say who they are.
func (g *Gate) SignsIn() bool { return g.rule != nil }

// Reader finds who makes a request: by its Authorization header, or by the cookie
// of a session.
func (g *Gate) Reader(req *http.Request) (Reader, error) {
	if g.rule == nil {
		if !local(req) {
			return Reader{}, ErrNotLocal
		}
		return Reader{Subject: subjectLoopback, db: g.db}, nil
	}
	token, err := credentials(req)
	if errors.Is(err, ErrNoCredentials) {
		token, err = g.session(req)
	}
	if err != nil {
		return Reader{}, err
	}
	return g.reader(req.Context(), token)
}

func (g *Gate) reader(ctx context.Context, token string) (Reader, error) {
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
