package ghapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/internal/githubsim"
)

const appID = 4242

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

var (
	appKey     = sync.OnceValue(newKey)
	anotherKey = sync.OnceValue(newKey)
)

// keyPEM is a key as GitHub hands it out.
func keyPEM(key *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

// app simulates a GitHub with the App, and makes clients that are the App.
func app(t testing.TB, o githubsim.Options, c ghapi.Config, jobs ...githubsim.Job) (*githubsim.Server, *ghapi.Clients) {
	t.Helper()
	o.AppID, o.AppKey = appID, &appKey().PublicKey
	gh := simulate(t, o, jobs...)
	c.BaseURL, c.AppID = gh.URL(), appID
	if c.AppKey == nil {
		c.AppKey = keyPEM(appKey())
	}
	return gh, clientsOf(t, c)
}

func TestTokenIsOneClientForAll(t *testing.T) {
	gh := simulate(t, githubsim.Options{Token: "ghp_right"}, completed(7, githubsim.Log{}))
	cs := clientsOf(t, ghapi.Config{BaseURL: gh.URL(), Token: "ghp_right"})
	first, err := cs.For(t.Context(), nil, owner, repo)
	check(t, err)
	for _, installation := range []*int64{nil, ptr(int64(5)), ptr(int64(6))} {
		c, err := cs.For(t.Context(), installation, "other", "repository")
		if c != first || err != nil {
			t.Errorf("installation %v has a client of its own (%v)", installation, err)
		}
	}
	if _, err := first.Job(t.Context(), owner, repo, 7); err != nil {
		t.Error(err)
	}
	if n := gh.Requests(); len(n) != 1 {
		t.Errorf("requests %v, want that for the job only", n)
	}
}

func TestWrongTokenIsDenied(t *testing.T) {
	gh := simulate(t, githubsim.Options{Token: "ghp_right"}, completed(7, githubsim.Log{}))
	_, err := clientOf(t, ghapi.Config{BaseURL: gh.URL(), Token: "ghp_wrong"}).Job(t.Context(), owner, repo, 7)
	refusal(t, err, ghapi.Denied, 401, "Bad credentials")
}

func TestAppHasOneClientPerInstallation(t *testing.T) {
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{}, completed(7, githubsim.TextLog([]byte("seven\n"))))
	gh.AddRepository(githubsim.Repository{ID: 4, Owner: "other", Name: "secret", Private: true, InstallationID: 6})
	theirs := completed(8, githubsim.Log{})
	theirs.RepositoryID, theirs.RunID = 4, 101
	gh.AddJob(theirs)
	for range 2 {
		five, err := cs.For(t.Context(), ptr(int64(5)), owner, repo)
		check(t, err)
		six, err := cs.For(t.Context(), ptr(int64(6)), "other", "secret")
		check(t, err)
		if again, _ := cs.For(t.Context(), ptr(int64(5)), "any", "name"); again != five || five == six {
			t.Error("the clients are not those of the installations")
		}
		if _, err := five.Job(t.Context(), owner, repo, 7); err != nil {
			t.Error(err)
		}
		if text, err := readLog(t.Context(), five, 7); err != nil || string(text) != "seven\n" {
			t.Errorf("log %q, %v", text, err)
		}
		if _, err := six.Job(t.Context(), "other", "secret", 8); err != nil {
			t.Error(err)
		}
		_, err = six.Job(t.Context(), owner, repo, 7)
		refusal(t, err, ghapi.NotFound, 404, "Not Found")
	}
	if n := gh.Requests()[githubsim.EndpointToken]; n != 2 {
		t.Errorf("%d tokens for two installations", n)
	}
	if n := gh.TokenSentToBlob(); n != 0 {
		t.Errorf("%d tokens sent to the storage", n)
	}
}

func TestInstallationIsLookedUpOnce(t *testing.T) {
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{}, completed(7, githubsim.Log{}))
	told, err := cs.For(t.Context(), ptr(int64(5)), owner, repo)
	check(t, err)
	for _, name := range []string{"rocket", "Rocket", "ROCKET"} {
		found, err := cs.For(t.Context(), nil, "Acme", name)
		if found != told || err != nil {
			t.Errorf("%s: not the client of installation 5 (%v)", name, err)
		}
	}
	if n := gh.Requests()[githubsim.EndpointInstallation]; n != 1 {
		t.Errorf("looked up %d times", n)
	}
	// The simulator answers a former name with a redirect, as GitHub does.
	gh.RenameRepository(repository.ID, owner, "starship")
	cs = clientsOf(t, ghapi.Config{BaseURL: gh.URL(), AppID: appID, AppKey: keyPEM(appKey())})
	c, err := cs.For(t.Context(), nil, owner, repo)
	check(t, err)
	if _, err := c.Job(t.Context(), owner, repo, 7); err != nil {
		t.Error(err)
	}
}

