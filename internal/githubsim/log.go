package githubsim

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"io"
	"sync"
	"time"
)

// Log is the text of a job's log: given bytes, or a deterministic generator
// that never holds the whole. The zero Log is no log at all, which is not the
// same as an empty one. Copies share their content.
type Log struct{ c *content }

// LogStyle says what a generated log looks like. The zero value is a plain log
// of a Linux runner.
type LogStyle struct {
	RunnerVersion      string // empty: one of 2024
	CRLF               bool   // lines end as on Windows
	ANSI               bool   // much of the output is coloured
	HugeLine           bool   // one line has 450 KB, if the size allows
	NoFinalNewline     bool
	NULBytes           bool
	InvalidUTF8        bool
	UntimestampedLines bool
	// Repository and JobName appear in the head; empty: invented ones.
	Repository, JobName string
	// RunnerName appears in the head; empty: a hosted runner, which does not
	// tell its name.
	RunnerName string
	// Steps give the log its sections and times; nil: invented ones from Start.
	Steps []Step
	// Start is the first line's time if Steps are nil; zero: a day in 2024.
	Start time.Time
}

// content is what the copies of a Log share.
type content struct {
	text []byte // the log, or
	plan *plan  // how to make it
	size int64

	sha256Once sync.Once
	sha256     [sha256.Size]byte
	md5Once    sync.Once
	md5        [md5.Size]byte
}

// TextLog is a log of the given bytes, which must not change any more.
func TextLog(b []byte) Log {
	return Log{&content{text: b, size: int64(len(b))}}
}

// GeneratedLog is a log of exactly size bytes that reads like a real one: BOM
// at the start and again every 2 MiB, timestamps of seven digits, the head that
// every job has, a group for each step, build output and a tail. The same
// arguments give the same bytes. A size too small for head and tail cuts them
// short.
func GeneratedLog(seed uint64, size int64, style LogStyle) Log {
	size = max(0, size)
	return Log{&content{plan: newPlan(seed, size, style), size: size}}
}

// Exists tells a log, if only an empty one, from the zero Log.
func (l Log) Exists() bool { return l.c != nil }

// Size is the number of bytes.
func (l Log) Size() int64 {
	if l.c == nil {
		return 0
	}
	return l.c.size
}

// SHA256 is the digest of the bytes, computed once.
func (l Log) SHA256() [sha256.Size]byte {
	if l.c == nil {
		return sha256.Sum256(nil)
	}
	l.c.sha256Once.Do(func() {
		h := sha256.New()
		io.Copy(h, l.Reader())
		h.Sum(l.c.sha256[:0])
	})
	return l.c.sha256
}

func (l Log) md5() [md5.Size]byte {
	l.c.md5Once.Do(func() {
		h := md5.New()
		io.Copy(h, l.Reader())
		h.Sum(l.c.md5[:0])
	})
	return l.c.md5
}

// Reader reads the log from its start. It also implements io.WriterTo.
func (l Log) Reader() io.Reader {
	if l.c == nil || l.c.plan == nil {
		return bytes.NewReader(l.text())
	}
	return newGenerator(l.c.plan)
}

// Bytes is the whole log. It is meant for small ones.
func (l Log) Bytes() []byte {
	if l.c == nil || l.c.plan == nil {
		return bytes.Clone(l.text())
	}
	buf := bytes.NewBuffer(make([]byte, 0, l.c.size))
	io.Copy(buf, l.Reader())
	return buf.Bytes()
}

func (l Log) text() []byte {
	if l.c == nil {
		return nil
	}
	return l.c.text
}
