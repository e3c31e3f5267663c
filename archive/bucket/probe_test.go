package bucket_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
)

// everything lists all that is under a bucket's probes, versions and delete markers too, by
// the server's own account.
func everything(t *testing.T, b bucket.Bucket) (all []minio.ObjectInfo) {
	t.Helper()
	client, name, prefix := buckettest.Client(t, b)
	_, err := client.GetBucketVersioning(t.Context(), name)
	for o := range client.ListObjectsIter(t.Context(), name, minio.ListObjectsOptions{Prefix: prefix + bucket.ProbePrefix, Recursive: true, WithVersions: err == nil}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		all = append(all, o)
	}
	return all
}

// lacking are the names of what a store lacks.
func lacking(lacks []bucket.Lack) (names []string) {
	for _, l := range lacks {
		names = append(names, l.What)
	}
	slices.Sort(names)
	return names
}

// A probe names what each server is known to lack, and nothing else, and leaves nothing
// behind, however many run at once.
func TestProbeNamesWhatAServerLacks(t *testing.T) {
	buckettest.OnEachStore(t, func(t *testing.T, s testenv.Store) {
		bucketURL := s.BucketURL(t)
		if !s.Plain {
			bucketURL = s.VersionedBucketURL(t, minio.MakeBucketOptions{ObjectLocking: true})
		}
		b := buckettest.Open(t, bucketURL)
		var probes sync.WaitGroup
		for range 4 {
			probes.Go(func() {
				lacks, err := b.Probe(t.Context(), true)
				if err != nil || !slices.Equal(lacking(lacks), buckettest.Lacks(s)) {
					t.Errorf("it lacks %q (%v), want %q", lacking(lacks), err, buckettest.Lacks(s))
				}
			})
		}
		probes.Wait()
		if left := everything(t, b); len(left) > 0 {
			t.Errorf("left are %+v", left)
		}
		version, err := s.Version()
		if err != nil {
			t.Fatal(err)
		}
		t.Log("store version: " + version) // these are what make test-stores shows
		for _, lack := range buckettest.Lacks(s) {
			t.Log("store lacks: " + lack)
		}
	})
}

// Whatever a probe finds, it says in words, with the cure; and who may only read is not
// asked to write.
func TestProbeOfAStoreThatDoesNotDoAll(t *testing.T) {
	probe := func(req *http.Request) bool { return strings.Contains(req.URL.Path, bucket.ProbePrefix) }
	var puts atomic.Int64
	for _, c := range []struct {
		name  string
		lie   func(req *http.Request) (int, string)
		want  error    // nil: it is fit
		says  string   // in the error
		lacks []string // beyond what is no fault of the server's
	}{
		{"the truth", nil, nil, "", nil},
		{"no writing", func(req *http.Request) (int, string) {
			return refuse(probe(req) && req.Method == http.MethodPut, "AccessDenied")
		}, bucket.ErrRefused, "write: the store refuses it: allow s3:PutObject, with these credentials", nil},
		{"no uploads in parts", func(req *http.Request) (int, string) {
			if req.Method == http.MethodPost {
				return http.StatusNotImplemented, s3Error("NotImplemented")
			}
			return 0, ""
		}, bucket.ErrUnfit, "write in parts: ", nil},
		{"no ranges", func(req *http.Request) (int, string) {
			if req.Header.Get("Range") != "" {
				return http.StatusOK, "all of an object that is longer than the range"
			}
			return 0, ""
		}, bucket.ErrUnfit, "knows Range", nil},
		{"lists that lack it", func(req *http.Request) (int, string) {
			if req.URL.Query().Has("list-type") {
				return http.StatusOK, `<ListBucketResult><Name>x</Name><IsTruncated>false</IsTruncated></ListBucketResult>`
			}
			return 0, ""
		}, bucket.ErrUnfit, "does not list", nil},
		{"conditions are ignored", func(req *http.Request) (int, string) {
			if req.Header.Get("If-None-Match") != "" && puts.Add(1) > 1 {
				return http.StatusOK, `<CompleteMultipartUploadResult><Bucket>x</Bucket><ETag>"x"</ETag></CompleteMultipartUploadResult>`
			}
			return 0, ""
		}, bucket.ErrUnfit, "HEAD tells of", []string{bucket.LackPartConditions.What, bucket.LackConditions.What}},
		{"conditions are refused", func(req *http.Request) (int, string) {
			if req.Header.Get("If-None-Match") != "" {
				return http.StatusNotImplemented, s3Error("NotImplemented")
			}
			return 0, ""
		}, nil, "", []string{bucket.LackPartConditions.What, bucket.LackConditions.What}},
		{"no removing", func(req *http.Request) (int, string) { return refuse(probe(req) && isDelete(req), "AccessDenied") },
			nil, "", []string{bucket.LackRemoval.What}},
		{"removed and still there", func(req *http.Request) (int, string) {
			if probe(req) && isDelete(req) {
				return http.StatusNoContent, ""
			}
			return 0, ""
		}, nil, "", []string{bucket.LackRemoval.What}},
		{"no questions about versions", func(req *http.Request) (int, string) {
			return refuse(asksVersioning(req) || asksVersions(req), "AccessDenied")
		}, nil, "", []string{bucket.LackVersionLists.What}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, b, honest := behindLiar(t, testenv.S3BucketURL(t))
			l.says(c.lie)
			lacks, err := b.Probe(t.Context(), true)
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("the probe says %v, want %v that says %q", err, c.want, c.says)
			}
			got := slices.DeleteFunc(lacking(lacks), func(what string) bool { return what == bucket.LackLocks.What || what == bucket.LackVersions.What })
			if !slices.Equal(got, c.lacks) {
				t.Errorf("it lacks %q, want %q", got, c.lacks)
			}
			if left := everything(t, honest); len(left) > 0 != (c.name == "removed and still there" || c.name == "no removing") {
				t.Errorf("left are %+v", left)
			}
		})
	}
}

