package debian

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Limits of the lists.
const (
	maxLine  = 1 << 20 // bytes
	maxLines = 100_000 // of one advisory
)

// lists reads the files DSA/list and DLA/list of the tracker's repository:
//
//	[29 Mar 2023] DSA-5380-1 xorg-server - security update
//		{CVE-2023-1393}
//		[bullseye] - xorg-server 2:1.20.11-1+deb11u6 (high; bug #1)
//		NOTE: …
//
// In place of a version there may be <not-affected> and its like, with the
// reason in brackets. One value reads all files of an update.
type lists struct {
	unknown map[string]bool
	out     *feed.Output
}

// read reads one file, whose name is for bad records.
func (l *lists) read(file string, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var a *advisory.Advisory
	found, body, number := false, 0, 0
	flush := func() {
		if a != nil {
			if len(a.Upstream) == 0 && advisory.Maintenance(a.Summary) {
				a.Affected = nil // it mends no vulnerability
			}
			l.out.Yield(feed.Item{Advisory: a}, nil)
		}
		a = nil
	}
	for lines.Scan() && !l.out.Over() {
		number++
		line := strings.TrimRight(lines.Text(), " \t\r")
		where := fmt.Sprintf("%s, line %d", file, number)
		switch {
		case line == "":
		case line[0] == '[':
			flush()
			body = 0
			var err error
			if a, err = header(line); err != nil {
				l.out.Bad(where, err)
				continue
			}
			found = true
		case line[0] != ' ' && line[0] != '\t':
			if !found {
				return fmt.Errorf("line %d: this is no list of advisories: %q", number, shorten(line))
			}
			l.out.Bad(where, fmt.Errorf("%q is neither an advisory nor a line of one", shorten(line)))
		case a != nil:
			if body++; body > maxLines {
				return &feed.LimitError{What: where, Limit: "lines of one advisory", Most: maxLines}
			}
			if err := l.line(a, strings.TrimLeft(line, " \t")); err != nil {
				l.out.Bad(where, err)
			}
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return &feed.LimitError{What: fmt.Sprintf("%s, line %d", file, number+1), Limit: "bytes of one line", Most: maxLine}
		}
		return err
	}
	flush()
	if !found && !l.out.Over() {
		return errors.New("there is no advisory in it")
	}
	return nil
}

// header reads the first line of an advisory.
func header(line string) (*advisory.Advisory, error) {
	date, rest, ok := strings.Cut(line[1:], "]")
	id, title, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if !ok || !strings.HasPrefix(id, "DSA-") && !strings.HasPrefix(id, "DLA-") || len(id) > 40 {
		return nil, fmt.Errorf("%q names no advisory", shorten(line))
	}
	at, err := time.Parse("2 Jan 2006", strings.TrimSpace(date))
	if err != nil {
		return nil, fmt.Errorf("%s: %q is no date", id, shorten(date))
	}
	return &advisory.Advisory{
		Source: "debian-dsa", ID: id, Summary: strings.TrimSpace(title), Published: at,
		URL: "https://security-tracker.debian.org/tracker/" + id,
	}, nil
}

// line reads one of the lines below it.
func (l *lists) line(a *advisory.Advisory, s string) error {
	switch {
	case s[0] == '{':
		for id := range strings.FieldsSeq(strings.TrimSuffix(s[1:], "}")) {
			if advisory.IsCVE(id) {
				if !slices.Contains(a.Upstream, id) {
					a.Upstream = append(a.Upstream, id)
				}
			} else if !slices.Contains(a.Related, id) {
				a.Related = append(a.Related, id)
			}
		}
		return nil
	case strings.HasPrefix(s, "NOTE:"):
		if note := strings.TrimSpace(s[len("NOTE:"):]); note != "" {
			a.Details = strings.TrimPrefix(a.Details+"\n"+note, "\n")
		}
		return nil
	}
	release := "sid"
	if s[0] == '[' {
		name, rest, ok := strings.Cut(s[1:], "]")
		if !ok {
			return fmt.Errorf("%s: %q is no line of an advisory", a.ID, shorten(s))
		}
		release, s = name, strings.TrimSpace(rest)
	}
	rest, ok := strings.CutPrefix(s, "- ")
	pkg, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	rest = strings.TrimSpace(rest)
	if !ok || pkg == "" || rest == "" {
		return fmt.Errorf("%s: %q is no line of an advisory", a.ID, shorten(s))
	}
	stream, ok := streamOf(release)
	if !ok {
		if !l.unknown[release] && len(l.unknown) < 100 {
			l.unknown[release] = true
			l.out.Bad("release "+shorten(release), errors.New("no Debian release of that name is known; what is said of it is left out"))
		}
		return nil
	}
	what, flags, _ := strings.Cut(rest, " ")
	flags = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(flags), "("), ")")
	f := advisory.Affected{Key: advisory.Key{Stream: stream, Name: advisory.Name(stream, pkg)}, Names: advisory.Source, Scheme: version.Deb}
	if what[0] == '<' {
		f.Note = flags
		switch what {
		case "<not-affected>":
			f.Status = advisory.StatusNotAffected
		case "<undetermined>":
			f.Status = advisory.StatusUndetermined
		case "<unfixed>", "<no-dsa>":
			f.Fix.State = advisory.NotFixed
		case "<postponed>":
			f.Fix.State = advisory.Deferred
		case "<ignored>":
			f.Fix.State = advisory.WontFix
		case "<end-of-life>":
			f.Fix.State = advisory.EndOfLife
		case "<removed>", "<itp>":
			return nil // the release has no such package
		default:
			return fmt.Errorf("%s: the state %q is unknown", a.ID, shorten(what))
		}
	} else {
		f.Intervals = []advisory.Interval{{Fixed: what}}
		f.Fix = advisory.Fix{State: advisory.Fixed, Versions: []string{what}, Date: a.Published, Advisory: a.ID, URL: a.URL}
	}
	for flag := range strings.SplitSeq(flags, ";") {
		switch flag = strings.TrimSpace(flag); flag {
		case "unimportant", "low", "medium", "high":
			f.Severities = []advisory.Severity{{Source: "debian", Type: "LABEL", Label: advisory.LevelOf(flag), Raw: flag}}
			if f.Note == flag {
				f.Note = ""
			}
		}
	}
	a.Affected = append(a.Affected, f)
	return nil
}
