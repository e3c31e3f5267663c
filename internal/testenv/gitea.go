package testenv

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// RecordedHost is where the recorded Gitea was.
const RecordedHost = "http://127.0.0.1:13000"

// GiteaRecording is the traffic of a real Gitea: what it sent, and what its API said
// afterwards.
type GiteaRecording struct {
	Deliveries []GiteaDelivery            // in the order in which they came
	Jobs       map[string]json.RawMessage // by path of the API
	Lists      map[string]json.RawMessage // by path and query, the first page of each
}

// GiteaDelivery is one recorded webhook.
type GiteaDelivery struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// Gitea reads the recording of the corpus, or skips the test if there is none.
func Gitea(t testing.TB) GiteaRecording {
	t.Helper()
	var r GiteaRecording
	if err := json.Unmarshal(decompressed(t, "gitea/api.json.zst"), &r); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(decompressed(t, "gitea/deliveries.jsonl.zst")))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var d GiteaDelivery
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		r.Deliveries = append(r.Deliveries, d)
	}
	if len(r.Deliveries) == 0 || len(r.Jobs) == 0 || len(r.Lists) == 0 {
		t.Fatalf("a recording of %d deliveries, %d jobs and %d lists", len(r.Deliveries), len(r.Jobs), len(r.Lists))
	}
	return r
}

// decompressed reads a .zst file of the corpus.
func decompressed(t testing.TB, name string) []byte {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join(Corpus(t), name))
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	text, err := dec.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