// refuse is a refusal, if there is to be one.
func refuse(it bool, code string) (int, string) {
	if it {
		return http.StatusForbidden, s3Error(code)
	}
	return 0, ""
}

// What a probe costs the store, which is what the documentation says.
func TestProbeCosts(t *testing.T) {
	l, b, _ := behindLiar(t, testenv.S3BucketURL(t))
	var requests atomic.Int64
	l.says(func(*http.Request) (int, string) { requests.Add(1); return 0, "" })
	if _, err := b.Probe(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if n := requests.Swap(0); n != 17 {
		t.Errorf("one that writes: %d requests, want 17", n)
	}
	if _, err := b.Probe(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if n := requests.Load(); n > 3 {
		t.Errorf("one that reads: %d requests, want 3 at most", n)
	}
}

// Without checksums at HEAD a probe says so.
func TestProbeWithoutChecksums(t *testing.T) {
	b := buckettest.OpenProxied(t, func(resp *http.Response) error {
		resp.Header.Del("X-Amz-Checksum-Crc32c")
		return nil
	})
	lacks, err := b.Probe(t.Context(), true)
	for _, want := range []bucket.Lack{bucket.LackChecksums, bucket.LackPartChecksums} {
		if err != nil || !slices.Contains(lacks, want) {
			t.Errorf("it lacks %q (%v), want %q too", lacking(lacks), err, want.What)
		}
	}
}

// Credentials that may only read are enough for a process that only reads.
func TestProbeThatReadsOnly(t *testing.T) {
	l, b, honest := behindLiar(t, testenv.S3BucketURL(t))
	l.says(func(req *http.Request) (int, string) {
		return refuse(req.Method != http.MethodGet && req.Method != http.MethodHead, "AccessDenied")
	})
	for range 2 { // in an empty bucket, and in one with an object
		if lacks, err := b.Probe(t.Context(), false); err != nil || len(lacks) > 0 {
			t.Errorf("%v, %v", lacks, err)
		}
		if err := honest.Remove(t.Context(), "v1/x"); err != nil {
			t.Fatal(err)
		}
		buckettest.Put(t, honest, "v1/x", []byte("an object"))
	}
	l.says(func(req *http.Request) (int, string) {
		if req.Header.Get("Range") != "" {
			return http.StatusOK, "an object"
		}
		return 0, ""
	})
	if _, err := b.Probe(t.Context(), false); !errors.Is(err, bucket.ErrUnfit) {
		t.Errorf("without ranges: %v", err)
	}
	l.says(func(req *http.Request) (int, string) {
		return refuse(req.Method == http.MethodGet && strings.Contains(req.URL.Path, "v1/x"), "AccessDenied")
	})
	if _, err := b.Probe(t.Context(), false); !errors.Is(err, bucket.ErrRefused) || !strings.Contains(err.Error(), "s3:GetObject") {
		t.Errorf("without the right to read: %v", err)
	}
}

// What is under a probe's prefix is in no listing.
func TestProbesAreNotListed(t *testing.T) {
	buckettest.OnEach(t, listsNoProbe)
	listsNoProbe(t, buckettest.Open(t, testenv.S3VersionedBucketURL(t, minio.MakeBucketOptions{})))
}

func listsNoProbe(t *testing.T, b bucket.Bucket) {
	t.Helper()
	plant(t, b, bucket.ProbePrefix+"left", []byte("x"))
	plant(t, b, bucket.ProbePrefix+"deeper/left", []byte("x"))
	buckettest.Put(t, b, "v1/.probes/x", []byte("x"))
	for _, prefix := range []string{"", "v1/", bucket.ProbePrefix} {
		var want []string
		if prefix != bucket.ProbePrefix {
			want = []string{"v1/.probes/x"}
		}
		if got := listKeys(t, b, prefix); !slices.Equal(got, want) {
			t.Errorf("%q lists %q", prefix, got)
		}
		var versions []string
		for v, err := range b.ListVersions(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			versions = append(versions, v.Key)
		}
		if !slices.Equal(versions, want) {
			t.Errorf("%q lists versions of %q", prefix, versions)
		}
	}
}

// A probe removes what killed ones have left an hour ago, and nothing that is newer.
func TestProbeRemovesLeftovers(t *testing.T) {
	var old atomic.Bool
	s3 := buckettest.OpenProxied(t, func(resp *http.Response) error {
		if old.Load() && resp.Request.URL.Query().Has("list-type") {
			return ageListed(resp)
		}
		return nil
	})
	folder := buckettest.Open(t, "file://"+t.TempDir())
	key := bucket.ProbePrefix + "left"
	for _, b := range []bucket.Bucket{s3, folder} {
		plant(t, b, key, []byte("x"))
		plant(t, b, bucket.ProbePrefix+"somebodys/file", []byte("x")) // which no probe makes
		for _, age := range []bool{false, true} {
			old.Store(age)
			if dir, ok := strings.CutPrefix(b.String(), "file://"); ok && age {
				at := time.Now().Add(-2 * time.Hour)
				for _, key := range []string{key, bucket.ProbePrefix + "somebodys"} {
					if err := os.Chtimes(filepath.Join(dir, filepath.FromSlash(key)), at, at); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := b.Probe(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Size(t.Context(), key); errors.Is(err, bucket.ErrNotFound) != age {
				t.Errorf("%s: what is left, old: %t, gives %v", b, age, err)
			}
		}
	}
}

// listsToo answers each list with the object that was last probed with, and another that is
// a day old.
func listsToo(name, other string) func(*http.Request) (int, string) {
	var probed atomic.Value
	probed.Store("")
	list := func(kind, of string) (int, string) {
		text := "<" + of + "><Name>" + name + "</Name><IsTruncated>false</IsTruncated>"
		for key, at := range map[string]time.Time{probed.Load().(string): time.Now(), other: time.Now().Add(-24 * time.Hour)} {
			text += "<" + kind + "><VersionId>null</VersionId><Key>" + key + "</Key><LastModified>" + at.UTC().Format(time.RFC3339) + "</LastModified><Size>1</Size></" + kind + ">"
		}
		return http.StatusOK, text + "</" + of + ">"
	}
	return func(req *http.Request) (int, string) {
		switch _, key, _ := strings.Cut(req.URL.Path, name+"/"); {
		case req.Method == http.MethodPut && strings.Contains(key, bucket.ProbePrefix):
			probed.Store(key)
		case req.Method == http.MethodGet && asksVersions(req):
			return list("Version", "ListVersionsResult")
		case req.Method == http.MethodGet && req.URL.Query().Has("list-type"):
			return list("Contents", "ListBucketResult")
		}
		return 0, ""
	}
}

// A server that lists more than it was asked for loses nothing of it by a probe, however old
// it is, with versions and without; nor is it taken for what was asked for.
func TestProbeRemovesNothingElse(t *testing.T) {
	const log = "v1/1/2/3/4/log.zst"
	for _, bucketURL := range []string{testenv.S3BucketURL(t), testenv.S3VersionedBucketURL(t, minio.MakeBucketOptions{})} {
		l, b, honest := behindLiar(t, bucketURL)
		buckettest.Put(t, honest, log, []byte("a log"))
		_, name, prefix := buckettest.Client(t, honest)
		for _, key := range []string{prefix + log, "v1/.probe/of/others", "x"} {
			l.says(listsToo(name, key))
			if _, err := b.Probe(t.Context(), true); !errors.Is(err, bucket.ErrUnfit) || !strings.Contains(err.Error(), key) {
				t.Errorf("listing %s: %v", key, err)
			}
			for _, err := range b.List(t.Context(), "v1/1/2/3/5/") {
				if !errors.Is(err, bucket.ErrUnfit) {
					t.Errorf("a list of another folder has %s: %v", key, err)
				}
			}
			for _, err := range b.ListVersions(t.Context(), "v1/1/2/3/5/") {
				if !errors.Is(err, bucket.ErrUnfit) {
					t.Errorf("a list of another folder's versions has %s: %v", key, err)
				}
			}
			if size, err := honest.Size(t.Context(), log); err != nil || size != 5 {
				t.Errorf("listing %s: the log has %d bytes, %v", key, size, err)
			}
		}
	}
}
