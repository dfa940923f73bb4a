// Package gates holds the built-in gates: what policies can ask about an
// image. Names, parameters and messages of the gates that Anchore's products
// have are theirs, to the letter, because allowlists name rows by a hash of
// the message.
package gates

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// All returns the built-in gates.
func All() []policy.Gate {
	gates := []policy.Gate{
		always(), dockerfile(), files(), licenses(), malware(), metadata(), npms(), packages(), passwdFile(), retrievedFiles(), rubyGems(), secretScans(), vulnerabilities(),
		ancestry(), distro(), imageSourceDrift(), stig(), tagDrift(),
		accounts(), baseImage(), binaries(), data(), expression(), misconfiguration(), secrets(),
	}
	for _, g := range gates {
		if g, ok := g.(gate); ok {
			g.describe()
		}
	}
	return append(gates, removed()...)
}

// trigger is one trigger: what it is, and what it does.
type trigger struct {
	spec policy.TriggerSpec
	eval func(ctx context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error)
}

// gate is a gate made of triggers.
type gate struct {
	spec  policy.GateSpec
	evals map[string]func(ctx context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error)
}

var _ policy.Gate = gate{}

func newGate(name, description string, triggers ...trigger) gate {
	g := gate{spec: policy.GateSpec{Name: name, Description: description}, evals: map[string]func(context.Context, *policy.Subject, policy.Params) ([]policy.Hit, error){}}
	for _, t := range triggers {
		g.spec.Triggers = append(g.spec.Triggers, t.spec)
		g.evals[t.spec.Name] = t.eval
	}
	return g
}

func (g gate) Spec() policy.GateSpec { return g.spec }

func (g gate) Evaluate(ctx context.Context, trigger string, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	eval := g.evals[trigger]
	if eval == nil {
		return nil, fmt.Errorf("gate %s has no trigger %q that can be evaluated", g.spec.Name, trigger)
	}
	return eval(ctx, s, p)
}

func hit(message string) []policy.Hit { return []policy.Hit{{Message: message}} }

func unknown(format string, args ...any) []policy.Hit {
	return []policy.Hit{{Unknown: true, Message: fmt.Sprintf(format, args...)}}
}

// comparisons are the operators of parameters that compare.
func comparisons() []string { return []string{"=", "!=", "<", ">", "<=", ">="} }

// holds reports whether "a op b" holds, given how a and b compare.
func holds(op string, c int) bool {
	switch op {
	case "=":
		return c == 0
	case "!=":
		return c != 0
	case "<":
		return c < 0
	case ">":
		return c > 0
	case "<=":
		return c <= 0
	case ">=":
		return c >= 0
	}
	return false
}

// pythonList writes a list as messages have it: ['a', 'b'].
func pythonList(items []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, s := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		quote := byte('\'')
		if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
			quote = '"'
		}
		b.WriteByte(quote)
		b.WriteString(s)
		b.WriteByte(quote)
	}
	b.WriteByte(']')
	return b.String()
}

// typeName is a package's type as the 1_0 interface names it.
func typeName(p *inventory.Package) string {
	switch p.Type {
	case "deb":
		return "dpkg"
	case "apk":
		return "APKG"
	case "maven":
		return "java"
	case "pypi":
		return "python"
	case "golang":
		return "go"
	case "generic", "":
		return "binary"
	}
	return p.Type
}

// location is where a package that is none of the operating system is, as the
// 1_0 interface writes it: the archive within the archive, the folder of
// Python's packages, otherwise the file.
func location(p *inventory.Package) string {
	at := policy.Absolute(p.Path)
	switch p.Type {
	case "maven":
		for part := range strings.SplitSeq(p.Inner, "!") {
			switch strings.ToLower(path.Ext(part)) {
			case ".jar", ".war", ".ear", ".par", ".sar", ".nar", ".jpi", ".hpi", ".rar", ".lpkg":
				at += ":" + part
			}
		}
	case "pypi":
		dir := path.Dir(at)
		if strings.HasSuffix(dir, "-info") {
			dir = path.Dir(dir)
		}
		return dir
	}
	return at
}

// idPart is the part of a vulnerability row's id that names the package.
func idPart(p *inventory.Package) string {
	if p.OS() {
		return p.Name
	}
	part := ""
	switch p.Type {
	case "maven":
		at := location(p)
		part = path.Base(at[strings.LastIndexByte(at, ':')+1:])
	case "gem":
		part = path.Base(location(p))
	case "npm":
		if part = path.Base(path.Dir(location(p))); part == "." || part == "/" {
			part = ""
		}
	}
	if part == "" || part == "." || part == "/" {
		part = p.Name + "-" + p.Version
	}
	return part
}

// evidence tells where a package is.
func evidence(s *policy.Subject, p *inventory.Package) policy.Evidence {
	return policy.Evidence{Package: p.PURL(), Version: p.Version, Path: policy.Absolute(p.Path), Detail: p.Inner, Layer: s.LayerDigest(p.Layer)}
}

// wanted makes a set of a list, nil of an empty one.
func wanted(list []string) map[string]bool {
	if len(list) == 0 {
		return nil
	}
	set := make(map[string]bool, len(list))
	for _, item := range list {
		set[item] = true
	}
	return set
}

// splitValue splits the value of an "in" check.
func splitValue(v string) []string {
	items := strings.Split(v, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return slices.DeleteFunc(items, func(s string) bool { return s == "" })
}
