package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/jobvault/jobvault/lookup/rest"
	"github.com/jobvault/jobvault/lookup/search"
)

// checkParameters finds out that a server has passed over parameters of a search: what it
// would answer is not what was asked for. Earlier names are sent beside the present ones,
// and may be passed over.
func checkParameters(q url.Values, h http.Header) error {
	known := func(name string) bool { return !slices.Contains([]string{"event", "actor", "fork", "raw"}, name) }
	if told := h.Values(search.ParametersHeader); told != nil {
		names := strings.Split(strings.Join(told, ","), ",")
		known = func(name string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.TrimSpace(n) == name })
		}
	}
	var older []string
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if !known(name) && !slices.Contains([]string{"most", "lines_before", "lines_after"}, name) {
			older = append(older, "--"+strings.ReplaceAll(name, "_", "-"))
		}
	}
	if older != nil {
		return fmt.Errorf("this jobvault is too old for %s", strings.Join(older, ", "))
	}
	return nil
}

// search searches logs there as the database's own search would.
func (r *remote) search(ctx context.Context, q url.Values, to search.ResultSink) (sum search.Stats, err error) {
	resp, err := r.get(ctx, "/search", q)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if err := checkParameters(q, resp.Header); err != nil {
		return sum, fmt.Errorf("%s: %w", r.base, err)
	}
	body := &boundedReader{r: resp.Body}
	lines := json.NewDecoder(body)
	for {
		var line rest.SearchLine
		body.left = maxRemoteBytes
		err := lines.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			return sum, fmt.Errorf("%s: the answer was cut off", r.base)
		case err != nil:
			return sum, fmt.Errorf("%s: %w", r.base, err)
		case line.Failed != "":
			if line.Searched != nil {
				sum = *line.Searched
			}
			return sum, fmt.Errorf("%s: %s", r.base, plain(line.Failed))
		case line.CutShort != "": // which was not asked for
			return sum, fmt.Errorf("%s: the answer was cut short: %s", r.base, plain(line.CutShort))
		case line.Searched != nil:
			return *line.Searched, nil
		case line.Progress != nil:
			sum = *line.Progress
			to.Progress(sum)
		case line.Fault != nil:
			to.Fault(search.Fault{JobID: line.Fault.JobID, Err: errors.New(line.Fault.Error)})
		case line.Match == nil || line.MatchJob == nil:
			return sum, fmt.Errorf("%s: a line that is not an answer of jobvault's", r.base)
		default:
			if err := to.Matches([]search.Match{*line.Match}, false); err != nil {
				return sum, err
			}
		}
	}
}