func TestInstallationsThatDoNotWorkAreDenied(t *testing.T) {
	for _, c := range []struct {
		name         string
		installation *int64
		prepare      func(*githubsim.Server)
		config       ghapi.Config
		status       int
	}{
		{name: "suspended", installation: ptr(int64(5)), status: 403, prepare: func(gh *githubsim.Server) { gh.SuspendInstallation(5, time.Now()) }},
		{name: "suspended, looked up", status: 403, prepare: func(gh *githubsim.Server) { gh.SuspendInstallation(5, time.Now()) }},
		{name: "unknown", installation: ptr(int64(999)), status: 404},
		{name: "another App's key", installation: ptr(int64(5)), config: ghapi.Config{AppKey: keyPEM(anotherKey())}, status: 401},
		{name: "another App's key, looked up", config: ghapi.Config{AppKey: keyPEM(anotherKey())}, status: 401},
		{name: "none in the repository", status: 404, prepare: func(gh *githubsim.Server) {
			r := repository
			r.InstallationID = 0
			gh.AddRepository(r)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			gh, cs := app(t, githubsim.Options{}, c.config, completed(7, githubsim.Log{}))
			if c.prepare != nil {
				c.prepare(gh)
			}
			client, err := cs.For(t.Context(), c.installation, owner, repo)
			if err == nil {
				_, err = client.Job(t.Context(), owner, repo, 7)
			}
			refusal(t, err, ghapi.Denied, c.status, "installation")
			if n := gh.Requests()[githubsim.EndpointJob]; n != 0 {
				t.Errorf("the job was asked for %d times", n)
			}
		})
	}
}

// GitHub says why it gives no token; whoever reads the ledger wants to know.
func TestReasonForNoTokenIsKept(t *testing.T) {
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{})
	gh.SuspendInstallation(5, time.Now())
	c, err := cs.For(t.Context(), ptr(int64(5)), owner, repo)
	check(t, err)
	_, err = c.Job(t.Context(), owner, repo, 7)
	refusal(t, err, ghapi.Denied, 403, "This installation has been suspended")
}

// Two installations get their tokens at the same time; the race detector looks on.
func TestInstallationsDoNotDisturbEachOther(t *testing.T) {
	gh, cs := app(t, githubsim.Options{}, ghapi.Config{})
	var together sync.WaitGroup
	for i := range int64(8) {
		r := githubsim.Repository{ID: 50 + i, Owner: owner, Name: "r" + string(rune('a'+i)), Private: true, InstallationID: 50 + i}
		gh.AddRepository(r)
		j := completed(50+i, githubsim.Log{})
		j.RepositoryID, j.RunID = r.ID, 500+i
		gh.AddJob(j)
		together.Go(func() {
			c, err := cs.For(t.Context(), &r.InstallationID, r.Owner, r.Name)
			if err == nil {
				_, err = c.Job(t.Context(), r.Owner, r.Name, j.ID)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
}

func TestConfigurationThatCannotWorkIsRefused(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	check(t, err)
	publicDER, err := x509.MarshalPKIXPublicKey(&appKey().PublicKey)
	check(t, err)
	const base = "https://api.github.com/"
	cut := keyPEM(appKey())[:400]
	for _, c := range []struct {
		name   string
		config ghapi.Config
		want   string
	}{
		{name: "no URL", want: "want http(s)://host/path/"},
		{name: "URL without a scheme", config: ghapi.Config{BaseURL: "api.github.com"}, want: "want http(s)://host/path/"},
		{name: "URL without a host", config: ghapi.Config{BaseURL: "https:///api/v3/"}, want: "want http(s)://host/path/"},
		{name: "URL of another scheme", config: ghapi.Config{BaseURL: "ftp://ghes.example/"}, want: "want http(s)://host/path/"},
		{name: "URL that is none", config: ghapi.Config{BaseURL: "http://[::1/"}, want: "want http(s)://host/path/"},
		{name: "App without a key", config: ghapi.Config{BaseURL: base, AppID: appID}, want: "private key"},
		{name: "key that is no PEM", config: ghapi.Config{BaseURL: base, AppID: appID, AppKey: []byte("c2VjcmV0IGtleQ==")}, want: "private key"},
		{name: "key cut short", config: ghapi.Config{BaseURL: base, AppID: appID, AppKey: cut}, want: "private key"},
		{name: "public key", config: ghapi.Config{BaseURL: base, AppID: appID, AppKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER})}, want: "private key"},
		{name: "key that is not RSA", config: ghapi.Config{BaseURL: base, AppID: appID, AppKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: ecDER})}, want: "private key"},
		{name: "no request at all", config: ghapi.Config{BaseURL: base, Concurrency: -1}, want: "oncurrency"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.config.Concurrency == 0 {
				c.config.Concurrency = 1
			}
			cs, err := ghapi.New(c.config)
			if cs != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if key := string(c.config.AppKey); len(key) > 30 && strings.Contains(err.Error(), key[len(key)/2:len(key)/2+20]) {
				t.Errorf("the key is in the error: %v", err)
			}
		})
	}
}

func TestAppKeyMayBePKCS8(t *testing.T) {
	der, err := x509.MarshalPKCS8PrivateKey(appKey())
	check(t, err)
	_, cs := app(t, githubsim.Options{}, ghapi.Config{AppKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})}, completed(7, githubsim.Log{}))
	c, err := cs.For(t.Context(), nil, owner, repo)
	check(t, err)
	if _, err := c.Job(t.Context(), owner, repo, 7); err != nil {
		t.Error(err)
	}
}
