package lookup

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"
)

// Names of files in a package, in addition to those of package archive.
const (
	evidenceSums     = "SHA256SUMS"
	evidenceLogs     = "LOGS.sha256"
	evidenceManifest = "manifest.jsonl"
	evidenceLog      = "log" // what zstd makes of log.zst
)

//go:embed evidence_readme.md
var evidenceReadme string

var evidenceTemplate = template.Must(template.New("README.md").Parse(evidenceReadme))

// evidencePack is a package that is being made, in a folder next to its destination.
type evidencePack struct {
	dir      string
	sums     []evidenceSum // of all files
	logs     []evidenceSum // of logs, decompressed
	unlisted []int64       // jobs that no manifest lists as they are
}

type evidenceSum struct{ name, sum string }

func newEvidencePack(parent string) (*evidencePack, error) {
	dir, err := os.MkdirTemp(parent, ".jobvault-export-*")
	return &evidencePack{dir: dir}, err
}

// evidenceFile is a file on its way into a package.
type evidenceFile struct {
	io.Writer
	pack *evidencePack
	name string
	f    *os.File
	sum  hash.Hash
}

func (p *evidencePack) create(name string) (*evidenceFile, error) {
	path := filepath.Join(p.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	return &evidenceFile{Writer: io.MultiWriter(f, sum), pack: p, name: name, f: f, sum: sum}, nil
}

// close closes the file and notes its digest.
func (f *evidenceFile) close() (sum [32]byte, err error) {
	err = errors.Join(f.f.Sync(), f.f.Close())
	f.sum.Sum(sum[:0])
	f.pack.sums = append(f.pack.sums, evidenceSum{name: f.name, sum: hex.EncodeToString(sum[:])})
	return sum, err
}

func (p *evidencePack) put(name string, content []byte) (sum [32]byte, err error) {
	f, err := p.create(name)
	if err != nil {
		return sum, err
	}
	_, err = f.Write(content)
	sum, cerr := f.close()
	return sum, errors.Join(err, cerr)
}

func (p *evidencePack) file(name string, content []byte) error {
	_, err := p.put(name, content)
	return err
}

func (p *evidencePack) json(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return p.file(name, append(b, '\n'))
}

// finish writes the files about the package as a whole, the digests last.
func (p *evidencePack) finish(what string, at time.Time) error {
	if len(p.logs) > 0 {
		if err := p.file(evidenceLogs, sumsText(p.logs)); err != nil {
			return err
		}
	}
	var readme bytes.Buffer
	err := evidenceTemplate.Execute(&readme, map[string]any{
		"What": what, "At": at.UTC().Format("2006-01-02 15:04:05 UTC"), "Logs": len(p.logs), "Unlisted": p.unlisted,
		"Listed": slices.ContainsFunc(p.sums, func(s evidenceSum) bool { return strings.HasSuffix(s.name, evidenceManifest) }),
	})
	if err == nil {
		err = p.file("README.md", readme.Bytes())
	}
	if err != nil {
		return err
	}
	return p.file(evidenceSums, sumsText(p.sums))
}

// sumsText formats digests as sha256sum --check reads them.
func sumsText(sums []evidenceSum) []byte {
	slices.SortFunc(sums, func(a, b evidenceSum) int { return strings.Compare(a.name, b.name) })
	var b bytes.Buffer
	for _, s := range sums {
		fmt.Fprintf(&b, "%s  %s\n", s.sum, s.name)
	}
	return b.Bytes()
}

// rename gives the finished package its name; an empty folder of that name is replaced.
func (p *evidencePack) rename(dir string) error {
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(p.dir, dir)
}
