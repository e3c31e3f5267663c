package deploy_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/jobvault/jobvault/internal/testenv"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// settings are the variables that jobvault knows, with their defaults, from the
// tags that `jobvault config` prints them by.
func settings(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../cmd/jobvault/settings.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	ast.Inspect(file, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || field.Tag == nil {
			return true
		}
		text, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		if name := reflect.StructTag(text).Get("env"); name != "" {
			found[name] = reflect.StructTag(text).Get("default")
		}
		return true
	})
	if len(found) < 10 {
		t.Fatalf("settings.go has the settings %v only", slices.Sorted(maps.Keys(found)))
	}
	return found
}

func TestVariablesAreSettings(t *testing.T) {
	known := settings(t)
	variable := regexp.MustCompile(`\bJOBVAULT_[A-Z0-9_]+`)
	named := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".go") {
			return err
		}
		for _, name := range variable.FindAllString(read(t, path), -1) {
			if named++; name != "" {
				if _, ok := known[name]; !ok {
					t.Errorf("%s: %s is no setting of jobvault", path, name)
				}
			}
		}
		return nil
	})
	if err != nil || named == 0 {
		t.Errorf("%d variables, %v", named, err)
	}
}

// Nothing that is committed is a secret: examples leave them empty or out.
func TestExamplesHaveNoSecrets(t *testing.T) {
	known := settings(t)
	secret := regexp.MustCompile(`TOKEN|SECRET|PASSWORD|_KEY$|KEY_ID$`)
	for _, name := range []string{".env.example", "jobvault.env.example"} {
		for i, line := range strings.Split(read(t, name), "\n") {
			key, value, assigned := strings.Cut(strings.TrimPrefix(line, "#"), "=")
			if !assigned || strings.HasPrefix(line, "# ") {
				continue
			}
			if strings.HasPrefix(key, "JOBVAULT_") && known[key] != "" && value == "" {
				t.Errorf("%s:%d: %s would lose its default", name, i+1, key)
			}
			if secret.MatchString(key) && value != "" && !strings.HasPrefix(value, "/run/credentials/") {
				t.Errorf("%s:%d: %s has a value", name, i+1, key)
			}
		}
	}
	if !strings.Contains(read(t, ".gitignore"), ".env\n") {
		t.Error(".env could be committed")
	}
}

// instruction is one of a Dockerfile, its lines joined.
type instruction struct{ name, rest string }

// stages reads a Dockerfile, as far as it is written here: no heredocs.
func stages(t *testing.T, name string) [][]instruction {
	t.Helper()
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(read(t, name), "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	var all [][]instruction
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" {
			continue
		}
		if word == "FROM" {
			all = append(all, nil)
		}
		if len(all) == 0 {
			t.Fatalf("%s begins with %s", name, word)
		}
		all[len(all)-1] = append(all[len(all)-1], instruction{word, strings.TrimSpace(rest)})
	}
	return all
}

func TestImageIsSmallAndNotRoot(t *testing.T) {
	all := stages(t, "Dockerfile")
	if len(all) < 2 {
		t.Fatal("the builder's stage is the image")
	}
	final := make(map[string]string)
	for _, in := range all[len(all)-1] {
		final[in.name] = in.rest
		switch in.name {
		case "RUN", "SHELL":
			t.Errorf("the image would need a shell: %s %s", in.name, in.rest)
		case "ENTRYPOINT", "CMD":
			if !strings.HasPrefix(in.rest, "[") {
				t.Errorf("%s %s is in shell form", in.name, in.rest)
			}
		case "ADD":
			t.Error("COPY says what is copied, ADD does not")
		}
	}
	want := map[string]string{
		"FROM": "gcr.io/distroless/static:nonroot", "USER": "65532:65532", "EXPOSE": "8080", "ENTRYPOINT": `["/jobvault"]`, "CMD": `["serve"]`,
	}
	for name, rest := range want {
		if final[name] != rest {
			t.Errorf("%s is %q, want %q", name, final[name], rest)
		}
	}
	if !strings.Contains(final["ENV"], "JOBVAULT_LISTEN=0.0.0.0:8080") {
		t.Errorf("nobody outside could reach it: ENV %s", final["ENV"])
	}
	build := fmt.Sprint(all[:len(all)-1])
	for _, part := range []string{"CGO_ENABLED=0", "-trimpath", `-ldflags "-s -w -X main.release=$VERSION"`, "target=/go/pkg/mod", "GOARCH=$TARGETARCH"} {
		if !strings.Contains(build, part) {
			t.Errorf("the builder has no %s", part)
		}
	}
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../go.mod"))
	if !strings.Contains(build, "golang:"+goVersion[1]+" ") {
		t.Errorf("the builder has another Go than go.mod, which wants %s", goVersion[1])
	}
}

