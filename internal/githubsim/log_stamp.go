package githubsim

import "time"

// ticks is a time in the runner's unit, 100 ns, since 1970.
type ticks int64

const ticksPerSecond = 10_000_000

// stampSize is the length of "2024-07-08T16:48:09.3750041Z ".
const stampSize = 29

func ticksOf(t time.Time) ticks { return ticks(t.UnixNano() / 100) }

// stamper writes timestamps. A large log has ten million of them, nearly all in
// the same second as the one before.
type stamper struct {
	second int64
	prefix [20]byte // up to and with the point
}

func (s *stamper) append(b []byte, t ticks) []byte {
	second, fraction := int64(t)/ticksPerSecond, uint32(int64(t)%ticksPerSecond)
	if second != s.second || s.prefix[0] == 0 {
		s.second = second
		time.Unix(second, 0).UTC().AppendFormat(s.prefix[:0], "2006-01-02T15:04:05.")
	}
	n := len(b)
	b = append(b, s.prefix[:]...)
	b = append(b, "0000000Z "...)
	for i := n + 26; i >= n+20; i-- {
		b[i] = '0' + byte(fraction%10)
		fraction /= 10
	}
	return b
}

// rng is splitmix64: small, quick and the same everywhere.
type rng uint64

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number from 0 to n-1.
func (r *rng) below(n int) int { return int(r.next() % uint64(n)) }

// float is a number from 0 up to 1.
func (r *rng) float() float64 { return float64(r.next()>>11) / (1 << 53) }
