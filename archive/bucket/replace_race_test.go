package bucket_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// Of many replacements at once one is left, whole: none takes another's for its
// own, stored wrong, and removes it.
func TestBucketTakesOneOfManyReplacements(t *testing.T) {
	buckettest.OnEach(t, func(t *testing.T, b bucket.Bucket) {
		const key, rounds = "v1/busy", 30
		contents := [][]byte{bytes.Repeat([]byte("a"), 300<<10), bytes.Repeat([]byte("b"), 1000), bytes.Repeat([]byte("c"), 70<<10)}
		buckettest.Put(t, b, key, contents[0])
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() {
				for round := range rounds {
					_, err := b.Replace(t.Context(), key, bytes.NewReader(contents[(i+round)%len(contents)]))
					if err != nil && !errors.Is(err, bucket.ErrExists) {
						t.Error(err)
					}
				}
			})
		}
		writers.Wait()
		if !isOneOf(buckettest.Get(t, b, key, 0, -1), contents) {
			t.Error("what is there is nobody's")
		}
	})
}
