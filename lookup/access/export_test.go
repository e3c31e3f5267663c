package access

import "time"

// SetClock gives a gate a clock that the test moves.
func SetClock(g *Gate, now func() time.Time) {
	g.now = now
	switch r := g.rule.(type) {
	case *gitHubRule:
		r.now = now
	case tokenRule:
		g.rule = tokenRule{db: r.db, now: now}
	}
}

// How long answers of GitHub's and sessions last.
const (
	AnswerLife  = answerLife
	SessionLife = sessionLife
)

// MaxAskedOfName is how many repositories of a name are asked about.
const MaxAskedOfName = maxAskedOfName
