package ingesttest

import (
	"sync/atomic"
	"time"
)

// Clock is a time that the test moves.
type Clock struct{ now atomic.Int64 }

// NewClock is a clock at noon of a day in 2026.
func NewClock() *Clock {
	c := &Clock{}
	c.now.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

// Now is the time that it shows.
func (c *Clock) Now() time.Time { return time.Unix(0, c.now.Load()).UTC() }

// Advance moves it on.
func (c *Clock) Advance(d time.Duration) { c.now.Add(int64(d)) }

// Set moves it to a time.
func (c *Clock) Set(at time.Time) { c.now.Store(at.UnixNano()) }
