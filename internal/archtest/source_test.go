package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// linked reports whether the file becomes part of the processes of others.
func (f *source) linked() bool {
	return !f.test && (f.kind == library || f.kind == testKit)
}

// checkNames finds packages whose name or folder says nothing.
func checkNames(t *tree) (found []finding) {
	for _, f := range t.files {
		for _, name := range []string{f.ast.Name.Name, path.Base(f.folder)} {
			if slices.Contains(meaningless(), strings.TrimSuffix(name, "_test")) {
				found = append(found, finding{t.at(f.ast.Name), "package or folder " + name})
				break
			}
		}
	}
	return found
}

// checkInit finds init functions.
func checkInit(t *tree) (found []finding) {
	for _, f := range t.files {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && !f.test && fn.Recv == nil && fn.Name.Name == "init" {
				found = append(found, finding{t.at(fn), "func init"})
			}
		}
	}
	return found
}

// checkProcess finds imports and names that act on the whole process.
func checkProcess(t *tree) (found []finding) {
	imports, names := forbiddenImports(), forbiddenNames()
	for _, f := range t.files {
		if !f.linked() {
			continue
		}
		for _, spec := range f.ast.Imports {
			if why, ok := imports[strings.Trim(spec.Path.Value, "\"`")]; ok {
				found = append(found, finding{t.at(spec), "imports " + spec.Path.Value + ": " + why})
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				from := t.imported(sel.X)
				if slices.Contains(names[from], sel.Sel.Name) {
					found = append(found, finding{t.at(sel), "uses " + from + "." + sel.Sel.Name})
				}
			}
			return true
		})
	}
	return found
}

// checkUnfinished finds notes to oneself.
func checkUnfinished(t *tree) (found []finding) {
	note := regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)
	for _, f := range t.files {
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				if word := note.FindString(c.Text); word != "" {
					found = append(found, finding{t.at(c), "comment says " + word})
				}
			}
		}
	}
	return found
}

// checkDocumented finds exported symbols without a comment. A comment on a
// group speaks for its constants and variables, not for its types.
func checkDocumented(t *tree) (found []finding) {
	report := func(n ast.Node, name string) {
		found = append(found, finding{t.at(n), name + " has no comment"})
	}
	for _, f := range t.files {
		if !f.linked() {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
					report(d, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
							report(s, s.Name.Name)
						}
					case *ast.ValueSpec:
						for _, name := range s.Names {
							if name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
								report(name, name.Name)
							}
						}
					}
				}
			}
		}
	}
	return found
}

