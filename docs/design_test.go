// Package docs_test keeps the pages true: links lead somewhere, what design.md names is
// there, and its rooms are those that the linter keeps apart.
package docs_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// root is the repository, from here.
var root = os.DirFS("..")

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func exists(name string) bool {
	_, err := fs.Stat(root, name)
	return err == nil
}

// files calls visit for each file of the repository with one of these endings.
func files(t *testing.T, visit func(name string), endings ...string) {
	t.Helper()
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains([]string{".git", ".cache", "bin", "jobvault-data"}, name) || d.Name() == "testdata"):
			return fs.SkipDir
		case !d.IsDir() && slices.Contains(endings, path.Ext(name)):
			visit(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// text is a page without what stands in fences, which is no Markdown.
func text(page string) string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(page, "")
}

// anchors are those that GitHub gives the headings of a page.
func anchors(page string) map[string]bool {
	found := make(map[string]bool)
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text(page), -1) {
		found[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, heading[1])] = true
	}
	return found
}

// checkLink wants a page to be there, and the heading that an anchor names.
func checkLink(t *testing.T, from, page, anchor string) {
	t.Helper()
	switch {
	case !exists(page):
		t.Errorf("%s: there is no %s", from, page)
	case anchor != "" && !anchors(read(t, page))[anchor]:
		t.Errorf("%s: %s has no heading #%s", from, page, anchor)
	}
}

// Links from code, SQL and settings to pages lead to a page and to a heading.
func TestLinksFromTheCode(t *testing.T) {
	link := regexp.MustCompile(`\bdocs/[a-z_-]+\.md(?:#([\w-]+))?`)
	files(t, func(name string) {
		for _, m := range link.FindAllStringSubmatch(read(t, name), -1) {
			page, _, _ := strings.Cut(m[0], "#")
			checkLink(t, name, page, m[1])
		}
	}, ".go", ".sql", ".yml", ".yaml", ".html", ".service")
}

// Links between pages lead to a file and to a heading.
func TestLinksBetweenPages(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^()\s#]*)(?:#([\w-]+))?\)`)
	files(t, func(name string) {
		for _, m := range link.FindAllStringSubmatch(text(read(t, name)), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			page := name
			if m[1] != "" {
				page = path.Join(path.Dir(name), m[1])
			}
			checkLink(t, name, page, m[2])
		}
	}, ".md")
}

// declarations remembers, by file, what is declared in it.
var declarations = make(map[string]map[string]bool)

// declared are the names of a Go file: of functions, types, variables and constants, and as
// Type.Name of methods and fields.
func declared(t *testing.T, name string) map[string]bool {
	t.Helper()
	if names, ok := declarations[name]; ok {
		return names
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, read(t, name), parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	declarations[name] = names
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			names[receiver(d)+d.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				declaredBy(spec, names)
			}
		}
	}
	return names
}

func declaredBy(spec ast.Spec, names map[string]bool) {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		for _, n := range s.Names {
			names[n.Name] = true
		}
	case *ast.TypeSpec:
		names[s.Name.Name] = true
		var fields *ast.FieldList
		switch of := s.Type.(type) {
		case *ast.StructType:
			fields = of.Fields
		case *ast.InterfaceType:
			fields = of.Methods
		default:
			return
		}
		for _, f := range fields.List {
			for _, n := range f.Names {
				names[s.Name.Name+"."+n.Name] = true
			}
		}
	}
}

// receiver is "Type." for a method, and empty for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	switch generic := of.(type) {
	case *ast.IndexExpr:
		of = generic.X
	case *ast.IndexListExpr:
		of = generic.X
	}
	return of.(*ast.Ident).Name + "."
}

// What the design names is there: folder/file.go, folder/file.go:Name, and `package.Name`.
func TestDesignNamesWhatIsThere(t *testing.T) {
	page := read(t, "docs/design.md")
	place := regexp.MustCompile(`\b([\w-]+(?:/[\w-]+)+\.(?:go|sql|yml|yaml))(?::([A-Za-z]\w*(?:\.\w+)?))?`)
	places := place.FindAllStringSubmatch(page, -1)
	if len(places) < 100 {
		t.Errorf("only %d places are named: have they another form?", len(places))
	}
	for _, m := range places {
		switch file, name := m[1], m[2]; {
		case !exists(file):
			t.Errorf("%s: there is no such file; %s", m[0], elsewhere(t, name))
		case name != "" && !declared(t, file)[name]:
			t.Errorf("%s: there is no such name; %s", m[0], elsewhere(t, name))
		}
	}
	for _, m := range regexp.MustCompile("`(store|archive|ingest|lookup|record|upkeep|bucket|ngram|joblog|access|ghapi)\\.([A-Z]\\w*(?:\\.\\w+)?)`").FindAllStringSubmatch(page, -1) {
		inPackage := func(file string) bool { return path.Base(path.Dir(file)) == m[1] }
		if !slices.ContainsFunc(declaring(t, m[2]), inPackage) {
			t.Errorf("package %s has no %s; %s", m[1], m[2], elsewhere(t, m[2]))
		}
	}
}

