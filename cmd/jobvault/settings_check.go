package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// config is the settings, checked and typed.
type config struct {
	Settings
	dataDir      string
	secrets      []string
	roles        []string
	repositories store.Patterns
	github       ghapi.Config
	hooks        []ghapi.Hook
	reconcile    time.Duration // between two rounds; 0: never
	workers      int
	deadline     time.Duration
	deniedDays   int
	logLimit     int64
	shutdown     time.Duration
	level        slog.Level
}

// Roles of a process.
const (
	roleReceive = "receive"
	roleWork    = "work"
	roleLookup  = "lookup"
)

// Rules of who may read.
const (
	readLoopback = "loopback"
	readGitHub   = "github"
	readTokens   = "tokens"
)

func (c config) has(role string) bool { return slices.Contains(c.roles, role) }

// load checks all settings and reports every bad one at once.
func (s Settings) load() (config, error) {
	c := config{Settings: s}
	var errs []error
	check := func(err error) { errs = append(errs, err) }
	check(s.Stray.err())
	var err error
	c.dataDir, err = s.dataDir()
	check(err)
	c.roles, err = s.parseRoles()
	check(err)
	if c.repositories, err = store.ParseRepositories(s.Repositories); err != nil {
		check(s.badSetting("JOBVAULT_REPOSITORIES", s.Repositories, err.Error()))
	}
	check(c.loadDeadlines())
	c.shutdown, err = s.duration("JOBVAULT_SHUTDOWN_TIMEOUT", s.ShutdownTimeout)
	check(err)
	c.workers, err = s.number("JOBVAULT_ARCHIVE_WORKERS", s.ArchiveWorkers, 1000)
	check(err)
	c.logLimit, err = s.size("JOBVAULT_LOG_LIMIT", s.LogLimit)
	check(err)
	check(c.level.UnmarshalText([]byte(s.LogLevel)))
	if errs[len(errs)-1] != nil {
		errs[len(errs)-1] = s.badSetting("JOBVAULT_LOG_LEVEL", s.LogLevel, "want debug, info, warn or error")
	}
	if s.LogFormat != "text" && s.LogFormat != "json" {
		check(s.badSetting("JOBVAULT_LOG_FORMAT", s.LogFormat, "want text or json"))
	}
	if _, _, err := net.SplitHostPort(s.Listen); err != nil {
		check(s.badSetting("JOBVAULT_LISTEN", s.Listen, "want host:port, such as 127.0.0.1:8080"))
	}
	check(s.checkDatabaseURL())
	if s.BucketURL != "" {
		if err := bucket.CheckURL(s.BucketURL); err != nil {
			check(s.badSecret("JOBVAULT_BUCKET_URL", err.Error()))
		}
	}
	if s.ReadAuth != readLoopback && s.ReadAuth != readGitHub && s.ReadAuth != readTokens {
		check(s.badSetting("JOBVAULT_READ_AUTH", s.ReadAuth, "want loopback, github or tokens"))
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			check(s.badSetting("JOBVAULT_PUBLIC_URL", redactedURL(s.PublicURL), "want a URL without a path, such as https://jobvault.example.com"))
		}
	}
	check(c.loadGitHub())
	check(c.loadReconcile())
	return c, errors.Join(errs...)
}

// loadServe checks also what only a server needs.
func (s Settings) loadServe() (config, error) {
	c, err := s.load()
	if c.has(roleReceive) {
		for secret := range strings.SplitSeq(string(s.WebhookSecret), ",") {
			if secret = strings.TrimSpace(secret); secret != "" {
				c.secrets = append(c.secrets, secret)
			}
		}
		if len(c.secrets) == 0 {
			err = errors.Join(err, s.badSecret("JOBVAULT_WEBHOOK_SECRET", "is required to receive webhooks: set it to the secret that the webhook has on GitHub"))
		}
	}
	if c.has(roleWork) {
		err = errors.Join(err, c.needGitHub())
	}
	return c, err
}

// needGitHub complains if nothing says who we are on GitHub.
func (c config) needGitHub() error {
	if c.github.Token == "" && c.github.AppID == 0 {
		return c.badSecret("JOBVAULT_GITHUB_TOKEN", "is required to fetch jobs: set it, or JOBVAULT_GITHUB_APP_ID and JOBVAULT_GITHUB_APP_PRIVATE_KEY_FILE")
	}
	return nil
}

// never is the duration of what is not to be done.
const never = "never"

// loadReconcile checks how jobvault looks for what webhooks missed.
func (c *config) loadReconcile() error {
	var errs []error
	for text := range strings.SplitSeq(c.GitHubHooks, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		h, err := ghapi.ParseHook(text)
		if err != nil {
			errs = append(errs, c.badSetting("JOBVAULT_GITHUB_HOOKS", c.GitHubHooks, "want app, ORG/HOOK_ID or OWNER/REPO/HOOK_ID, separated by commas"))
			break
		}
		if text == "app" && c.GitHubAppID == "" {
			errs = append(errs, c.badSetting("JOBVAULT_GITHUB_HOOKS", c.GitHubHooks, "app goes with JOBVAULT_GITHUB_APP_ID"))
		}
		c.hooks = append(c.hooks, h)
	}
	if c.ReconcileEvery != never {
		var err error
		c.reconcile, err = c.duration("JOBVAULT_RECONCILE_EVERY", c.ReconcileEvery)
		if err != nil {
			err = c.badSetting("JOBVAULT_RECONCILE_EVERY", c.ReconcileEvery, "want a duration such as 10m, or never")
		}
		errs = append(errs, err)
	}
	share, err := parseShare("JOBVAULT_BACKFILL_SHARE", c.BackfillShare)
	if err != nil || share == 0 {
		errs = append(errs, c.badSetting("JOBVAULT_BACKFILL_SHARE", c.BackfillShare, "want a share such as 50%"))
	}
	c.github.BackfillShare = share
	return errors.Join(errs...)
}

