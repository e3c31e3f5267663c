package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/jobvault/jobvault/lookup/rest"
	"github.com/jobvault/jobvault/lookup/search"
)

// search searches logs there as the database's own search would.
func (r *remote) search(ctx context.Context, q url.Values, to search.ResultSink) (sum search.Stats, err error) {
	resp, err := r.get(ctx, "/search", q)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
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
