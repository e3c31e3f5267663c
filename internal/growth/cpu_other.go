//go:build !linux

package growth

import "time"

// spent is how long f takes.
func spent(f func()) time.Duration {
	begun := time.Now()
	f()
	return time.Since(begun)
}
