package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Create a token and print it, this once."`
	List   tokenListCmd   `cmd:"" help:"List all tokens ever created, without the secrets."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token, at once and for good."`
}

type tokenCreateCmd struct {
	Name    string   `help:"Name of the token, as shown in the list and in the table reads." required:"" placeholder:"NAME"`
	Repo    []string `help:"Repository that the token may read: OWNER/NAME, or OWNER/* for all of an owner's. May be repeated." required:"" placeholder:"REPO"`
	Expires string   `help:"When the token expires: a date, a time or a duration from now (36h, 90d). Without it: never." placeholder:"TIME"`
	JSON    bool     `help:"Print one JSON object."`
}

type tokenListCmd struct {
	JSON bool `help:"Print one JSON object per line."`
}

type tokenRevokeCmd struct {
	Name string `arg:"" help:"Name of the token."`
}

// Help is kong's: examples and exit status.
func (tokenCmd) Help() string {
	return helpText(`jobvault token create --name=ci --repo=acme/rocket --expires=90d
jobvault token list
jobvault token revoke ci`, usualExit)
}

// Help is kong's: examples and exit status.
func (tokenCreateCmd) Help() string {
	return helpText("jobvault token create --name=ci --repo=acme/rocket --expires=90d", usualExit)
}

// Run prints the token alone on stdout, for a script to take.
func (c tokenCreateCmd) Run(ctx context.Context, e *environment) error {
	t := store.ReadToken{Name: c.Name, Repositories: c.Repo}
	err := checkName("--name", c.Name)
	for _, scope := range c.Repo {
		if bad := access.CheckScope(scope); bad != nil {
			err = errors.Join(err, fmt.Errorf("--repo=%w", bad))
		}
	}
	if c.Expires != "" {
		// When that is, Postgres' time says.
		_, bad := parseAhead("--expires", c.Expires, time.Now())
		err = errors.Join(err, bad)
	}
	if err != nil {
		return usageError{err}
	}
	return runSession(ctx, e, recordNeeds.mayBegin(), func(s *session) error {
		now, err := s.db.Time(ctx)
		if err != nil {
			return err
		}
		now = now.Truncate(time.Second)
		t.CreatedAt = now
		if c.Expires != "" {
			at, err := parseEnd("--expires", c.Expires, now)
			if err != nil {
				return usageError{err}
			}
			t.ExpiresAt = &at
		}
		token, digest := access.NewToken()
		err = s.db.AddReadToken(ctx, t, digest)
		if errors.Is(err, store.ErrExists) {
			return fmt.Errorf("there is, or was, a token named %q: choose another name, as that one may stand in the table reads", t.Name)
		}
		if err != nil {
			return err
		}
		if err := c.print(e.stdout, token, t, now); err != nil {
			return fmt.Errorf("the token %q is made, but could not be printed; revoke it: %w", t.Name, err)
		}
		fmt.Fprintln(e.stderr, "The token is shown only now: keep it, jobvault does not.")
		return nil
	})
}

func (c tokenCreateCmd) print(out io.Writer, token string, t store.ReadToken, now time.Time) error {
	if !c.JSON {
		_, err := fmt.Fprintln(out, token)
		return err
	}
	return jsonEncoder(out).Encode(struct {
		Token string `json:"token"`
		listedToken
	}{token, listed(t, now)})
}

// Help is kong's: examples and exit status.
func (tokenListCmd) Help() string {
	return helpText("jobvault token list", usualExit)
}

// Run lists tokens by name.
func (c tokenListCmd) Run(ctx context.Context, e *environment) error {
	return runSession(ctx, e, ledgerNeeds, func(s *session) error {
		tokens, err := s.db.ReadTokens(ctx)
		if err != nil {
			return err
		}
		now, err := s.db.Time(ctx)
		if err != nil {
			return err
		}
		rows := []listedToken{}
		for _, t := range tokens {
			rows = append(rows, listed(t, now))
		}
		if c.JSON {
			return printJSONLines(e.stdout, rows)
		}
		return printTokens(e.stdout, rows)
	})
}

// Help is kong's: examples and exit status.
func (tokenRevokeCmd) Help() string {
	return helpText("jobvault token revoke ci", usualExit)
}

// Run says why where there is nothing to revoke.
func (c tokenRevokeCmd) Run(ctx context.Context, e *environment) error {
	if err := checkName("<name>", c.Name); err != nil {
		return usageError{err}
	}
	return runSession(ctx, e, recordNeeds, func(s *session) error {
		err := s.db.RevokeReadToken(ctx, c.Name, time.Time{})
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		tokens, err := s.db.ReadTokens(ctx)
		if err != nil {
			return err
		}
		for _, t := range tokens {
			if t.Name == c.Name && t.RevokedAt != nil {
				return fmt.Errorf("the token %q was revoked already, at %s", c.Name, t.RevokedAt.UTC().Format(time.RFC3339))
			}
		}
		return fmt.Errorf("there is no token named %q; jobvault token list shows those that there are", c.Name)
	})
}

// listedToken is a token with what has become of it: good, expired or revoked.
type listedToken struct {
	store.ReadToken
	State string `json:"state"`
}

func listed(t store.ReadToken, now time.Time) listedToken {
	switch {
	case t.RevokedAt != nil:
		return listedToken{t, "revoked"}
	case t.ExpiresAt != nil && !t.ExpiresAt.After(now):
		return listedToken{t, "expired"}
	}
	return listedToken{t, "good"}
}

func printTokens(out io.Writer, tokens []listedToken) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tREPOSITORIES\tCREATED\tEXPIRES\tSTATE")
	for _, t := range tokens {
		expires := "never"
		if t.ExpiresAt != nil {
			expires = t.ExpiresAt.UTC().Format("2006-01-02 15:04:05Z")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", plain(t.Name), plain(strings.Join(t.Repositories, ",")),
			t.CreatedAt.UTC().Format("2006-01-02 15:04:05Z"), expires, t.State)
	}
	return w.Flush()
}
