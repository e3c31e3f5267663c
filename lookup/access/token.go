package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jobvault/jobvault/store"
)

// tokenPrefix lets people, and scanners for leaked secrets, recognise a token.
const tokenPrefix = "jobvault_"

// NewToken makes a token of 256 random bits. Its digest is what is kept.
func NewToken() (token string, digest [32]byte) {
	b := make([]byte, 32)
	rand.Read(b)
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
	return token, sha256.Sum256([]byte(token))
}

// scopes matches OWNER/NAME, with the characters that GitHub allows in names, and
// OWNER/*.
var scopePattern = regexp.MustCompile(`^[A-Za-z0-9._-]+/(\*|[A-Za-z0-9._-]+)$`)

// CheckScope refuses what is neither OWNER/NAME nor OWNER/*.
func CheckScope(s string) error {
	if !scopePattern.MatchString(s) {
		return fmt.Errorf("%q: want OWNER/NAME or OWNER/*", s)
	}
	return nil
}

// tokenRule decides by tokens that jobvault has made.
type tokenRule struct {
	db  *store.DB
	now func() time.Time
}

func (t tokenRule) find(ctx context.Context, token string) (store.ReadToken, error) {
	found, err := t.db.ReadTokenOf(ctx, sha256.Sum256([]byte(token)), t.now())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return found, ErrBadCredentials
	case err != nil:
		return found, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return found, nil
}

func (t tokenRule) identify(ctx context.Context, token string) (string, error) {
	found, err := t.find(ctx, token)
	return "token " + found.Name, err
}

func (t tokenRule) mayRead(ctx context.Context, token string, r store.Repository) (bool, error) {
	found, err := t.find(ctx, token)
	if err != nil {
		return false, err
	}
	if !r.HasName {
		// Another repository may have the name by now: then it gives no right to this
		// one's logs.
		return false, nil
	}
	for _, scope := range found.Repositories {
		if strings.EqualFold(scope, r.FullName()) || strings.EqualFold(scope, r.Owner+"/*") {
			return true, nil
		}
	}
	return false, nil
}

func (t tokenRule) repositories(ctx context.Context, token, _ string) ([]int64, error) {
	found, err := t.find(ctx, token)
	if err != nil {
		return nil, err
	}
	ids, err := t.db.RepositoriesWithin(ctx, found.Repositories)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return append([]int64{}, ids...), nil
}