// loadGitHub checks who we are on GitHub.
func (c *config) loadGitHub() error {
	s := c.Settings
	concurrency, err := c.number("JOBVAULT_GITHUB_CONCURRENCY", s.GitHubConcurrency, 1000)
	c.github = ghapi.Config{
		BaseURL: s.GitHubAPIURL, APIVersion: s.GitHubAPIVersion, Token: string(s.GitHubToken),
		Concurrency: int64(concurrency), UserAgent: "jobvault/" + version(),
	}
	if (s.GitHubAppID == "") != (s.GitHubAppPrivateKeyFile == "") {
		return errors.Join(err, c.badSetting("JOBVAULT_GITHUB_APP_ID", s.GitHubAppID, "goes with JOBVAULT_GITHUB_APP_PRIVATE_KEY_FILE: set both or none"))
	}
	if s.GitHubAppID == "" {
		return errors.Join(err, c.checkGitHub())
	}
	if s.GitHubToken != "" {
		err = errors.Join(err, c.badSecret("JOBVAULT_GITHUB_TOKEN", "and JOBVAULT_GITHUB_APP_ID exclude each other: set one"))
	}
	if c.github.AppID, _ = strconv.ParseInt(s.GitHubAppID, 10, 64); c.github.AppID <= 0 {
		err = errors.Join(err, c.badSetting("JOBVAULT_GITHUB_APP_ID", s.GitHubAppID, "want the App's number"))
	}
	key, kerr := os.ReadFile(s.GitHubAppPrivateKeyFile)
	if kerr != nil {
		err = errors.Join(err, c.badSetting("JOBVAULT_GITHUB_APP_PRIVATE_KEY_FILE", s.GitHubAppPrivateKeyFile, "cannot be read: "+kerr.Error()))
	}
	c.github.AppKey = key
	if err == nil {
		err = c.checkGitHub()
	}
	return err
}

// checkGitHub tries the settings together; it makes no request.
func (c *config) checkGitHub() error {
	u, err := url.Parse(c.GitHubAPIURL)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		value := c.GitHubAPIURL
		if strings.Contains(value, "@") {
			value = redactedURL(value)
		}
		return c.badSetting("JOBVAULT_GITHUB_API_URL", value, "want a URL such as https://api.github.com/ or https://HOST/api/v3/")
	}
	github := c.github
	github.Concurrency = max(github.Concurrency, 1) // complained of already
	clients, err := ghapi.New(github)
	if errors.Is(err, ghapi.ErrAppKey) {
		return c.badSetting("JOBVAULT_GITHUB_APP_PRIVATE_KEY_FILE", c.GitHubAppPrivateKeyFile, err.Error())
	}
	if err != nil {
		return c.badSecret("JOBVAULT_GITHUB_API_URL", err.Error())
	}
	clients.Close()
	return nil
}

func (s Settings) parseRoles() ([]string, error) {
	var roles []string
	for role := range strings.SplitSeq(s.Roles, ",") {
		role = strings.TrimSpace(role)
		if role != roleReceive && role != roleWork && role != roleLookup {
			return nil, s.badSetting("JOBVAULT_ROLES", s.Roles, "want one or more of receive, work, lookup, separated by commas")
		}
		roles = append(roles, role)
	}
	return roles, nil
}

func (s Settings) checkDatabaseURL() error {
	url := string(s.DatabaseURL)
	if url == "" {
		return nil
	}
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		err := store.CheckURL(url)
		if err == nil {
			return nil
		}
		if errors.Is(err, store.ErrFewConns) {
			return s.badSecret("JOBVAULT_DATABASE_URL", store.ErrFewConns.Error())
		}
	}
	return s.badSecret("JOBVAULT_DATABASE_URL", "want postgres://user:password@host:port/database")
}

func (s Settings) duration(name, value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, s.badSetting(name, value, "want a duration such as 90s, 30m or 6h")
	}
	return d, nil
}

// maxDeniedDays is for how long GitHub keeps a log at most: who is refused for longer is
// refused for good.
const maxDeniedDays = 400

// loadDeadlines checks for how long jobs are waited for.
func (c *config) loadDeadlines() error {
	var err error
	c.deadline, err = c.duration("JOBVAULT_LOG_DEADLINE", c.LogDeadline)
	days, derr := parseDays("JOBVAULT_DENIED_DEADLINE", c.DeniedDeadline)
	if derr != nil || *days > maxDeniedDays {
		return errors.Join(err, c.badSetting("JOBVAULT_DENIED_DEADLINE", c.DeniedDeadline,
			fmt.Sprintf("want days, from 1d to %dd: nothing is waited for without end", maxDeniedDays)))
	}
	c.deniedDays = *days
	return err
}

func (s Settings) number(name, value string, limit int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > limit {
		return 0, s.badSetting(name, value, fmt.Sprintf("want a number from 1 to %d", limit))
	}
	return n, nil
}

func (s Settings) size(name, value string) (int64, error) {
	n, err := humanize.ParseBytes(value)
	if err != nil || n < 1 || n > 1<<50 {
		return 0, s.badSetting(name, value, "want a size such as 500MiB or 64GiB")
	}
	return int64(n), nil
}

// bucketDir is the file bucket in the data dir.
func (c config) bucketDir() string { return filepath.Join(c.dataDir, "bucket") }
