package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// knownVariables are those of the program as it is.
func knownVariables(t *testing.T) []string {
	t.Helper()
	parser, err := newParser(new(cli))
	if err != nil {
		t.Fatal(err)
	}
	return variablesOf(parser.Model)
}

func TestStrayVariables(t *testing.T) {
	t.Parallel()
	known := knownVariables(t)
	for _, name := range []string{"JOBVAULT_LISTEN", "JOBVAULT_SERVER", "JOBVAULT_SERVER_TOKEN"} {
		if stray := findStray(known, []string{name + "=x"}); stray.misspelt != nil || stray.foreign != nil {
			t.Errorf("%s is a setting: %v", name, stray)
		}
	}
	for variable, want := range map[string]string{
		// Misspelt: the setting that is meant.
		"JOBVAULT_ROELS=work":                 "misspelt JOBVAULT_ROLES",
		"JOBVAULT_ROLE=work":                  "misspelt JOBVAULT_ROLES",
		"JOBVAULT_REPOSITORY=acme/rocket":     "misspelt JOBVAULT_REPOSITORIES",
		"JOBVAULT_GITHUB_API_ULR=https://h/":  "misspelt JOBVAULT_GITHUB_API_URL",
		"JOBVAULT_DATABASE=postgres://x":      "misspelt JOBVAULT_DATABASE_URL",
		"JOBVAULT_BUCKET=s3://b":              "misspelt JOBVAULT_BUCKET_URL",
		"JOBVAULT_LISTEN_ADDRESS=:80":         "misspelt JOBVAULT_LISTEN",
		"JOBVAULT_WEBHOOK_SECRET_FILE=/s":     "misspelt JOBVAULT_WEBHOOK_SECRET",
		"JOBVAULT_SERVER_TOKEN_FILE=/s":       "misspelt JOBVAULT_SERVER_TOKEN",
		"jobvault_listen=:80":                 "misspelt JOBVAULT_LISTEN",
		"JOBVALT_DATA_DIR=/d":                 "misspelt JOBVAULT_DATA_DIR",
		"JOBVAULTDATA_DIR=/d":                 "misspelt JOBVAULT_DATA_DIR",
		"JOBVAULT_DATABASE_URL =postgres://x": "misspelt JOBVAULT_DATABASE_URL",
		"JOBVAULT_ROELS=":                     "",
		// Somebody else's, or so far off that nobody knows.
		"JOBVAULT_VERSION=1.4":         "foreign JOBVAULT_GITHUB_API_VERSION",
		"JOBVAULT_IMAGE=acme/jobvault": "foreign ",
		"JOBVAULT_TOKEN=ghp_x":         "foreign JOBVAULT_GITHUB_TOKEN",
		"JOBVAULT_DB_URL=postgres://x": "foreign ",
		"JOBVAULT_PORT=8080":           "foreign ",
		"JOBVAULT_=x":                  "foreign ",
		"JOB=12":                       "",
		"AWS_ACCESS_KEY_ID=x":          "",
		// What Kubernetes tells of services called jobvault and jobvault-web.
		"JOBVAULT_SERVICE_HOST=10.0.0.7":             "",
		"JOBVAULT_SERVICE_PORT=8080":                 "",
		"JOBVAULT_SERVICE_PORT_HTTP=8080":            "",
		"JOBVAULT_PORT=tcp://10.0.0.7:8080":          "",
		"JOBVAULT_PORT_8080_TCP=tcp://10.0.0.7:8080": "",
		"JOBVAULT_PORT_8080_TCP_PROTO=tcp":           "",
		"JOBVAULT_PORT_8080_TCP_PORT=8080":           "",
		"JOBVAULT_PORT_8080_TCP_ADDR=10.0.0.7":       "",
		"JOBVAULT_WEB_SERVICE_HOST=10.0.0.8":         "",
		"JOBVAULT_WEB_PORT=tcp://10.0.0.8:80":        "",
		"JOBVAULT_WEB_PORT_53_UDP_ADDR=10.0.0.8":     "",
	} {
		stray, got := findStray(known, []string{"PATH=/bin", variable}), ""
		for _, v := range stray.misspelt {
			got += "misspelt " + v.nearest
		}
		for _, v := range stray.foreign {
			got += "foreign " + v.nearest
		}
		if got != want {
			t.Errorf("%s: %q, want %q", variable, got, want)
		}
	}
}

// Every setting's own name is found where a letter of it is missing, doubled or wrong, so
// that no two settings are so alike that one is taken for the other.
func TestEachSettingIsFoundByAMisspelling(t *testing.T) {
	t.Parallel()
	known := knownVariables(t)
	for _, name := range known {
		for i := len(variablePrefix); i < len(name); i++ {
			for _, wrong := range []string{name[:i] + name[i+1:], name[:i] + name[i:i+1] + name[i:], name[:i] + "7" + name[i+1:]} {
				stray := findStray(known, []string{wrong + "=x"})
				if diff := cmp.Diff([]strayVariable{{wrong, name}}, stray.misspelt, cmp.AllowUnexported(strayVariable{})); diff != "" {
					t.Errorf("%s (-want +got):\n%s", wrong, diff)
				}
			}
		}
	}
}

// Neither the error nor the warning shows a value.
func TestStrayVariablesKeepSecrets(t *testing.T) {
	t.Parallel()
	known := knownVariables(t)
	stray := findStray(known, []string{"JOBVAULT_GITHUB_TOKNE=ghp_hush", "JOBVAULT_SECRETS=hush"})
	var out bytes.Buffer
	stray.warn(newLogger(config{Settings: Settings{LogFormat: "json"}}, &out))
	told := stray.err().Error() + "\n" + out.String()
	for _, want := range []string{"JOBVAULT_GITHUB_TOKNE is not a setting: did you mean JOBVAULT_GITHUB_TOKEN?", `"variable":"JOBVAULT_SECRETS"`} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not in %s", want, told)
		}
	}
	if strings.Contains(told, "hush") {
		t.Error(told)
	}
}
