package lookup

import (
	"errors"
	"sync"
)

// ErrBusy says that the maximum of readings or searches is reached, in all or for this
// subject.
var ErrBusy = errors.New("too many logs are being read at once")

// SubjectLimit bounds how much is done at once, in all and for each subject, so that no
// subject takes all places. Goroutines may share it.
type SubjectLimit struct {
	total, perSubject int

	mu       sync.Mutex
	taken    int
	takenFor map[string]int // by subject
}

// NewSubjectLimit makes a limit of total places, of which each subject gets at most
// perSubject.
func NewSubjectLimit(total, perSubject int) *SubjectLimit {
	return &SubjectLimit{total: total, perSubject: perSubject, takenFor: make(map[string]int)}
}

// Acquire takes a place for a subject. It never waits: if no place is free, it fails with
// ErrBusy. The caller must call release exactly once, when it is done.
func (l *SubjectLimit) Acquire(subject string) (release func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken == l.total || l.takenFor[subject] == l.perSubject {
		return nil, ErrBusy
	}
	l.taken++
	l.takenFor[subject]++
	return func() { l.release(subject) }, nil
}

func (l *SubjectLimit) release(subject string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken--
	if l.takenFor[subject]--; l.takenFor[subject] == 0 {
		delete(l.takenFor, subject)
	}
}
