package ghapi

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Hook is a webhook whose deliveries can be listed and asked for again: the
// App's, an organisation's, or a repository's.
type Hook struct {
	Owner, Repo string // empty: the App's, or an organisation's
	ID          int64
}

// ParseHook reads "app", "ORG/HOOK_ID" or "OWNER/REPO/HOOK_ID".
func ParseHook(s string) (Hook, error) {
	if s == "app" {
		return Hook{}, nil
	}
	parts := strings.Split(s, "/")
	id, err := strconv.ParseInt(parts[len(parts)-1], 10, 64)
	if err != nil || id <= 0 || parts[0] == "" || len(parts) < 2 || len(parts) > 3 || parts[len(parts)-2] == "" {
		return Hook{}, fmt.Errorf("hook %q: want app, ORG/HOOK_ID or OWNER/REPO/HOOK_ID", s)
	}
	h := Hook{Owner: parts[0], ID: id}
	if len(parts) == 3 {
		h.Repo = parts[1]
	}
	return h, nil
}

// String is what ParseHook reads.
func (h Hook) String() string {
	switch {
	case h.Owner == "":
		return "app"
	case h.Repo == "":
		return fmt.Sprintf("%s/%d", h.Owner, h.ID)
	}
	return fmt.Sprintf("%s/%s/%d", h.Owner, h.Repo, h.ID)
}

func (h Hook) path() string {
	switch {
	case h.Owner == "":
		return "app/hook/deliveries"
	case h.Repo == "":
		return fmt.Sprintf("orgs/%s/hooks/%d/deliveries", url.PathEscape(h.Owner), h.ID)
	}
	return fmt.Sprintf("%s/hooks/%d/deliveries", repoPath(h.Owner, h.Repo), h.ID)
}

// HookDelivery is one attempt of GitHub's to deliver a webhook.
type HookDelivery struct {
	ID          int64     `json:"id"`
	GUID        string    `json:"guid"` // the same for all attempts
	DeliveredAt time.Time `json:"delivered_at"`
	StatusCode  int       `json:"status_code"` // 0: there was no answer
	Event       string    `json:"event"`
}

// errNoApp says that the App's hook was asked for without an App.
var errNoApp = errors.New("the App's hook takes an App")

func (cs *Clients) forHook(ctx context.Context, h Hook) (*Client, error) {
	switch {
	case h.Owner == "" && cs.app == nil:
		return nil, &Error{Class: Denied, Op: "list hook deliveries", Err: errNoApp}
	case h.Owner == "":
		return cs.lookup, nil
	case h.Repo == "":
		return cs.forOwner(ctx, h.Owner)
	}
	return cs.For(ctx, nil, h.Owner, h.Repo)
}

// HookDeliveries lists the attempts to deliver, the newest first, as far back as
// GitHub remembers: 3 days, GHES 7.
func (cs *Clients) HookDeliveries(ctx context.Context, h Hook) iter.Seq2[HookDelivery, error] {
	return func(yield func(HookDelivery, error) bool) {
		c, err := cs.forHook(ctx, h)
		if err != nil {
			yield(HookDelivery{}, err)
			return
		}
		for p, err := range pages[[]HookDelivery](ctx, c, "list deliveries of hook "+h.String(), request{path: h.path() + "?per_page=100"}) {
			if err != nil {
				yield(HookDelivery{}, err)
				return
			}
			for _, d := range p.body {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}

// Redeliver asks GitHub to deliver again. It returns when GitHub has accepted
// that, which is before it is done.
func (cs *Clients) Redeliver(ctx context.Context, h Hook, delivery int64) error {
	c, err := cs.forHook(ctx, h)
	if err != nil {
		return err
	}
	var nothing struct{}
	_, err = c.ask(ctx, fmt.Sprintf("redeliver %d of hook %s", delivery, h),
		request{method: http.MethodPost, path: fmt.Sprintf("%s/%d/attempts", h.path(), delivery)}, &nothing)
	return err
}