// declaring are the files that declare a name.
func declaring(t *testing.T, name string) (found []string) {
	files(t, func(file string) {
		if declared(t, file)[name] {
			found = append(found, file)
		}
	}, ".go")
	return found
}

// elsewhere says where a name may have gone.
func elsewhere(t *testing.T, name string) string {
	if found := declaring(t, name); len(found) > 0 {
		return "one is in " + strings.Join(found, ", ")
	}
	return "nor is there one elsewhere"
}

// rooms are the rows of the table of rooms: by folder, what it may import, or nil where no
// rule says so.
func rooms(t *testing.T) map[string][]string {
	_, page, _ := strings.Cut(read(t, "docs/design.md"), "\n## Rooms\n")
	page, _, _ = strings.Cut(page, "\n## ")
	rows := make(map[string][]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]+ \\| ([^|]+) \\|$").FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(m[2], "no rule: ") {
			rows[m[1]] = nil
			continue
		}
		rows[m[1]] = []string{}
		for _, folder := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[2], -1) {
			rows[m[1]] = append(rows[m[1]], folder[1])
		}
	}
	return rows
}

// Each folder with Go code is a room, and there is no other.
func TestRoomsAreAllThereAre(t *testing.T) {
	var folders, named []string
	files(t, func(name string) { folders = append(folders, path.Dir(name)) }, ".go")
	for folder := range rooms(t) {
		named = append(named, folder)
	}
	slices.Sort(folders)
	slices.Sort(named)
	if diff := cmp.Diff(slices.Compact(folders), named); diff != "" {
		t.Errorf("folders with Go code, and rooms of the design (-there +named):\n%s", diff)
	}
}

// depguard are the rules of .golangci.yml.
type depguard map[string]struct {
	Files []string `yaml:"files"`
	Allow []string `yaml:"allow"`
	Deny  []struct {
		Pkg string `yaml:"pkg"`
	} `yaml:"deny"`
}

// module is what all of our imports begin with.
const module = "github.com/jobvault/jobvault"

// What a room may import is what the linter lets it.
func TestRoomsAreThoseOfTheLinter(t *testing.T) {
	var settings struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules depguard `yaml:"rules"`
				} `yaml:"depguard"`
			} `yaml:"settings"`
		} `yaml:"linters"`
	}
	if err := yaml.NewDecoder(bytes.NewReader([]byte(read(t, ".golangci.yml")))).Decode(&settings); err != nil {
		t.Fatal(err)
	}
	for room, named := range rooms(t) {
		allowed := settings.Linters.Settings.Depguard.Rules.allowed(t, room)
		sorted := cmp.Transformer("sorted", func(s []string) map[string]bool {
			set := make(map[string]bool)
			for _, v := range s {
				set[v] = true
			}
			return set
		})
		if (named == nil) != (allowed == nil) {
			t.Errorf("%s: the linter has a rule: %t, the design tells of one: %t", room, allowed != nil, named != nil)
		} else if diff := cmp.Diff(allowed, named, sorted); diff != "" {
			t.Errorf("%s (-linter +design):\n%s", room, diff)
		}
	}
}

// allowed are the folders that a room may import; nil: no rule denies it any of ours.
func (rules depguard) allowed(t *testing.T, room string) (folders []string) {
	for _, rule := range rules {
		denied := false
		for _, d := range rule.Deny {
			denied = denied || d.Pkg == module
		}
		if !denied || !slices.Contains(rule.Files, "**/"+room+"/*.go") {
			continue
		}
		if folders != nil {
			t.Errorf("two rules of the linter are about %s", room)
		}
		folders = []string{}
		for _, allow := range rule.Allow {
			folders = append(folders, filepath.ToSlash(strings.TrimPrefix(allow, module+"/")))
		}
	}
	return folders
}