// receiver returns the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// checkPackageDoc finds package comments that are missing, lack a section, or
// are not in doc.go when there is more than one file. Programs need a comment
// only.
func checkPackageDoc(t *tree) (found []finding) {
	kinds, files := map[string]string{}, map[string]int{}
	for _, f := range t.files {
		if !f.test {
			kinds[f.folder] = f.kind
			files[f.folder]++
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(kinds)) {
		text, file := t.packageComment(folder)
		if file == nil {
			found = append(found, finding{folder, "has no package comment"})
			continue
		}
		if kinds[folder] != library && kinds[folder] != testKit {
			continue
		}
		if path.Base(file.path) != "doc.go" && files[folder] > 1 {
			found = append(found, finding{file.path, "the package comment belongs into doc.go"})
		}
		for _, section := range []string{"Errors", "Concurrency", "Limits"} {
			if !strings.Contains("\n"+text, "\n# "+section+"\n") {
				found = append(found, finding{file.path, "the package comment has no section # " + section})
			}
		}
	}
	return found
}

// checkState finds package-level variables that can change after the program
// has started: exported ones that are not error sentinels, those of a type
// that exists to change, and those that something assigns to. It also finds
// assignments to variables of imported packages.
func checkState(t *tree) (found []finding) {
	for _, files := range t.byPackage() {
		vars := map[token.Pos]string{} // by where the name is declared
		for _, f := range files {
			if !f.linked() {
				continue
			}
			for _, spec := range packageVars(f.ast) {
				for i, name := range spec.Names {
					var value ast.Expr
					if i < len(spec.Values) {
						value = spec.Values[i]
					}
					switch {
					case name.Name == "_":
						continue
					case name.IsExported() && !t.sentinel(name.Name, value):
						found = append(found, finding{t.at(name), "exported variable " + name.Name + " can be assigned to by anyone"})
					case t.changing(spec.Type) || t.changing(value):
						found = append(found, finding{t.at(name), "variable " + name.Name + " holds state of the whole process"})
					default:
						vars[name.Pos()] = name.Name
					}
				}
			}
		}
		for _, f := range files {
			written(f.ast, func(id *ast.Ident) {
				obj := t.uses[id]
				if obj == nil {
					return
				}
				if name, ok := vars[obj.Pos()]; ok {
					found = append(found, finding{t.at(id), "assigns to package-level variable " + name})
				}
				if p, ok := obj.(*types.PkgName); ok && f.linked() {
					found = append(found, finding{t.at(id), "assigns to a variable of package " + p.Imported().Path()})
				}
			})
		}
	}
	return found
}

// packageVars returns the var specs at the top level of a file.
func packageVars(f *ast.File) (specs []*ast.ValueSpec) {
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, s := range g.Specs {
				specs = append(specs, s.(*ast.ValueSpec))
			}
		}
	}
	return specs
}

// sentinel reports whether a variable is an error made in place.
func (t *tree) sentinel(name string, value ast.Expr) bool {
	call, ok := value.(*ast.CallExpr)
	if !ok || !strings.HasPrefix(name, "Err") {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	from := t.imported(sel.X) + "." + sel.Sel.Name
	return from == "errors.New" || from == "fmt.Errorf"
}

// changing reports whether a type, or the type of an initial value, has no use
// other than being changed. A pool of scratch memory is let through: nothing
// can be read from it that depends on who used it before.
func (t *tree) changing(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ChanType:
		return true
	case *ast.CallExpr:
		id, ok := e.Fun.(*ast.Ident)
		return ok && (id.Name == "make" || id.Name == "new") && t.uses[id] == types.Universe.Lookup(id.Name)
	case *ast.UnaryExpr:
		return t.changing(e.X)
	case *ast.StarExpr:
		return t.changing(e.X)
	case *ast.ArrayType:
		return t.changing(e.Elt)
	case *ast.CompositeLit:
		return t.changing(e.Type)
	case *ast.IndexExpr:
		return t.changing(e.X)
	case *ast.SelectorExpr:
		switch t.imported(e.X) {
		case "sync":
			return slices.Contains([]string{"Mutex", "RWMutex", "Once", "Map", "WaitGroup", "Cond"}, e.Sel.Name)
		case "sync/atomic":
			return true
		case "net/http":
			return slices.Contains([]string{"Client", "Transport", "ServeMux", "Server"}, e.Sel.Name)
		}
	}
	return false
}

// written calls report for the variable at the root of every expression that
// is assigned to, counted up or down, cleared, or has its address taken.
func written(f *ast.File, report func(*ast.Ident)) {
	root := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.Ident:
				report(x)
				return
			case *ast.SelectorExpr:
				e = x.X
			case *ast.IndexExpr:
				e = x.X
			case *ast.SliceExpr:
				e = x.X
			case *ast.StarExpr:
				e = x.X
			case *ast.ParenExpr:
				e = x.X
			default:
				return
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				root(e)
			}
		case *ast.IncDecStmt:
			root(n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				root(n.Key)
				root(n.Value)
			}
		case *ast.UnaryExpr:
			// The address of an element is how large tables are read.
			if id, ok := n.X.(*ast.Ident); ok && n.Op == token.AND {
				report(id)
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && slices.Contains([]string{"delete", "clear", "copy"}, id.Name) {
				root(n.Args[0])
			}
		}
		return true
	})
}
