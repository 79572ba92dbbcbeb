package archtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checkWalls compares every import with the wall of the importing package.
func checkWalls(t *tree) (found []finding) {
	folders, packages := t.localPackages()
	for _, folder := range folders {
		w, unit, ok := wallOf(folder)
		if !ok {
			found = append(found, finding{folder, "no wall names this folder; add one to walls()"})
			continue
		}
		for _, imp := range packages[folder].Imports {
			if !t.allowed(w, unit, folder, imp) {
				found = append(found, finding{folder, "imports " + imp})
			}
		}
	}
	return found
}

// wallOf returns the wall of a folder and the unit the folder belongs to.
func wallOf(folder string) (w wall, unit string, ok bool) {
	path := strings.Split(folder, "/")
	for _, w := range walls() {
		pattern, tree := strings.CutSuffix(w.pkgs, "/...")
		elems := strings.Split(pattern, "/")
		if len(path) < len(elems) || len(path) > len(elems) && !tree {
			continue
		}
		matches := true
		for i, e := range elems {
			matches = matches && (e == "*" || e == path[i])
		}
		if matches {
			return w, strings.Join(path[:len(elems)], "/"), true
		}
	}
	return wall{}, "", false
}

// allowed reports whether the wall lets a package of the unit import imp. What
// the rules about test code report is let through here.
func (t *tree) allowed(w wall, unit, folder, imp string) bool {
	if standard(imp) {
		return true
	}
	if target, ok := local(imp); ok {
		kit := t.packages[imp] != nil && kindOf(target, t.packages[imp].Name) == testKit
		return kit || slices.Contains(w.local, "...") || slices.Contains(w.local, target) ||
			strings.HasSuffix(w.pkgs, "/...") && below(target, unit)
	}
	for prefix := range testOnly() {
		if below(imp, prefix) {
			return true
		}
	}
	for _, prefix := range w.libs {
		if prefix == "..." || below(imp, prefix) {
			return true
		}
	}
	return w.named && t.named(imp, unit, folder)
}

// named reports whether the module of imp is written in the package comment of
// folder or of a folder above it in the unit.
func (t *tree) named(imp, unit, folder string) bool {
	mod := imp
	if p := t.packages[imp]; p != nil && p.Module != nil {
		mod = p.Module.Path
	}
	for {
		if text, _ := t.packageComment(folder); strings.Contains(text, mod) {
			return true
		}
		if folder == unit {
			return false
		}
		folder = folder[:strings.LastIndex(folder, "/")]
	}
}

// checkTestKits finds suites, simulators and tools of tests in code that is not
// an example or another program.
func checkTestKits(t *tree) (found []finding) {
	folders, packages := t.localPackages()
	for _, folder := range folders {
		if kind := kindOf(folder, packages[folder].Name); kind == example || kind == program {
			continue
		}
		for _, imp := range packages[folder].Imports {
			target, ok := local(imp)
			if ok && t.packages[imp] != nil && kindOf(target, t.packages[imp].Name) == testKit {
				found = append(found, finding{folder, "imports " + imp + ", which is for tests, examples and programs"})
			}
		}
	}
	return found
}

// checkTestCode finds packages that lead to test code, by whatever way through
// other modules. A way through this module is reported where it leaves it.
func checkTestCode(t *tree) (found []finding) {
	folders, packages := t.localPackages()
	for _, folder := range folders {
		p := packages[folder]
		kind := kindOf(folder, p.Name)
		for _, prefix := range slices.Sorted(maps.Keys(testOnly())) {
			if testOnly()[prefix] && (kind == testKit || kind == example) {
				continue
			}
			if way := t.way(p, prefix); way != nil {
				found = append(found, finding{folder, "leads to " + prefix + ": " + strings.Join(way, " -> ")})
			}
		}
	}
	return found
}

// way returns a shortest way from p to a package below prefix that does not
// pass through packages of this module.
func (t *tree) way(p *pkg, prefix string) []string {
	from := map[string]string{}
	queue := []string{p.ImportPath}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if at != p.ImportPath && below(at, prefix) {
			var way []string
			for ; at != p.ImportPath; at = from[at] {
				way = append([]string{at}, way...)
			}
			return way
		}
		node := t.packages[at]
		if node == nil {
			continue
		}
		for _, next := range node.Imports {
			if _, ok := local(next); ok || from[next] != "" {
				continue
			}
			from[next] = at
			queue = append(queue, next)
		}
	}
	return nil
}

// checkAliases compares the names of imports with aliases.
func checkAliases(t *tree) (found []finding) {
	want := aliases()
	for _, f := range t.files {
		for _, spec := range f.ast.Imports {
			importPath := strings.Trim(spec.Path.Value, "\"`")
			name, ok := want[importPath]
			if ok && (spec.Name == nil || spec.Name.Name != name) {
				found = append(found, finding{t.at(spec), fmt.Sprintf("import %s as %s", importPath, name)})
			}
		}
	}
	return found
}

// checkGoMod compares the requirements of the root module with
// coreDependencies.
func checkGoMod(t *tree) (found []finding) {
	for _, r := range t.mod.Replace {
		found = append(found, finding{"go.mod", "replaces " + r.Old.Path + ", which has no effect for those who import this module"})
	}
	want := coreDependencies()
	for _, r := range t.mod.Require {
		if r.Indirect {
			continue
		}
		if _, ok := want[r.Path]; !ok {
			found = append(found, finding{"go.mod", "requires " + r.Path + ", which coreDependencies() does not list"})
		}
		delete(want, r.Path)
	}
	for _, p := range slices.Sorted(maps.Keys(want)) {
		found = append(found, finding{"go.mod", "does not require " + p + ", which coreDependencies() lists"})
	}
	return found
}
