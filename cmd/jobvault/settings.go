package main

import (
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// Settings are the flags and environment variables that every command has, as text. Load
// checks them.
type Settings struct {
	Listen                  string `group:"settings" env:"JOBVAULT_LISTEN" default:"127.0.0.1:8080" help:"Address to listen on." placeholder:"HOST:PORT"`
	DataDir                 string `group:"settings" env:"JOBVAULT_DATA_DIR" default:"./jobvault-data" help:"Directory of the embedded Postgres and the file bucket." placeholder:"DIR"`
	DatabaseURL             Secret `group:"settings" env:"JOBVAULT_DATABASE_URL" name:"database-url" help:"URL of a Postgres 14 or later. Without it: an embedded Postgres in the data directory." placeholder:"URL"`
	BucketURL               string `group:"settings" env:"JOBVAULT_BUCKET_URL" name:"bucket-url" help:"URL of the bucket: file:///path or s3://bucket/prefix?endpoint=host:port&region=R&tls=false&lock=compliance&lock_days=N. Without it: the data directory." placeholder:"URL"`
	WebhookSecret           Secret `group:"settings" env:"JOBVAULT_WEBHOOK_SECRET" help:"Secret of the webhook. While rotating: several, separated by commas." placeholder:"SECRET"`
	GitHubAPIURL            string `group:"settings" env:"JOBVAULT_GITHUB_API_URL" name:"github-api-url" default:"https://api.github.com/" help:"Base URL of GitHub's REST API. For GitHub Enterprise Server: https://HOST/api/v3/." placeholder:"URL"`
	GitHubAPIVersion        string `group:"settings" env:"JOBVAULT_GITHUB_API_VERSION" name:"github-api-version" help:"Version of the REST API to ask for. Without it: the one that suits the host." placeholder:"DATE"`
	GitHubToken             Secret `group:"settings" env:"JOBVAULT_GITHUB_TOKEN" name:"github-token" help:"GitHub token that may read the repositories. Use this or a GitHub App." placeholder:"TOKEN"`
	GitHubAppID             string `group:"settings" env:"JOBVAULT_GITHUB_APP_ID" name:"github-app-id" help:"Id of the GitHub App." placeholder:"ID"`
	GitHubAppPrivateKeyFile string `group:"settings" env:"JOBVAULT_GITHUB_APP_PRIVATE_KEY_FILE" name:"github-app-private-key-file" help:"PEM file with the private key of the GitHub App." placeholder:"FILE"`
	GitHubConcurrency       string `group:"settings" env:"JOBVAULT_GITHUB_CONCURRENCY" name:"github-concurrency" default:"50" help:"Maximum number of concurrent REST requests. GitHub allows 100." placeholder:"NUM"`
	GitHubHooks             string `group:"settings" env:"JOBVAULT_GITHUB_HOOKS" name:"github-hooks" help:"Webhooks whose failed deliveries are requested again, separated by commas: app, ORG/HOOK_ID or OWNER/REPO/HOOK_ID." placeholder:"HOOKS"`
	ReconcileEvery          string `group:"settings" env:"JOBVAULT_RECONCILE_EVERY" default:"10m" help:"Interval between searches for jobs that webhooks missed, or never." placeholder:"DURATION"`
	BackfillShare           string `group:"settings" env:"JOBVAULT_BACKFILL_SHARE" default:"50%" help:"Share of GitHub's rate limit that backfills may use." placeholder:"PERCENT"`
	Repositories            string `group:"settings" env:"JOBVAULT_REPOSITORIES" default:"*" help:"Repositories to archive: patterns such as acme/*,!acme/secret." placeholder:"PATTERNS"`
	Roles                   string `group:"settings" env:"JOBVAULT_ROLES" default:"receive,work,lookup" help:"What this process does: any of receive, work and lookup, separated by commas." placeholder:"ROLES"`
	ReadAuth                string `group:"settings" env:"JOBVAULT_READ_AUTH" default:"loopback" help:"Who may read: loopback (this machine only), github (whoever may read the repository on GitHub) or tokens (see jobvault token)." placeholder:"RULE"`
	PublicURL               string `group:"settings" env:"JOBVAULT_PUBLIC_URL" name:"public-url" help:"URL at which readers reach jobvault, such as https://jobvault.example.com. Without it: the host of each request." placeholder:"URL"`
	ArchiveWorkers          string `group:"settings" env:"JOBVAULT_ARCHIVE_WORKERS" default:"32" help:"Number of jobs that this process archives concurrently." placeholder:"NUM"`
	LogDeadline             string `group:"settings" env:"JOBVAULT_LOG_DEADLINE" default:"6h" help:"How long after a job completed to retry fetching a log that GitHub does not have." placeholder:"DURATION"`
	DeniedDeadline          string `group:"settings" env:"JOBVAULT_DENIED_DEADLINE" default:"30d" help:"On how many days GitHub may refuse a job, or be out of reach, before its log counts as missing." placeholder:"DAYS"`
	LogLimit                string `group:"settings" env:"JOBVAULT_LOG_LIMIT" default:"64GiB" help:"Maximum size of a log that is archived whole." placeholder:"SIZE"`
	ShutdownTimeout         string `group:"settings" env:"JOBVAULT_SHUTDOWN_TIMEOUT" default:"30s" help:"How long running work may take to finish after SIGTERM." placeholder:"DURATION"`
	LogLevel                string `group:"settings" env:"JOBVAULT_LOG_LEVEL" default:"info" help:"Level of jobvault's own log: debug, info, warn or error." placeholder:"LEVEL"`
	LogFormat               string `group:"settings" env:"JOBVAULT_LOG_FORMAT" default:"text" help:"Format of jobvault's own log: text or json." placeholder:"FORMAT"`

	Given givenFlags     `kong:"-"` // how flags were written; nil: there was no command line
	Stray strayVariables `kong:"-"` // what the environment has beside settings
}

// Secret is a setting that is never printed.
type Secret string

// String says whether there is one.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[redacted]"
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// setting is one of the Settings, for printing.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"` // default, environment or flag
}