// The builder gets every folder that has code, and nothing that has not.
func TestBuilderGetsTheSourceOnly(t *testing.T) {
	got := make(map[string]bool)
	for line := range strings.Lines(read(t, "Dockerfile.dockerignore")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok {
			got[name] = true
		}
	}
	want := map[string]bool{"go.mod": true, "go.sum": true}
	folders, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range folders {
		if d.IsDir() && !strings.HasPrefix(d.Name(), ".") && hasCode(t, filepath.Join("..", d.Name())) {
			want[d.Name()] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the builder gets (-want +got):\n%s", diff)
	}
}

func hasCode(t *testing.T, dir string) bool {
	t.Helper()
	found := errors.New("found")
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			return found
		}
		return nil // also of a folder that is closed to us: it is not source
	})
	return errors.Is(err, found)
}

// service is what is looked at in compose.yaml.
type service struct {
	Image       string
	Environment map[string]*string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	Privileged  bool
	Ports       []string
	Volumes     []string
	Networks    []string
	Healthcheck *struct{ Test []string }
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	StopGrace   string                                `yaml:"stop_grace_period"`
}

type composition struct {
	Services map[string]service
	Networks map[string]struct{ Internal bool }
	Volumes  map[string]any
}

func compose(t *testing.T) composition {
	t.Helper()
	var c composition
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContainersAreClosed(t *testing.T) {
	c := compose(t)
	for name, s := range c.Services {
		if !s.ReadOnly || s.Privileged || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may do more than it needs: %+v", name, s)
		}
		if strings.HasSuffix(s.Image, ":latest") || !strings.Contains(s.Image, ":") {
			t.Errorf("%s: the image %s changes by itself", name, s.Image)
		}
		for _, v := range s.Volumes {
			volume, _, _ := strings.Cut(v, ":")
			if _, ok := c.Volumes[volume]; !ok {
				t.Errorf("%s: %s is no volume of this file", name, v)
			}
		}
		if name == "jobvault" {
			continue
		}
		if len(s.Ports) > 0 {
			t.Errorf("%s publishes %v", name, s.Ports)
		}
		for _, n := range s.Networks {
			if !c.Networks[n].Internal {
				t.Errorf("%s can leave the machine by the network %s", name, n)
			}
		}
	}
	if p := c.Services["jobvault"].Ports; len(p) != 1 || !strings.HasPrefix(p[0], "127.0.0.1:") || !strings.HasSuffix(p[0], ":8080") {
		t.Errorf("jobvault publishes %v, want 8080 on loopback", p)
	}
}

func TestJobvaultStartsWhenItsStoresAreReady(t *testing.T) {
	c := compose(t)
	conditions := make(map[string]string)
	for name, d := range c.Services["jobvault"].DependsOn {
		conditions[name] = d.Condition
	}
	if diff := cmp.Diff(map[string]string{"postgres": "service_healthy", "bucket": "service_completed_successfully"}, conditions); diff != "" {
		t.Errorf("jobvault waits for (-want +got):\n%s", diff)
	}
	for name, s := range c.Services {
		for other, d := range s.DependsOn {
			if d.Condition == "service_healthy" && c.Services[other].Healthcheck == nil {
				t.Errorf("%s waits for the health of %s, which tells none", name, other)
			}
		}
	}
}

