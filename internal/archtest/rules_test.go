package archtest

import (
	"slices"
	"strings"
)

// module is the path of the root module.
const module = "github.com/vitalmux/vitalmux"

// rule is one thing that must hold for the whole tree.
type rule struct {
	name  string
	why   string
	check func(*tree) []finding
}

// finding is one breach of a rule.
type finding struct {
	at   string // file:line, or the path of a package
	text string
}

// rules returns all rules.
func rules() []rule {
	return []rule{
		{"walls", "a folder is added, replaced or removed without touching the others", checkWalls},
		{"test-kits", "suites and simulators do not get into a service", checkTestKits},
		{"test-code", "a service that links the module does not carry test code and its flags", checkTestCode},
		{"aliases", "three packages share their name with something familiar; one alias each keeps files alike", checkAliases},
		{"names", "a package is named for what it provides", checkNames},
		{"init", "linking a package must do nothing", checkInit},
		{"state", "two engines in one process must not share anything by accident", checkState},
		{"process", "flags, logs, exits and default clients belong to the service", checkProcess},
		{"unfinished", "what is here is finished", checkUnfinished},
		{"documented", "the contract of an exported symbol is its comment", checkDocumented},
		{"package-doc", "a reader finds errors, concurrency and limits in one place", checkPackageDoc},
		{"go-mod", "each dependency of the core is a decision", checkGoMod},
	}
}

// wall says what packages may import besides the standard library.
//
// In pkgs a star stands for one path element, and a trailing /... takes in
// everything below. A package may import the packages of its own unit: those
// below what pkgs names in front of /... . Of several walls the first that
// matches counts.
type wall struct {
	pkgs  string
	local []string // packages of this module; "..." is all
	libs  []string // import path prefixes of other modules; "..." is all
	// named allows the libraries whose module is written in the package comment
	// of the package, or of one above it in the unit.
	named bool
}

// walls returns the walls. A package that no wall names is a breach.
func walls() []wall {
	adapter := []string{"health", "providers", "internal/httpx", "internal/jsonscan"}
	driverLibs := []string{"github.com/klauspost/compress", "golang.org/x/sync"}
	pair := append([]string{"internal/fitbitmap"}, adapter...)
	return []wall{
		{pkgs: "examples/...", local: []string{"..."}, libs: []string{"..."}},

		{pkgs: "health/..."},
		{pkgs: "providers", local: []string{"health"}},
		{pkgs: "providers/providertest", local: []string{"health", "providers"}},
		{pkgs: "providers/fitbit/...", local: pair, named: true},
		{pkgs: "providers/googlehealth/...", local: pair, named: true},
		{pkgs: "providers/*/...", local: adapter, named: true},
		{pkgs: "terra/...", local: adapter, named: true},

		{pkgs: "store", local: []string{"health"}},
		{pkgs: "store/storetest", local: []string{"health", "store"}},
		{pkgs: "store/sqlite/...", local: []string{"health", "store", "internal/failpoint"}, libs: driverLibs, named: true},
		{pkgs: "store/*/...", local: []string{"health", "store"}, libs: driverLibs, named: true},

		{pkgs: "sync/...", local: []string{"health", "providers", "store", "internal/failpoint"}, libs: []string{"golang.org/x/sync", "golang.org/x/time"}},

		{pkgs: "internal/httpx", local: []string{"providers"}, libs: []string{"golang.org/x/time"}},
		{pkgs: "internal/jsonscan", local: []string{"health"}},
		{pkgs: "internal/fitbitmap", local: []string{"health"}},
		{pkgs: "internal/metricsdoc", local: []string{"health"}},
		{pkgs: "internal/archtest"},

		{pkgs: "internal/failpoint"},
		{pkgs: "internal/failpoint/failpointtest", local: []string{"internal/failpoint"}},
		{pkgs: "internal/faultproxy"},
		{pkgs: "internal/faultstore", local: []string{"health", "store"}},
		{pkgs: "internal/proof/..."},
		{pkgs: "internal/proofs"},
		{pkgs: "internal/provsim/...", local: adapter},
		{pkgs: "internal/sabotage", local: []string{"internal/proof"}},
	}
}

