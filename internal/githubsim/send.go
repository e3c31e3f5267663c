package githubsim

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// SendOptions say how deliveries arrive. The zero value sends each once, in
// order, one at a time, unsigned.
type SendOptions struct {
	Secret string // signs the deliveries
	// Duplicates is the share of deliveries sent a second time, from 0 to 1.
	// Without Shuffle the duplicate follows its original directly.
	Duplicates float64
	Shuffle    bool // send in a random order
	// Refused is the share of deliveries, from 0 to 1, that find the receiver
	// down: they are not posted, and their result is the 502 of the proxy before
	// it. Lost is the share of those that GitHub never sends: they have no
	// result. Duplicates fare as their original.
	Refused, Lost float64
	Seed          uint64 // decides duplicates, order, and what is refused or lost
	// Concurrency is the number of requests at a time; 0: 1.
	Concurrency int
	// Client sends; nil: one that waits ten seconds for an answer, as GitHub.
	Client *http.Client
}

// SendResult is what became of one request.
type SendResult struct {
	Delivery Delivery
	Status   int // 0 if Err is not nil
	Err      error
}

// Send posts deliveries to url and never tries again, as GitHub does not. There
// is one result per request, duplicates and refused ones included but no lost
// ones, in the order they were begun.
// Once ctx is done the rest fail with its error.
func Send(ctx context.Context, url string, ds []Delivery, o SendOptions) []SendResult {
	ps := o.arrange(ds)
	client := o.Client
	if client == nil {
		transport := &http.Transport{MaxIdleConnsPerHost: max(1, o.Concurrency)}
		defer transport.CloseIdleConnections()
		client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	}
	var (
		results = make([]SendResult, len(ps))
		next    atomic.Int64
		workers sync.WaitGroup
	)
	for range max(1, o.Concurrency) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(ps) {
					return
				}
				results[i] = ps[i].send(ctx, client, url, o.Secret)
			}
		})
	}
	workers.Wait()
	return results
}

// parcel is a delivery on its way.
type parcel struct {
	Delivery
	refused bool
}

// arrange puts the deliveries that are sent, and their duplicates, in the order
// of sending.
func (o SendOptions) arrange(ds []Delivery) []parcel {
	var (
		r    = rand.New(rand.NewPCG(o.Seed, 1))
		fate = rand.New(rand.NewPCG(o.Seed, 2)) // of its own: duplicates stay the same whatever is lost
		out  = make([]parcel, 0, len(ds))
	)
	for _, d := range ds {
		f, copies := fate.Float64(), 1
		if r.Float64() < o.Duplicates {
			copies = 2
		}
		if f < o.Lost {
			continue
		}
		for range copies {
			out = append(out, parcel{d, f < o.Lost+o.Refused})
		}
	}
	if o.Shuffle {
		r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

func (p parcel) send(ctx context.Context, client *http.Client, url, secret string) SendResult {
	if p.refused {
		return SendResult{Delivery: p.Delivery, Status: http.StatusBadGateway}
	}
	status, err := post(ctx, client, url, p.Delivery, secret)
	return SendResult{p.Delivery, status, err}
}

func post(ctx context.Context, client *http.Client, url string, d Delivery, secret string) (int, error) {
	if d.sending != nil {
		d.sending()
	}
	r, err := d.Request(ctx, url, secret)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("githubsim: send delivery %s: %w", d.GUID, err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // lets the connection be used again
	return resp.StatusCode, nil
}