// A variable is explained in the example, and either has a default or stops
// everything with a message.
func TestVariablesOfComposeAreRequiredOrHaveDefaults(t *testing.T) {
	example := read(t, ".env.example")
	uses := regexp.MustCompile(`\$\{([A-Za-z0-9_]+)(:[-+?])?([^}]*)\}`).FindAllStringSubmatch(read(t, "compose.yaml"), -1)
	for _, use := range uses {
		if use[2] == "" || use[2] == ":?" && use[3] == "" {
			t.Errorf("%s is silently empty", use[0])
		}
		if !regexp.MustCompile(`(?m)^#?` + use[1] + `=`).MatchString(example) {
			t.Errorf(".env.example does not tell of %s", use[1])
		}
		if regexp.MustCompile(`PASSWORD|SECRET`).MatchString(use[1]) && use[2] != ":?" {
			t.Errorf("%s has a default that everybody knows", use[1])
		}
	}
	for name, value := range compose(t).Services["jobvault"].Environment {
		if value == nil && !strings.Contains(example, "#"+name+"=") {
			t.Errorf(".env.example does not tell of %s", name)
		}
	}
	if len(uses) == 0 {
		t.Error("no variables found")
	}
}

// unit is a systemd unit: values by section and key. A key may come again.
func unit(t *testing.T) map[string]map[string][]string {
	t.Helper()
	sections := make(map[string]map[string][]string)
	var section map[string][]string
	for i, line := range strings.Split(read(t, "jobvault.service"), "\n") {
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = make(map[string][]string)
			sections[strings.Trim(line, "[]")] = section
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == nil {
				t.Fatalf("jobvault.service:%d: %s", i+1, line)
			}
			section[key] = append(section[key], value)
		}
	}
	return sections
}

func TestUnitIsHardened(t *testing.T) {
	service := unit(t)["Service"]
	for key, want := range map[string]string{
		"Type": "exec", "ExecStart": "/usr/local/bin/jobvault serve", "Restart": "on-failure", "EnvironmentFile": "/etc/jobvault/jobvault.env",
		"StateDirectory": "jobvault", "KillMode": "mixed", "LoadCredential": "github-app.pem:/etc/jobvault/github-app.pem",
		"CapabilityBoundingSet": "", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes",
		"ProtectKernelTunables": "yes", "ProtectKernelModules": "yes", "ProtectKernelLogs": "yes", "MemoryDenyWriteExecute": "yes",
		"SystemCallFilter": "@system-service", "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
	} {
		if diff := cmp.Diff([]string{want}, service[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	user := strings.Join(service["User"], " ")
	if user == "" || user == "root" || !strings.Contains(read(t, "jobvault.sysusers.conf"), "\nu "+user+" ") {
		t.Errorf("nobody makes the user %q", user)
	}
	if !strings.Contains(read(t, "jobvault.env.example"), "/run/credentials/jobvault.service/github-app.pem") {
		t.Error("jobvault.env.example names another file than the unit makes")
	}
}

// Whoever stops jobvault must leave it the time that it takes: the time-out for
// requests and running work, 10 s to give the rest back and, for the unit,
// 30 s for its own Postgres.
func TestThereIsTimeToStop(t *testing.T) {
	shutdown, err := time.ParseDuration(settings(t)["JOBVAULT_SHUTDOWN_TIMEOUT"])
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		given string
		needs time.Duration
	}{
		"jobvault.service": {strings.TrimSuffix(strings.Join(unit(t)["Service"]["TimeoutStopSec"], " "), "in"), shutdown + 40*time.Second},
		"compose.yaml":     {compose(t).Services["jobvault"].StopGrace, shutdown + 10*time.Second},
	} {
		if given, err := time.ParseDuration(c.given); err != nil || given <= c.needs {
			t.Errorf("%s: %q to stop, %v; want more than %s", name, c.given, err, c.needs)
		}
	}
}

func TestSystemdUnderstandsTheUnit(t *testing.T) {
	analyze := testenv.Program(t, "systemd-analyze")
	// It wants the program to be there.
	program, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "jobvault.service")
	text := strings.ReplaceAll(read(t, "jobvault.service"), "/usr/local/bin/jobvault", program)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte(file)) {
		t.Errorf("%v\n%s", err, out)
	}
}
