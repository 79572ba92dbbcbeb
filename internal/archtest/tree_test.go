package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// tree is what the rules look at.
type tree struct {
	fset  *token.FileSet
	files []*source
	// packages are those of the root module and all they lead to, by import
	// path.
	packages map[string]*pkg
	mod      goMod
	// uses tells what identifiers refer to, as far as that can be told
	// without looking into imported packages.
	uses map[*ast.Ident]types.Object
}

// source is one file.
type source struct {
	path   string // from the root, with slashes
	folder string // of path; "." is the root
	ast    *ast.File
	kind   string
	test   bool
}

// pkg is a node of the import graph, without test files.
type pkg struct {
	ImportPath string
	Name       string
	Imports    []string
	Module     *struct{ Path string }
}

// goMod is what the rules read of a go.mod.
type goMod struct {
	Require []struct {
		Path     string
		Indirect bool
	}
	Replace []struct{ Old struct{ Path string } }
}

// at returns where a node is.
func (t *tree) at(n ast.Node) string {
	p := t.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// local returns the folder of a package of the root module.
func local(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// standard reports whether a package is of the standard library: the first
// element of all other paths is a domain.
func standard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

// below reports whether importPath is prefix or in a folder of it.
func below(importPath, prefix string) bool {
	return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
}

// loadTree reads the repository at root. Files of nested modules are among its
// files, their packages are not among its packages.
func loadTree(root string) (*tree, error) {
	t := newTree()
	list, err := command(root, "go", "list", "-deps", "-json=ImportPath,Name,Imports,Module", "./...")
	if err != nil {
		return nil, err
	}
	for dec := json.NewDecoder(strings.NewReader(list)); ; {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		t.packages[p.ImportPath] = p
	}
	mod, err := command(root, "go", "mod", "edit", "-json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(mod), &t.mod); err != nil {
		return nil, err
	}
	err = fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		switch {
		case d.IsDir() && name != "." && (strings.HasPrefix(base, ".") || base == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(base, ".go"):
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		return t.add(name, string(text))
	})
	if err != nil {
		return nil, err
	}
	t.resolve()
	return t, nil
}

// command returns the output of a command.
func command(dir string, args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

// add parses one file.
func (t *tree) add(name, text string) error {
	f, err := parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	clause := strings.TrimSuffix(f.Name.Name, "_test")
	folder := path.Dir(name)
	t.files = append(t.files, &source{
		path: name, folder: folder, ast: f,
		kind: kindOf(folder, clause), test: strings.HasSuffix(name, "_test.go"),
	})
	return nil
}

// resolve finds what identifiers refer to. Imported packages are taken to be
// empty, so types are mostly unknown, but scopes are exact.
func (t *tree) resolve() {
	t.uses = map[*ast.Ident]types.Object{}
	for key, files := range t.byPackage() {
		var asts []*ast.File
		for _, f := range files {
			asts = append(asts, f.ast)
		}
		conf := types.Config{Importer: t, Error: func(error) {}}
		// The error is about the members of imported packages.
		_, _ = conf.Check(key, t.fset, asts, &types.Info{Uses: t.uses})
	}
}

// Import returns an empty package of the right name.
func (t *tree) Import(importPath string) (*types.Package, error) {
	name := path.Base(importPath)
	if p := t.packages[importPath]; p != nil && p.Name != "" {
		name = p.Name
	}
	p := types.NewPackage(importPath, name)
	p.MarkComplete()
	return p, nil
}

// byPackage returns the files of each package; a package and the tests that
// are written into it are one.
func (t *tree) byPackage() map[string][]*source {
	m := map[string][]*source{}
	for _, f := range t.files {
		key := f.folder + " " + f.ast.Name.Name
		m[key] = append(m[key], f)
	}
	return m
}

// localPackages returns the packages of the root module by folder, in order.
func (t *tree) localPackages() ([]string, map[string]*pkg) {
	m := map[string]*pkg{}
	var folders []string
	for importPath, p := range t.packages {
		if folder, ok := local(importPath); ok {
			m[folder] = p
			folders = append(folders, folder)
		}
	}
	sort.Strings(folders)
	return folders, m
}

// packageComment returns the package comment of the non-test files in a folder
// and the file it is in.
func (t *tree) packageComment(folder string) (text string, file *source) {
	for _, f := range t.files {
		if f.folder == folder && !f.test && f.ast.Doc != nil {
			return f.ast.Doc.Text(), f
		}
	}
	return "", nil
}

// imported returns the import path that an identifier stands for in front of a
// dot, or "".
func (t *tree) imported(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		if name, ok := t.uses[id].(*types.PkgName); ok {
			return name.Imported().Path()
		}
	}
	return ""
}

// newTree returns an empty tree.
func newTree() *tree {
	return &tree{fset: token.NewFileSet(), packages: map[string]*pkg{}}
}