// Kinds of package.
const (
	library = "library" // linked into services
	testKit = "kit"     // a suite, a simulator or another tool of tests
	example = "example" // a program that shows how
	program = "program" // any other program: generators, benchmarks
)

// kindOf returns the kind of the package in a folder of the repository.
func kindOf(folder, name string) string {
	base := folder[strings.LastIndex(folder, "/")+1:]
	switch {
	case folder == "examples" || strings.HasPrefix(folder, "examples/"):
		return example
	case name == "main" || folder == "bench" || strings.HasPrefix(folder, "bench/"):
		return program
	case strings.HasSuffix(base, "test") || slices.Contains(testTools(), folder):
		return testKit
	}
	return library
}

// testTools returns the folders of kits whose name does not end in test.
func testTools() []string {
	return []string{"internal/faultproxy", "internal/faultstore", "internal/proof", "internal/proofs", "internal/provsim"}
}

// testOnly returns import path prefixes that only _test.go files lead to, and
// whether suites and simulators may use them too.
func testOnly() map[string]bool {
	return map[string]bool{
		"testing":                     true,
		"net/http/httptest":           true,
		"github.com/stretchr/testify": false,
		"pgregory.net/rapid":          false,
		"go.uber.org/goleak":          false,
	}
}

// aliases returns the one name under which a file may import a package.
func aliases() map[string]string {
	return map[string]string{
		module + "/fleet/asynq":        "fleet",
		module + "/sync":               "healthsync",
		module + "/store/redis":        "redisstore",
		module + "/store/sqlite":       "sqlitestore",
		"github.com/redis/go-redis/v9": "goredis",
	}
}

// meaningless returns package names that say nothing.
func meaningless() []string {
	return []string{"util", "utils", "common", "model", "models", "type", "types", "helper", "helpers", "misc", "shared", "base"}
}

// forbiddenImports returns packages that library code does not import.
func forbiddenImports() map[string]string {
	return map[string]string{
		"flag":           "flags belong to programs",
		"log":            "use the *slog.Logger that was passed in",
		"expvar":         "it registers a handler when linked",
		"net/http/pprof": "it registers a handler when linked",
	}
}

// forbiddenNames returns symbols of the standard library, per import path,
// that library code does not name.
func forbiddenNames() map[string][]string {
	return map[string][]string{
		"os": {"Exit", "Setenv", "Unsetenv", "Clearenv", "Chdir"},
		"net/http": {
			"DefaultClient", "Get", "Head", "Post", "PostForm",
			"DefaultServeMux", "Handle", "HandleFunc",
		},
		"log/slog": {"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log", "LogAttrs", "DebugContext", "InfoContext", "WarnContext", "ErrorContext"},
		"time":     {"Tick"},
	}
}

// coreDependencies returns the direct dependencies of the root module and what
// each is there for.
func coreDependencies() map[string]string {
	return map[string]string{
		"github.com/coder/websocket":    "the client of Terra's stream",
		"github.com/dghubble/oauth1":    "the pieces of OAuth 1.0 signing that fit the old Withings service",
		"github.com/joho/godotenv":      "credentials from .env files",
		"github.com/klauspost/compress": "s2 and zstd with dictionaries for what stores pack",
		"github.com/redis/go-redis/v9":  "the client of Redis: single, Sentinel, Cluster",
		"github.com/stretchr/testify":   "assertions in tests",
		"go.uber.org/goleak":            "tests that no goroutine is left behind",
		"golang.org/x/oauth2":           "the client that simulators are tried with",
		"golang.org/x/sync":             "single flight, errgroup",
		"golang.org/x/term":             "whether an example writes to a terminal",
		"modernc.org/sqlite":            "SQLite without a C compiler",
		"pgregory.net/rapid":            "property tests",
	}
}
