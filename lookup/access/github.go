package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

const (
	// answerLife is how long an answer of GitHub's is believed, a yes and a no.
	answerLife = 3 * time.Minute
	// maxAnswers bounds how many answers are kept, and maxBadTokens how many invalid
	// tokens: anybody can send any number of those.
	maxAnswers   = 100_000
	maxBadTokens = 10_000
)

// gitHubRule decides by callers' own GitHub tokens, as GitHub's own endpoints do: a
// caller that may read a repository's Actions may read its logs here.
type gitHubRule struct {
	db      *store.DB
	clients *ghapi.Clients
	now     func() time.Time
	asking  singleflight.Group

	mu      sync.Mutex
	answers map[question]answer
	bad     map[question]answer
}

// question is a question to GitHub, with the digest of the token that asks it.
type question struct {
	token [32]byte
	what  string
}

type answer struct {
	value any
	err   error
	until time.Time
}

func newGitHubRule(db *store.DB, clients *ghapi.Clients, now func() time.Time) *gitHubRule {
	return &gitHubRule{db: db, clients: clients, now: now, answers: make(map[question]answer), bad: make(map[question]answer)}
}

func (g *gitHubRule) identify(ctx context.Context, token string) (string, error) {
	login, err := ask(ctx, g, token, loginQuestion, func(ctx context.Context, c ghapi.Caller) (string, error) { return c.Login(ctx) })
	if err == nil && login == "" {
		digest := sha256.Sum256([]byte(token))
		return "github token " + hex.EncodeToString(digest[:4]), nil // an App's
	}
	return "github " + login, err
}

func (g *gitHubRule) mayRead(ctx context.Context, token string, r store.Repository) (bool, error) {
	what := strconv.FormatInt(r.ID, 10)
	if r.ID == 0 {
		what = strings.ToLower(r.FullName())
	}
	return ask(ctx, g, token, what, func(ctx context.Context, c ghapi.Caller) (bool, error) {
		return c.MayReadActions(ctx, r.ID, r.Owner, r.Name)
	})
}

// ask asks GitHub, or returns the answer that it remembers. Callers that ask the same
// thing at the same time wait for one answer; that request goes on even if the caller
// that came first goes away.
func ask[T any](ctx context.Context, g *gitHubRule, token, what string, f func(context.Context, ghapi.Caller) (T, error)) (T, error) {
	q := question{sha256.Sum256([]byte(token)), what}
	a, ok := g.remembered(q)
	if !ok {
		asked := g.asking.DoChan(string(q.token[:])+what, func() (any, error) {
			if a, ok := g.remembered(q); ok { // somebody's answer came since we looked
				return a, nil
			}
			caller := g.clients.Stranger
			if g.wasGood(q.token) {
				caller = g.clients.Caller
			}
			v, err := f(context.WithoutCancel(ctx), caller(token))
			a := answer{value: v, err: classify(err)}
			g.remember(q, a)
			return a, nil
		})
		select {
		case r := <-asked:
			a, _ = r.Val.(answer)
		case <-ctx.Done():
			return *new(T), ctx.Err()
		}
	}
	v, _ := a.value.(T)
	return v, a.err
}

// classify distinguishes an invalid token, and one that does not suffice, from a GitHub
// that does not answer.
func classify(err error) error {
	var e *ghapi.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e) && e.Class == ghapi.Denied && e.Status == http.StatusUnauthorized:
		return ErrBadCredentials
	case errors.As(err, &e) && e.Class == ghapi.Denied:
		return &ForbiddenError{Needs: e.Needs, Said: e.Message}
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

func (g *gitHubRule) remembered(q question) (answer, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, ok := g.answers[q]
	if !ok {
		a, ok = g.bad[q]
	}
	return a, ok && g.now().Before(a.until)
}

// loginQuestion is what is asked of every token first.
const loginQuestion = "login"

// wasGood says whether the token was valid the last time that GitHub was asked.
func (g *gitHubRule) wasGood(token [32]byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.answers[question{token, loginQuestion}]
	return ok
}

// remember keeps an answer; it does not keep that GitHub gave none.
func (g *gitHubRule) remember(q question, a answer) {
	if errors.Is(a.err, ErrAway) {
		return
	}
	a.until = g.now().Add(answerLife)
	g.mu.Lock()
	defer g.mu.Unlock()
	var forbidden *ForbiddenError
	if a.err != nil && (q.what == loginQuestion || !errors.As(a.err, &forbidden)) {
		delete(g.answers, q)
		keep(g.bad, q, a, maxBadTokens)
		return
	}
	keep(g.answers, q, a, maxAnswers)
}

func keep(answers map[question]answer, q question, a answer, limit int) {
	if len(answers) >= limit {
		clear(answers)
	}
	answers[q] = a
}
