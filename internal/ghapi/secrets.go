package ghapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// secrets are what one call's requests were sent with: tokens, the App's claim,
// signed addresses. What GitHub, its storage or a proxy repeats of them must not
// get into an error.
type secrets struct {
	mu   sync.Mutex
	list []string // the longest first
}

type secretsKey struct{}

// withSecrets lets the transports below tell what they send.
func withSecrets(ctx context.Context) context.Context {
	if secretsOf(ctx) != nil {
		return ctx
	}
	return context.WithValue(ctx, secretsKey{}, &secrets{})
}

// secretsOf is nil without withSecrets; a nil *secrets knows none.
func secretsOf(ctx context.Context) *secrets {
	s, _ := ctx.Value(secretsKey{}).(*secrets)
	return s
}

// shortest is the length below which a value is no secret, but may well be a word.
const shortest = 8

func (s *secrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if len(v) >= shortest && !slices.Contains(s.list, v) {
			s.list = append(s.list, v)
		}
	}
	slices.SortFunc(s.list, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// addRequest adds the credentials of a request, in all forms in which they may
// be repeated.
func (s *secrets) addRequest(req *http.Request) {
	if s == nil {
		return
	}
	_, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	found := []string{token, req.URL.RawQuery}
	for pair := range strings.SplitSeq(req.URL.RawQuery, "&") { // which has at most maxAddress
		_, v, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(v); err == nil {
			found = append(found, v, plain)
		}
	}
	s.add(found...)
}

// hide takes the secrets out of an error.
func (s *secrets) hide(e *Error) *Error {
	if s == nil {
		return e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Message = s.without(e.Message)
	if e.Err != nil {
		if text := e.Err.Error(); s.without(text) != text {
			e.Err = errors.New(s.without(text))
		}
	}
	return e
}

func (s *secrets) without(text string) string {
	for _, secret := range s.list {
		text = strings.ReplaceAll(text, secret, "[redacted]")
	}
	// A message that was cut short may end with a part of one.
	kept, cut := strings.CutSuffix(text, "…")
	if !cut {
		return text
	}
	for _, secret := range s.list {
		for n := min(len(secret)-1, len(kept)); n >= 4; n-- {
			if strings.HasSuffix(kept, secret[:n]) {
				return kept[:len(kept)-n] + "[redacted]…"
			}
		}
	}
	return text
}
