package githubsim

import (
	"io"
	"net/http"
	"testing"
)

// BenchmarkServeLog downloads a log of 1 GiB over loopback: the ceiling for any
// benchmark of what is done with logs.
func BenchmarkServeLog(b *testing.B) {
	const size = 1 << 30
	s := start(b, Options{})
	j := aJob(1)
	j.Log = GeneratedLog(1, size, LogStyle{})
	s.AddJob(j)
	client := &http.Client{Transport: &http.Transport{ReadBufferSize: 256 << 10}}
	defer client.CloseIdleConnections()
	buf := make([]byte, 256<<10)
	b.SetBytes(size)
	for b.Loop() {
		resp, err := client.Get(s.link(1))
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, buf)
		resp.Body.Close()
		if n != size || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkGenerateLog is the generator alone.
func BenchmarkGenerateLog(b *testing.B) {
	for name, style := range map[string]LogStyle{
		"plain":  {},
		"styled": {CRLF: true, ANSI: true, NULBytes: true, InvalidUTF8: true, UntimestampedLines: true},
	} {
		b.Run(name, func(b *testing.B) {
			const size = 256 << 20
			l := GeneratedLog(1, size, style)
			b.SetBytes(size)
			for b.Loop() {
				if n, _ := io.Copy(struct{ io.Writer }{io.Discard}, l.Reader()); n != size {
					b.Fatal(n)
				}
			}
		})
	}
}

// BenchmarkDeliveries makes the webhooks of one job.
func BenchmarkDeliveries(b *testing.B) {
	s := start(b, Options{})
	for b.Loop() {
		if len(s.Deliveries(aJob(1))) != 3 {
			b.Fatal("not three")
		}
	}
}
