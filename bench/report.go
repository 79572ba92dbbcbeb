package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Row is one line of the report: what was measured beside its anchor.
type Row struct {
	Topic string // the table it is in
	Name  string
	Unit  string // of Measured and Anchor, such as "k records/s"
	// Measured and Anchor are the best rounds. Anchor is 0 where the floor is
	// an absolute number.
	Measured, Anchor float64
	// Floor is what Measured/Anchor, or Measured without an anchor, is to
	// reach; 0 is none. With Most set it is a ceiling.
	Floor float64
	Most  bool
	Note  string
}

// Value is what is compared with the floor.
func (r *Row) Value() float64 {
	if r.Anchor != 0 {
		return r.Measured / r.Anchor
	}
	return r.Measured
}

// Met reports whether the floor is reached.
func (r *Row) Met() bool {
	if r.Most {
		return r.Value() <= r.Floor
	}
	return r.Value() >= r.Floor
}

// Report collects rows in order of topics.
type Report struct {
	Rows  []Row
	Notes map[string][]string // by topic
}

// Add appends a row and prints it.
func (rep *Report) Add(r Row) {
	if n := len(rep.Rows); n == 0 || rep.Rows[n-1].Topic != r.Topic {
		fmt.Printf("\n%s\n", r.Topic)
	}
	rep.Rows = append(rep.Rows, r)
	fmt.Printf("  %-78s %22s", r.Name, number(r.Measured)+" "+r.Unit)
	if r.Anchor != 0 {
		fmt.Printf("  anchor %s  ratio %.2f", number(r.Anchor), r.Value())
	}
	if r.Floor != 0 {
		fmt.Printf("  floor %s %s", number(r.Floor), verdict(&r))
	}
	fmt.Println()
}

// Note says what stands beneath the table of a topic.
func (rep *Report) Note(topic, format string, args ...any) {
	if rep.Notes == nil {
		rep.Notes = map[string][]string{}
	}
	rep.Notes[topic] = append(rep.Notes[topic], fmt.Sprintf(format, args...))
}

func verdict(r *Row) string {
	switch {
	case r.Floor == 0:
		return ""
	case r.Met():
		return "met"
	default:
		return "**missed**"
	}
}

func number(v float64) string {
	switch {
	case v == 0:
		return ""
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// Markdown renders the report.
func (rep *Report) Markdown(rounds int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Benchmark report\n\nMade by `go run .` in bench/ on %s. Best of %d interleaved rounds.\n\n",
		time.Now().UTC().Format("2006-01-02"), rounds)
	b.WriteString("A ratio compares with the anchor of the same run; a floor is what the ratio, or without an anchor the\nmeasured value, is to reach. ≤ marks a ceiling.\n\n## Machine\n\n")
	for _, fact := range facts() {
		fmt.Fprintf(&b, "- %s\n", fact)
	}
	topics := []string{}
	for i := range rep.Rows {
		if t := rep.Rows[i].Topic; len(topics) == 0 || topics[len(topics)-1] != t {
			topics = append(topics, t)
		}
	}
	for _, topic := range topics {
		fmt.Fprintf(&b, "\n## %s\n\n| what | measured | anchor | ratio | floor | |\n|---|---|---|---|---|---|\n", topic)
		for i := range rep.Rows {
			r := &rep.Rows[i]
			if r.Topic != topic {
				continue
			}
			ratio, floor := "", ""
			if r.Anchor != 0 {
				ratio = fmt.Sprintf("%.2f", r.Value())
			}
			if r.Floor != 0 {
				floor = number(r.Floor)
				if r.Most {
					floor = "≤ " + floor
				}
			}
			name := r.Name
			if r.Note != "" {
				name += " (" + r.Note + ")"
			}
			fmt.Fprintf(&b, "| %s | %s %s | %s | %s | %s | %s |\n", name, number(r.Measured), r.Unit, number(r.Anchor), ratio, floor, verdict(r))
		}
		for _, note := range rep.Notes[topic] {
			fmt.Fprintf(&b, "\n%s\n", note)
		}
	}
	return b.Bytes()
}

// Update renders an earlier report whose topics give way to those of this one.
// Topics that it lacks come last.
func (rep *Report) Update(earlier []byte, rounds int) []byte {
	const heading = "\n## "
	all := strings.Split(string(earlier), heading)
	for _, section := range strings.Split(string(rep.Markdown(rounds)), heading)[1:] {
		topic, table, _ := strings.Cut(section, "\n")
		if topic == "Machine" {
			continue
		}
		section = fmt.Sprintf("%s\n\nMeasured by itself on %s, best of %d interleaved rounds, perhaps on another machine than the others: 4 KiB append and\nfsync there %s.\n%s",
			topic, time.Now().UTC().Format("2006-01-02"), rounds, fsyncTime(), table)
		at := slices.IndexFunc(all, func(s string) bool { return strings.HasPrefix(s, topic+"\n") })
		if at < 0 {
			all = append(all, section)
			continue
		}
		all[at] = section
	}
	return []byte(strings.Join(all, heading))
}

// facts describes the machine and what was built.
func facts() []string {
	list := []string{
		fmt.Sprintf("%s, %d CPUs, %s/%s, GOMAXPROCS %d", cpu(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0)),
		runtime.Version(),
	}
	if out, err := exec.Command("uname", "-r").Output(); err == nil {
		list = append(list, "kernel "+strings.TrimSpace(string(out)))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			switch dep.Path {
			case "modernc.org/sqlite", "github.com/mattn/go-sqlite3", "github.com/klauspost/compress":
				list = append(list, dep.Path+" "+dep.Version)
			}
		}
	}
	return append(list, fmt.Sprintf("4 KiB append and fsync: %s", fsyncTime()))
}

func cpu() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}

// fsyncTime measures what a durable commit costs at least.
func fsyncTime() string {
	f, err := os.CreateTemp("", "fsync")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer func() { _ = f.Close() }()
	page := make([]byte, 4096)
	best := time.Hour
	for range 100 {
		start := time.Now()
		if _, err := f.Write(page); err != nil {
			return err.Error()
		}
		if err := f.Sync(); err != nil {
			return err.Error()
		}
		best = min(best, time.Since(start))
	}
	return fmt.Sprintf("%d us (best of 100; a virtual disk may cache on its host)", best.Microseconds())
}