// list prints the effective settings, secrets redacted.
func (s Settings) list() []setting {
	var out []setting
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		env := field.Tag.Get("env")
		if env == "" {
			continue
		}
		value := fmt.Sprint(v.Field(i).Interface())
		if strings.HasSuffix(env, "_URL") {
			value = redactedURL(v.Field(i).String())
		}
		from := "flag"
		if fromEnv, ok := os.LookupEnv(env); ok && fromEnv == v.Field(i).String() {
			from = "environment"
		} else if v.Field(i).String() == field.Tag.Get("default") {
			from = "default"
		}
		out = append(out, setting{Name: env, Value: value, From: from})
	}
	return out
}

// redactedURL shows a URL without its password, or nothing of what is no URL.
func redactedURL(s string) string {
	u, err := url.Parse(s)
	if s != "" && (err != nil || u.Scheme == "") {
		return "[redacted]"
	}
	if err != nil || s == "" {
		return ""
	}
	q := u.Query()
	for _, name := range []string{"password", "sslpassword"} {
		if q.Has(name) {
			q.Set(name, "xxxxx")
			u.RawQuery = q.Encode()
		}
	}
	return u.Redacted()
}

// badSetting is the error for a setting: the flag or the environment variable that was
// given, its value unless secret, and what would be right.
func (s Settings) badSetting(name, value, want string) error {
	return usageError{fmt.Errorf("%s=%q: %s", s.Given.setting(name), value, want)}
}

// badSecret is badSetting for what must not be shown.
func (s Settings) badSecret(name, want string) error {
	return usageError{fmt.Errorf("%s: %s", s.Given.setting(name), want)}
}

// dataDir is the data dir, absolute.
func (s Settings) dataDir() (string, error) {
	if strings.TrimSpace(s.DataDir) == "" {
		return "", s.badSetting("JOBVAULT_DATA_DIR", s.DataDir, "want a folder")
	}
	dir, err := filepath.Abs(s.DataDir)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.Given.setting("JOBVAULT_DATA_DIR"), err)
	}
	return dir, nil
}
