package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// s3Kind is a way to run an S3 server.
type s3Kind struct {
	name    string // as in JOBVAULT_TEST_STORES
	program string // which of parts
	module  string // its Go module, as the program's build information has it
	tls     bool
	plain   bool   // it knows neither versions nor Object Lock
	ready   string // the address that answers 200 once the server is ready; "/": that answers at all
	// command makes the server's folders, and returns its arguments and environment.
	command func(s *S3Server) (args, env []string, err error)
}

var minioKind = s3Kind{name: "minio", program: "minio", module: "github.com/minio/minio", ready: "/minio/health/ready", command: minioCommand}

// s3Kinds are all of them.
var s3Kinds = []s3Kind{
	minioKind,
	{name: "versitygw", program: "versitygw", module: "github.com/versity/versitygw", ready: "/health", command: versitygwCommand},
	{name: "versitygw-tls", program: "versitygw", module: "github.com/versity/versitygw", tls: true, ready: "/health", command: versitygwCommand},
	{name: "rclone", program: "rclone", module: "github.com/rclone/rclone", plain: true, ready: "/", command: rcloneCommand},
}

func minioCommand(s *S3Server) (args, env []string, err error) {
	return []string{"server", "--quiet", "--address", s.Endpoint, "--console-address", "127.0.0.1:0", filepath.Join(s.dir, "data")},
		[]string{"MINIO_ROOT_USER=" + accessKey, "MINIO_ROOT_PASSWORD=" + secretKey, "MINIO_UPDATE=off", "MINIO_BROWSER=off"}, nil
}

func versitygwCommand(s *S3Server) (args, env []string, err error) {
	data, versions := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "versions")
	args = []string{"--quiet", "--port", s.Endpoint, "--health", "/health"}
	if s.kind.tls {
		args = append(args, "--cert", filepath.Join(s.dir, certificateFile), "--key", filepath.Join(s.dir, keyFile))
	}
	return append(args, "posix", "--versioning-dir", versions, data),
		[]string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey},
		errors.Join(os.MkdirAll(data, 0o700), os.MkdirAll(versions, 0o700))
}

func rcloneCommand(s *S3Server) (args, env []string, err error) {
	data := filepath.Join(s.dir, "data")
	return []string{"serve", "s3", "--config", "", "--addr", s.Endpoint, "--auth-key", accessKey + "," + secretKey, data}, nil, os.MkdirAll(data, 0o700)
}

// Names in a server's folder.
const (
	certificateFile = "certificate.pem"
	keyFile         = "key.pem"
)

// makeCertificate makes a certificate for loopback, and has this process trust it. It must
// come before the process first trusts anybody.
func makeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jobvault test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, certificateFile)
	return errors.Join(
		os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(dir, keyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
		os.Setenv("SSL_CERT_FILE", path),
	)
}
