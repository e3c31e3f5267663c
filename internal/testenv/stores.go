package testenv

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
)

// Store is a kind of S3 server that the conformance suite runs on. The package's tests share
// one of each.
type Store struct {
	Name   string
	Plain  bool // it knows neither versions nor Object Lock
	kind   s3Kind
	shared func() (*S3Server, error)
}

var stores = sync.OnceValue(func() (all []Store) {
	for _, kind := range s3Kinds {
		s := Store{Name: kind.name, Plain: kind.plain, kind: kind, shared: sync.OnceValues(func() (*S3Server, error) { return startSharedS3(kind) })}
		if kind.name == minioKind.name {
			s.shared = sharedS3
		}
		all = append(all, s)
	}
	return all
})

// Stores are the servers that JOBVAULT_TEST_STORES names, separated by commas, or all of
// them with "all"; without it, MinIO alone.
func Stores(t testing.TB) []Store {
	t.Helper()
	wanted := os.Getenv("JOBVAULT_TEST_STORES")
	if wanted == "" {
		wanted = minioKind.name
	}
	if wanted == "all" {
		return stores()
	}
	var chosen []Store
	for name := range strings.SplitSeq(wanted, ",") {
		i := slices.IndexFunc(stores(), func(s Store) bool { return s.Name == name })
		if i < 0 {
			t.Fatalf("JOBVAULT_TEST_STORES: no server is called %q; there are %v", name, storeNames())
		}
		chosen = append(chosen, stores()[i])
	}
	return chosen
}

func storeNames() (names []string) {
	for _, s := range stores() {
		names = append(names, s.Name)
	}
	return names
}

// BucketURL makes a fresh bucket.
func (s Store) BucketURL(t testing.TB) string {
	t.Helper()
	return s.server(t).BucketURL(t)
}

// VersionedBucketURL makes a fresh bucket with versioning, and whatever else the options
// say. A plain store skips the test.
func (s Store) VersionedBucketURL(t testing.TB, o minio.MakeBucketOptions) string {
	t.Helper()
	if s.Plain {
		t.Skip("store lacks: versions") // as internal/compat reads it
	}
	return s.server(t).versionedBucket(t, o)
}

func (s Store) server(t testing.TB) *S3Server {
	t.Helper()
	server, err := s.shared()
	checkS3(t, err)
	return server
}

// Version is that of the program, as its build information has it.
func (s Store) Version() (string, error) {
	path, err := find(s.kind.program)
	if err != nil {
		return "", err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "", err
	}
	if info.Main.Path != s.kind.module {
		return "", fmt.Errorf("%s was built from %s", path, info.Main.Path)
	}
	return info.Main.Version, nil
}
