package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/lookup/rest"
	"github.com/jobvault/jobvault/store"
)

// remoteFlags say which jobvault a reading command asks, if not the database.
type remoteFlags struct {
	Server      string `group:"server" env:"JOBVAULT_SERVER" help:"Query the jobvault server at this URL instead of the database." placeholder:"URL"`
	ServerToken Secret `group:"server" env:"JOBVAULT_SERVER_TOKEN" help:"Token for that server: a GitHub token, or one made by jobvault token create." placeholder:"TOKEN"`
}

// remote is a jobvault that serves somewhere.
type remote struct {
	base   string
	token  Secret
	client *http.Client
}

// open checks the flags; nil: the database is meant.
func (f remoteFlags) open(e *environment) (*remote, error) {
	if f.Server == "" {
		return nil, nil
	}
	if err := e.settings.Stray.err(); err != nil {
		return nil, err
	}
	e.settings.Stray.warn(quietLogger(config{Settings: e.settings}, e.stderr))
	u, err := url.Parse(f.Server)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, usageError{fmt.Errorf("%s=%q: want a URL such as https://jobvault.example.com", e.given.setting("JOBVAULT_SERVER"), redactedURL(f.Server))}
	}
	if u.Scheme == "http" && f.ServerToken != "" && !access.LoopbackHost(u.Host) {
		return nil, usageError{fmt.Errorf("%s=%q: a token must not be sent unencrypted: want https", e.given.setting("JOBVAULT_SERVER"), f.Server)}
	}
	r := &remote{base: strings.TrimRight(f.Server, "/"), token: f.ServerToken}
	r.client = &http.Client{CheckRedirect: func(req *http.Request, via []*http.Request) error {
		req.Header.Del("Authorization") // a link to a log needs none
		if req.URL.Scheme != u.Scheme {
			return errors.New("it leads from https into the open")
		}
		if len(via) > 3 {
			return errors.New("it leads on and on")
		}
		return nil
	}}
	return r, nil
}

// get asks for a path. The caller closes the body.
func (r *remote) get(ctx context.Context, path string, q url.Values) (*http.Response, error) {
	address := r.base + "/api/v3" + path
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "jobvault/"+version())
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+string(r.token))
	}
	resp, err := r.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address, which may be a signed link
		}
		return nil, fmt.Errorf("ask %s: %w", r.base, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var failure struct{ Message string }
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || json.Unmarshal(b, &failure) != nil || failure.Message == "" {
		failure.Message = "not an answer of jobvault's"
	}
	return nil, fmt.Errorf("%s answers %d: %s", r.base, resp.StatusCode, plain(failure.Message))
}

// maxRemoteBytes bounds a JSON document that another jobvault sends: a page of a list, or a
// line that a search has found, of which 4 MiB are shown.
const maxRemoteBytes = 64 << 20

// boundedReader reads at most left bytes.
type boundedReader struct {
	r    io.Reader
	left int
}

func (a *boundedReader) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, fmt.Errorf("an answer of more than %d bytes", maxRemoteBytes)
	}
	n, err := a.r.Read(p[:min(len(p), a.left)])
	a.left -= n
	return n, err
}

// getJSON asks for a path and decodes what it answers.
func (r *remote) getJSON(ctx context.Context, path string, q url.Values, v any) error {
	resp, err := r.get(ctx, path, q)
	if err != nil {
		return err
	}
	err = json.NewDecoder(&boundedReader{r: resp.Body, left: maxRemoteBytes}).Decode(v)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("%s: %w", r.base, err)
	}
	return nil
}

// uses lists who used an action.
func (r *remote) uses(ctx context.Context, c usesCmd) (uses lookup.Uses, err error) {
	q := url.Values{"action": {c.Action}}
	for name, value := range map[string]string{"repository": c.Repo, "since": c.Since, "event": c.Event, "actor": c.Actor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if c.Fork {
		q.Set("fork", "1")
	}
	err = r.getJSON(ctx, "/uses", q, &uses)
	for _, u := range uses.Uses {
		if (c.Event != "" || c.Actor != "" || c.Fork) && u.LastEvent == nil && u.LastActor == nil {
			return lookup.Uses{}, fmt.Errorf("%s: %w", r.base, errOlder)
		}
	}
	return uses, err
}

// errOlder says that a jobvault has passed over a filter that it does not know: what it
// answered is not what was asked for.
var errOlder = errors.New("this jobvault is too old for --event, --actor and --fork")

// checkStarts finds out that a server has passed over the filters for what started runs.
func (c jobsCmd) checkStarts(jobs []store.JobSummary) error {
	for _, j := range jobs {
		by := c.Actor == "" || strings.EqualFold(orEmpty(j.Actor), c.Actor) || strings.EqualFold(orEmpty(j.TriggeringActor), c.Actor)
		if c.Event != "" && orEmpty(j.Event) != c.Event || c.Fork && !j.IsFromFork() || !by {
			return errOlder
		}
	}
	return nil
}

// jobs lists jobs as the database would, the newest first. unknown is what the first page
// says of those that are left out.
func (r *remote) jobs(ctx context.Context, q url.Values, limit int) (jobs []store.JobSummary, unknown *store.UnknownStarts, err error) {
	for {
		const maxPage = 100
		q.Set("per_page", strconv.Itoa(min(limit-len(jobs), maxPage)))
		var list rest.JobList
		if err := r.getJSON(ctx, "/jobs", q, &list); err != nil {
			return nil, nil, err
		}
		if list.Unknown != nil {
			unknown = list.Unknown
		}
		jobs = append(jobs, list.Jobs[:min(len(list.Jobs), limit-len(jobs))]...)
		switch {
		case list.Next == "" || len(jobs) >= limit:
			return jobs, unknown, nil
		case len(list.Jobs) == 0:
			return nil, nil, fmt.Errorf("%s: a page of no jobs, and there are more", r.base)
		}
		q.Set("after", list.Next)
	}
}

// log writes a part of a job's log to w, after showing the header with which the server
// sends it.
func (r *remote) log(ctx context.Context, w io.Writer, jobID int64, p lookup.Selection, header func(http.Header)) error {
	q := url.Values{}
	switch {
	case p.Step != nil:
		q.Set("step", strconv.FormatInt(*p.Step, 10))
	case !p.IsWhole():
		q.Set("lines", strings.TrimPrefix(p.String(), "lines "))
	}
	resp, err := r.get(ctx, fmt.Sprintf("/jobs/%d/logs", jobID), q)
	if err != nil {
		return err
	}
	header(resp.Header)
	_, err = io.Copy(w, resp.Body)
	return errors.Join(err, resp.Body.Close())
}
