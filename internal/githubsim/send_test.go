package githubsim

import (
	"net/http"
	"slices"
	"testing"
)

// fates sends with the options and counts each delivery's results by status; it
// also has what arrived.
func fates(t *testing.T, ds []Delivery, o SendOptions) (results []SendResult, byGUID map[string]map[int]int, arrived []string) {
	t.Helper()
	url, guids := receiver(t)
	o.Secret = "s"
	byGUID = map[string]map[int]int{}
	results = Send(t.Context(), url, ds, o)
	for _, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if byGUID[r.Delivery.GUID] == nil {
			byGUID[r.Delivery.GUID] = map[int]int{}
		}
		byGUID[r.Delivery.GUID][r.Status]++
	}
	return results, byGUID, guids()
}

func TestSendRefusedAndLost(t *testing.T) {
	s := start(t, Options{})
	var ds []Delivery
	for id := range int64(100) {
		ds = append(ds, s.Deliveries(aJob(1000+id))...)
	}
	o := SendOptions{Refused: 0.2, Lost: 0.1, Duplicates: 0.3, Seed: 5}
	results, byGUID, arrived := fates(t, ds, o)
	refused, requests := 0, 0
	for guid, statuses := range byGUID {
		if len(statuses) != 1 {
			t.Errorf("%s fared in two ways: %v", guid, statuses)
		}
		if statuses[http.StatusBadGateway] > 0 {
			refused++
		}
		requests += statuses[http.StatusAccepted]
	}
	if lost := len(ds) - len(byGUID); lost < 15 || lost > 45 || refused < 40 || refused > 80 {
		t.Errorf("%d lost, %d refused of %d", lost, refused, len(ds))
	}
	if len(arrived) != requests {
		t.Errorf("%d arrived of %d that were sent", len(arrived), requests)
	}
	// What is refused is known as failed, what is lost is not known.
	s.Record(results...)
	if got := s.hook.log; len(got) != len(results) {
		t.Errorf("%d recorded of %d", len(got), len(results))
	}

	again, _, _ := fates(t, ds, o)
	o.Seed++
	other, _, _ := fates(t, ds, o)
	if !slices.Equal(order(results), order(again)) || slices.Equal(order(results), order(other)) {
		t.Error("the seed does not decide")
	}
	for _, o := range []SendOptions{{Lost: 1}, {Refused: 1, Shuffle: true}} {
		if results, _, arrived := fates(t, ds, o); len(arrived) != 0 || len(results) != int(o.Refused)*len(ds) {
			t.Errorf("%+v: %d results, %d arrived", o, len(results), len(arrived))
		}
	}
}

// TestLossDoesNotChangeTheDuplicates compares with a sending that loses nothing.
func TestLossDoesNotChangeTheDuplicates(t *testing.T) {
	s := start(t, Options{})
	var ds []Delivery
	for id := range int64(40) {
		ds = append(ds, s.Deliveries(aJob(1000+id))...)
	}
	_, whole, _ := fates(t, ds, SendOptions{Duplicates: 0.5, Seed: 2})
	_, some, _ := fates(t, ds, SendOptions{Duplicates: 0.5, Seed: 2, Refused: 0.3, Lost: 0.3})
	for guid, statuses := range some {
		if got, want := statuses[202]+statuses[502], whole[guid][202]; got != want {
			t.Errorf("%s: %d times, want %d", guid, got, want)
		}
	}
}

// order is what a sending was, in words.
func order(rs []SendResult) (words []string) {
	for _, r := range rs {
		words = append(words, r.Delivery.GUID+" "+http.StatusText(r.Status))
	}
	return words
}
