package testenv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Credentials of the servers started here.
const (
	accessKey = "testenv"
	secretKey = "testenv-secret"
)

// S3Server is an S3 server of the test's own.
type S3Server struct {
	Endpoint string // host:port
	kind     s3Kind
	dir      string
	cmd      *exec.Cmd
}

// sharedS3 is the package's MinIO, started by the first test that needs it.
var sharedS3 = sync.OnceValues(func() (*S3Server, error) { return startSharedS3(minioKind) })

// startSharedS3 starts a server that lives as long as the package's tests.
func startSharedS3(kind s3Kind) (*S3Server, error) {
	s, err := startS3(kind)
	if err != nil {
		return nil, err
	}
	if err := guard(s.dir, s.cmd.Process.Pid); err != nil {
		return nil, err
	}
	atEnd(func() {
		s.Stop()
		if err := os.RemoveAll(s.dir); err != nil {
			fmt.Fprintln(os.Stderr, "testenv:", err)
		}
	})
	return s, nil
}

var buckets atomic.Int64

// S3BucketURL makes a fresh bucket on the package's S3 server.
func S3BucketURL(t testing.TB) string {
	t.Helper()
	s, err := sharedS3()
	checkS3(t, err)
	return s.BucketURL(t)
}

// S3LockedBucketURL makes a fresh bucket with Object Lock on the package's S3 server.
func S3LockedBucketURL(t testing.TB) string {
	t.Helper()
	s, err := sharedS3()
	checkS3(t, err)
	return s.makeBucket(t, minio.MakeBucketOptions{ObjectLocking: true})
}

// NewS3 starts an S3 server for this test alone, to be stopped and started.
func NewS3(t testing.TB) *S3Server {
	t.Helper()
	s, err := startS3(minioKind)
	checkS3(t, err)
	t.Cleanup(func() {
		s.Stop()
		if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

func checkS3(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errMissing) {
		Missing(t, "tests against S3 run a server of their own: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// BucketURL makes a bucket and returns its URL for archive.Open.
func (s *S3Server) BucketURL(t testing.TB) string {
	t.Helper()
	return s.makeBucket(t, minio.MakeBucketOptions{})
}

// S3VersionedBucketURL makes a fresh bucket with versioning, and whatever else the
// options say, on the package's S3 server.
func S3VersionedBucketURL(t testing.TB, o minio.MakeBucketOptions) string {
	t.Helper()
	s, err := sharedS3()
	checkS3(t, err)
	return s.versionedBucket(t, o)
}

func (s *S3Server) versionedBucket(t testing.TB, o minio.MakeBucketOptions) string {
	t.Helper()
	bucketURL := s.makeBucket(t, o)
	name := must(url.Parse(bucketURL)).Host
	if err := s.client().EnableVersioning(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return bucketURL
}

func (s *S3Server) makeBucket(t testing.TB, o minio.MakeBucketOptions) string {
	t.Helper()
	name := fmt.Sprintf("test-%d", buckets.Add(1))
	if err := s.client().MakeBucket(t.Context(), name, o); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("s3://%s/some/prefix?endpoint=%s&tls=%t", name, s.Endpoint, s.kind.tls)
}

func (s *S3Server) client() *minio.Client {
	return must(minio.New(s.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Secure: s.kind.tls}))
}

func startS3(kind s3Kind) (*S3Server, error) {
	// archive.Open reads these.
	os.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	os.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &S3Server{Endpoint: address, kind: kind}
	if s.dir, err = os.MkdirTemp("", "jobvault-test-s3-"); err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return s, nil
}

// Start starts a server that was stopped, with what it held, on the same port.
// It returns when the server answers.
func (s *S3Server) Start() error {
	binary, err := find(s.kind.program)
	if err != nil {
		return err
	}
	if s.kind.tls {
		if err := makeCertificate(s.dir); err != nil {
			return err
		}
	}
	log, err := os.Create(s.log())
	if err != nil {
		return err
	}
	defer log.Close()
	args, env, err := s.kind.command(s)
	if err != nil {
		return err
	}
	s.cmd = exec.Command(binary, args...)
	s.cmd.Env = append(append(os.Environ(), "HOME="+s.dir), env...)
	s.cmd.Dir = s.dir
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.waitReady(ctx)
}

func (s *S3Server) log() string { return filepath.Join(s.dir, "log") }

// waitReady asks until the server says that it is ready, or answers at all where it has no
// such address.
func (s *S3Server) waitReady(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	scheme := "http"
	if s.kind.tls {
		scheme = "https"
	}
	for {
		req := must(http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+s.Endpoint+s.kind.ready, nil))
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK || s.kind.ready == "/" {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			log, _ := os.ReadFile(s.log())
			return fmt.Errorf("%s is not ready: %w\n%s", s.kind.name, errors.Join(ctx.Err(), err), log)
		}
	}
}

// Stop kills the server, as a power cut would.
func (s *S3Server) Stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}
