// Command figures tells how a tree of Go code reads: how long its files and functions
// are, how much of what it exports is documented, and how much test there is.
//
//	go run ./internal/figures [folder]
//
// Lines are all lines of a file, or from a function's first to its last. Files that import
// testing are tests, whatever they are called. Generated files do not count, nor do
// folders that are called testdata or begin with a dot.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	f, err := measure(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
	f.print()
}

// sized is something with a length in lines.
type sized struct {
	name  string
	lines int
}

type figures struct {
	files, functions     []sized // of code that is no test
	code, test           int     // lines
	exported, documented int     // names
}

func measure(root string) (*figures, error) {
	f := &figures{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch name := e.Name(); {
		case err != nil:
			return err
		case e.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules"):
			return fs.SkipDir
		case e.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		return f.add(root, path)
	})
	return f, err
}

func (f *figures) add(root, path string) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	if ast.IsGenerated(file) {
		return nil
	}
	name, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	lines := set.File(file.Pos()).LineCount()
	if strings.HasSuffix(name, "_test.go") || importsTesting(file) {
		f.test += lines
		return nil
	}
	f.code += lines
	f.files = append(f.files, sized{name, lines})
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			n := set.Position(d.End()).Line - set.Position(d.Pos()).Line + 1
			f.functions = append(f.functions, sized{name + ": " + d.Name.Name, n})
			if receiverIsExported(d) {
				f.count(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			f.countSpecs(d)
		}
	}
	return nil
}

// importsTesting tells files that only tests are linked with.
func importsTesting(file *ast.File) bool {
	return slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing"` })
}

// receiverIsExported also tells functions that have none.
func receiverIsExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	switch generic := t.(type) {
	case *ast.IndexExpr:
		t = generic.X
	case *ast.IndexListExpr:
		t = generic.X
	}
	name, ok := t.(*ast.Ident)
	return ok && name.IsExported()
}

// countSpecs takes a comment on a group for one on each of its names.
func (f *figures) countSpecs(d *ast.GenDecl) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			f.count(s.Name, s.Doc, s.Comment, d.Doc)
		case *ast.ValueSpec:
			for _, name := range s.Names {
				f.count(name, s.Doc, s.Comment, d.Doc)
			}
		}
	}
}

func (f *figures) count(name *ast.Ident, docs ...*ast.CommentGroup) {
	if !name.IsExported() {
		return
	}
	f.exported++
	if slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return d != nil }) {
		f.documented++
	}
}

func (f *figures) print() {
	fmt.Printf("files          %s\n", distribution(f.files, 400))
	fmt.Printf("functions      %s\n", distribution(f.functions, 50))
	fmt.Printf("documented     %d of %d exported names, %.1f %%\n", f.documented, f.exported, 100*float64(f.documented)/float64(f.exported))
	fmt.Printf("test : code    %d : %d lines, %.2f\n", f.test, f.code, float64(f.test)/float64(f.code))
}

// distribution orders what it gets, and names what is longer than a limit.
func distribution(of []sized, limit int) string {
	slices.SortFunc(of, func(a, b sized) int { return b.lines - a.lines })
	if len(of) == 0 {
		return "none"
	}
	at := func(percent int) int { return of[(len(of)-1)*(100-percent)/100].lines }
	s := fmt.Sprintf("%d: %d lines in the median, %d at the 90th percentile, %d at most", len(of), at(50), at(90), of[0].lines)
	for _, o := range of {
		if o.lines <= limit {
			break
		}
		s += fmt.Sprintf("\n%15d %s", o.lines, o.name)
	}
	return s
}
