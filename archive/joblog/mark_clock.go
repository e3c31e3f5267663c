package joblog

import "time"

// markClock reads the times of marks. It remembers the last second: marks come in bursts.
type markClock struct {
	second [len("2006-01-02T15:04:05")]byte
	micro  int64 // of its beginning, since 1970
}

// at is the time of a line, of at least StampLen-1 bytes, in microseconds since 1970; if it
// has none, one that is never near a step.
func (c *markClock) at(head []byte) int64 {
	head = head[:StampLen-1]
	if string(head[:len(c.second)]) != string(c.second[:]) || !hasStampShape(head) {
		l := ParseLine(head)
		if l.Time.IsZero() {
			return time.Time{}.UnixMicro()
		}
		copy(c.second[:], head)
		c.micro = l.Time.Unix() * microsecond
	}
	fraction := int64(0)
	for _, digit := range head[len("2006-01-02T15:04:05."):len("2006-01-02T15:04:05.000000")] {
		fraction = 10*fraction + int64(digit-'0')
	}
	return c.micro + fraction
}
