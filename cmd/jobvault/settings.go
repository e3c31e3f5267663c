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

// Settings are the flags and environment variables that every command has, as
// text. Load checks them.
type Settings struct {
	Listen                  string `group:"settings" env:"JOBVAULT_LISTEN" default:"127.0.0.1:8080" help:"Address to serve on."`
	DataDir                 string `group:"settings" env:"JOBVAULT_DATA_DIR" default:"./jobvault-data" help:"Where the embedded Postgres and the file bucket live."`
	DatabaseURL             Secret `group:"settings" env:"JOBVAULT_DATABASE_URL" name:"database-url" help:"Postgres 14 or later; empty: an embedded one in the data dir."`
	BucketURL               string `group:"settings" env:"JOBVAULT_BUCKET_URL" name:"bucket-url" help:"file:///path or s3://bucket/prefix?endpoint=host:port&region=R&tls=false&lock=compliance&lock_days=N; empty: in the data dir."`
	WebhookSecret           Secret `group:"settings" env:"JOBVAULT_WEBHOOK_SECRET" help:"Secret of the webhook; several, separated by commas, while rotating."`
	GitHubAPIURL            string `group:"settings" env:"JOBVAULT_GITHUB_API_URL" name:"github-api-url" default:"https://api.github.com/" help:"REST API; GHES: https://HOST/api/v3/."`
	GitHubAPIVersion        string `group:"settings" env:"JOBVAULT_GITHUB_API_VERSION" name:"github-api-version" help:"REST API version; empty: by host."`
	GitHubToken             Secret `group:"settings" env:"JOBVAULT_GITHUB_TOKEN" name:"github-token" help:"Token that may read the repositories; or an App:"`
	GitHubAppID             string `group:"settings" env:"JOBVAULT_GITHUB_APP_ID" name:"github-app-id" help:"Id of the GitHub App."`
	GitHubAppPrivateKeyFile string `group:"settings" env:"JOBVAULT_GITHUB_APP_PRIVATE_KEY_FILE" name:"github-app-private-key-file" help:"File with the App's private key, PEM."`
	GitHubConcurrency       string `group:"settings" env:"JOBVAULT_GITHUB_CONCURRENCY" name:"github-concurrency" default:"50" help:"REST requests at once; GitHub allows 100."`
	GitHubHooks             string `group:"settings" env:"JOBVAULT_GITHUB_HOOKS" name:"github-hooks" help:"Webhooks whose failed deliveries are asked for again: app, ORG/HOOK_ID or OWNER/REPO/HOOK_ID, separated by commas."`
	ReconcileEvery          string `group:"settings" env:"JOBVAULT_RECONCILE_EVERY" default:"10m" help:"How often to look for what webhooks missed; never: not at all."`
	BackfillShare           string `group:"settings" env:"JOBVAULT_BACKFILL_SHARE" default:"50%" help:"Share of GitHub's rate limit that backfills may use."`
	Repositories            string `group:"settings" env:"JOBVAULT_REPOSITORIES" default:"*" help:"Which to archive: patterns such as acme/*,!acme/secret."`
	Roles                   string `group:"settings" env:"JOBVAULT_ROLES" default:"receive,work,lookup" help:"What this process does."`
	ReadAuth                string `group:"settings" env:"JOBVAULT_READ_AUTH" default:"loopback" help:"Who may read: loopback (only this machine), github (who may on GitHub), or tokens (see jobvault token)."`
	PublicURL               string `group:"settings" env:"JOBVAULT_PUBLIC_URL" name:"public-url" help:"Where readers reach jobvault, such as https://jobvault.example.com; empty: as each request says."`
	ArchiveWorkers          string `group:"settings" env:"JOBVAULT_ARCHIVE_WORKERS" default:"32" help:"Jobs archived at once by this process."`
	LogDeadline             string `group:"settings" env:"JOBVAULT_LOG_DEADLINE" default:"6h" help:"How long after a job's completion a log that is not there is asked for again."`
	LogLimit                string `group:"settings" env:"JOBVAULT_LOG_LIMIT" default:"64GiB" help:"Longest log that is archived whole."`
	ShutdownTimeout         string `group:"settings" env:"JOBVAULT_SHUTDOWN_TIMEOUT" default:"30s" help:"How long running work may finish after SIGTERM."`
	LogLevel                string `group:"settings" env:"JOBVAULT_LOG_LEVEL" default:"info" help:"Of jobvault's own log: debug, info, warn or error."`
	LogFormat               string `group:"settings" env:"JOBVAULT_LOG_FORMAT" default:"text" help:"Of jobvault's own log: text or json."`
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

// badSetting is the error for a setting: its name, its value unless secret, and
// what would be right.
func badSetting(name, value, want string) error {
	return usageError{fmt.Errorf("%s=%q: %s", name, value, want)}
}

// badSecret is badSetting for what must not be shown.
func badSecret(name, want string) error {
	return usageError{fmt.Errorf("%s: %s", name, want)}
}

// dataDir is the data dir, absolute.
func (s Settings) dataDir() (string, error) {
	if strings.TrimSpace(s.DataDir) == "" {
		return "", badSetting("JOBVAULT_DATA_DIR", s.DataDir, "want a folder")
	}
	dir, err := filepath.Abs(s.DataDir)
	if err != nil {
		return "", fmt.Errorf("JOBVAULT_DATA_DIR: %w", err)
	}
	return dir, nil
}
