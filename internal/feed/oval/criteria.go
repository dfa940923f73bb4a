package oval

import (
	"errors"
	"slices"
	"strings"
)

// Limits of what the criteria of one definition expand to.
const (
	maxClauses    = 200_000
	maxConditions = 1000      // of one clause
	maxExpanded   = 4_000_000 // conditions in all clauses
)

// operation is how a package's version is compared.
type operation uint8

const (
	opInstalled operation = iota // every version
	opMissing                    // the package is not installed
	opNever                      // no version: the package is not affected
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opEqual
)

// condition is one demand on a package.
type condition struct {
	name   text
	op     operation
	evr    text
	arches text // alternatives, separated by "|"
}

// clause is a conjunction: all of it must hold for a definition to apply.
type clause struct {
	streams  []text // one of these, sorted; nil: not said
	arches   []text // of the system, one of these, sorted; nil: not said
	module   text   // rpm module that is enabled
	packages []condition
}

// evaluator turns the criteria of definitions into clauses, of which any may
// hold.
type evaluator struct {
	*document
	publisher *publisher
	problem   error // of the definition under work
}

func errClauses() error { return limit("a definition", "combinations of criteria", maxClauses) }

// expand gives the clauses of a node. A node that never holds has none; one
// that always does, as far as an image can tell, has an empty clause.
func (e *evaluator) expand(n *node, negate bool) ([]clause, error) {
	negate = negate != n.negate
	if n.kids == nil {
		if n.test == 0 && n.comment == 0 {
			return []clause{{}}, nil
		}
		return e.leaf(n, negate), nil
	}
	if n.and != negate { // a negated OR is an AND of what is negated
		out := []clause{{}}
		for i := range n.kids {
			more, err := e.expand(&n.kids[i], negate)
			if err != nil {
				return nil, err
			}
			if out, err = both(out, more); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	var out []clause
	for i := range n.kids {
		more, err := e.expand(&n.kids[i], negate)
		if err != nil {
			return nil, err
		}
		if out = append(out, more...); len(out) > maxClauses {
			return nil, errClauses()
		}
	}
	return union(out), nil
}

// both gives what holds when one of a and one of b do.
func both(a, b []clause) ([]clause, error) {
	if len(a) == 1 && a[0].empty() {
		return b, nil
	}
	if len(b) == 1 && b[0].empty() {
		return a, nil
	}
	if len(a)*len(b) > maxClauses {
		return nil, errClauses()
	}
	out := make([]clause, 0, len(a)*len(b))
	expanded := 0
	for i := range a {
		for k := range b {
			x, y := &a[i], &b[k]
			if x.module != 0 && y.module != 0 && x.module != y.module {
				continue
			}
			c := clause{module: max(x.module, y.module)}
			var some, also bool
			c.streams, some = intersect(x.streams, y.streams)
			c.arches, also = intersect(x.arches, y.arches)
			if !some || !also {
				continue
			}
			switch {
			case len(x.packages) == 0:
				c.packages = y.packages
			case len(y.packages) == 0:
				c.packages = x.packages
			default:
				if n := len(x.packages) + len(y.packages); n > maxConditions {
					return nil, limit("a definition", "packages that must be there together", maxConditions)
				} else if expanded += n; expanded > maxExpanded {
					return nil, errClauses()
				}
				c.packages = slices.Concat(x.packages, y.packages)
			}
			out = append(out, c)
		}
	}
	return out, nil
}

func (c *clause) empty() bool {
	return c.streams == nil && c.arches == nil && c.module == 0 && len(c.packages) == 0
}

// intersect takes nil for everything; some is false when nothing is left.
func intersect(a, b []text) (out []text, some bool) {
	switch {
	case a == nil:
		return b, true
	case b == nil:
		return a, true
	}
	for _, s := range a {
		if slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out, len(out) > 0
}

// union makes one clause of those that differ in the distribution alone, or in
// the architecture alone, so that "one of twenty products and one of a hundred
// packages" does not become two thousand clauses.
func union(in []clause) []clause {
	out := in[:0]
	streams, arches, always := -1, -1, false
	for _, c := range in {
		switch {
		case len(c.packages) > 0 || c.module != 0:
			out = append(out, c)
		case c.streams != nil && c.arches == nil:
			if streams < 0 {
				streams = len(out)
				out = append(out, clause{streams: slices.Clone(c.streams)})
			} else {
				out[streams].streams = merge(out[streams].streams, c.streams)
			}
		case c.arches != nil && c.streams == nil:
			if arches < 0 {
				arches = len(out)
				out = append(out, clause{arches: slices.Clone(c.arches)})
			} else {
				out[arches].arches = merge(out[arches].arches, c.arches)
			}
		case c.empty():
			if !always {
				always = true
				out = append(out, c)
			}
		default:
			out = append(out, c)
		}
	}
	return out
}

func merge(a, b []text) []text {
	for _, s := range b {
		if i, found := slices.BinarySearch(a, s); !found {
			a = slices.Insert(a, i, s)
		}
	}
	return a
}

// always and never are the clauses of what is fulfilled in every image, or in
// none.
func always() []clause { return []clause{{}} }
func never() []clause  { return nil }

// leaf gives the clauses of a criterion. What only a running system can answer,
// and signatures, count as fulfilled.
func (e *evaluator) leaf(n *node, negate bool) []clause {
	t, known := e.tests[n.test]
	comment := e.get(n.comment)
	if !known {
		return e.comment(comment, negate)
	}
	switch t.kind {
	case kindRelease:
		if t.nobody != negate { // "must be installed": fulfilled where it is not
			return never()
		}
		return e.product(comment)
	case kindFile:
		return e.module(comment, negate)
	case kindPackage:
		return e.packages(&t, comment, negate)
	}
	return always()
}

func (e *evaluator) module(comment string, negate bool) []clause {
	rest, ok := strings.CutPrefix(comment, "Module ")
	name, ok2 := strings.CutSuffix(rest, " is enabled")
	if !ok || !ok2 || name == "" {
		return always()
	}
	if negate {
		name = "-"
	}
	return []clause{{module: e.put(name)}}
}

// product gives the distribution that "NAME is installed" speaks of. Of a
// product that is no distribution, such as a storage server, no claim is made.
func (e *evaluator) product(comment string) []clause {
	if strings.HasSuffix(comment, " must be installed") {
		return always()
	}
	stream, ok := e.publisher.platform(strings.TrimSuffix(comment, " is installed"))
	if !ok {
		return never()
	}
	return []clause{{streams: []text{e.put(stream)}}}
}

// packages gives the clauses of a test of rpm's or dpkg's database.
func (e *evaluator) packages(t *test, comment string, negate bool) []clause {
	names := e.objects[t.object].names
	if v := e.objects[t.object].variable; v != 0 {
		names = slices.Concat(names, e.variables[v])
	}
	if len(names) == 0 {
		return e.comment(comment, negate)
	}
	var s state
	for _, ref := range t.states {
		one, ok := e.states[ref]
		if !ok {
			return e.comment(comment, negate)
		}
		s.join(one)
	}
	if isRelease(e.get(names[0])) && s.evrOp == 0 && s.evr == 0 {
		if s.version != 0 {
			if negate || t.nobody {
				return always() // which of several distributions: said elsewhere
			}
			return e.release(e.get(names[0]), e.get(s.version), comment)
		}
		if s.arch != 0 && !negate {
			return []clause{{arches: e.systemArches(e.get(s.arch))}}
		}
		return always()
	}
	op, evr := opInstalled, text(0)
	switch {
	case t.none:
		op = opMissing
	case s.evr != 0:
		var ok bool
		if op, ok = operationOf(e.get(s.evrOp)); !ok {
			e.problem = errors.New("the operation " + shorten(e.get(s.evrOp)) + " on a version is not known")
			return never()
		}
		evr = s.evr
	case s.version != 0 && e.get(s.version) == "0":
		op = opNever // SUSE's way of saying so
	case s.version != 0:
		e.problem = errors.New("a version without its release cannot be compared: " + shorten(comment))
		return never()
	case s.signature || s.release != 0:
		return always()
	}
	if negate {
		op = op.negated()
	}
	out := make([]clause, len(names))
	for i, name := range names {
		out[i].packages = []condition{{name, op, evr, e.packageArches(&s)}}
	}
	return out
}

func (s *state) join(o state) {
	if o.evr != 0 {
		s.evr, s.evrOp = o.evr, o.evrOp
	}
	if o.version != 0 {
		s.version, s.versionOp = o.version, o.versionOp
	}
	if o.release != 0 {
		s.release, s.releaseOp = o.release, o.releaseOp
	}
	if o.arch != 0 {
		s.arch, s.archOp = o.arch, o.archOp
	}
	s.signature = s.signature || o.signature
}

func operationOf(s string) (operation, bool) {
	switch s {
	case "less than":
		return opLess, true
	case "less than or equal":
		return opLessEqual, true
	case "greater than":
		return opGreater, true
	case "greater than or equal":
		return opGreaterEqual, true
	case "equals", "":
		return opEqual, true
	}
	return 0, false
}

func (op operation) negated() operation {
	switch op {
	case opInstalled:
		return opMissing
	case opMissing, opNever:
		return opInstalled
	case opLess:
		return opGreaterEqual
	case opLessEqual:
		return opGreater
	case opGreater:
		return opLessEqual
	case opGreaterEqual:
		return opLess
	}
	return opMissing // "any other version" is no claim
}

// isRelease reports whether a package only says which distribution it is.
func isRelease(name string) bool {
	return strings.HasSuffix(name, "-release") || strings.HasPrefix(name, "redhat-release")
}

// release gives the distribution of a test of its release package. The comment
// names the product; where that says nothing ("core9"), the package does.
func (e *evaluator) release(name, version, comment string) []clause {
	if stream, ok := e.publisher.platform(strings.TrimSuffix(comment, " is installed")); ok {
		return []clause{{streams: []text{e.put(stream)}}}
	}
	version = strings.Trim(version, "^$")
	if version == "" || version[0] < '0' || version[0] > '9' || strings.ContainsAny(version, "[]()\\*?|") {
		return never()
	}
	switch name {
	case "sles-release", "sled-release":
		return []clause{{streams: []text{e.put("sles:" + version)}}}
	case "suse-release", "openSUSE-release":
		if !strings.Contains(comment, "SUSE Linux Enterprise") {
			return []clause{{streams: []text{e.put("opensuse-leap:" + version)}}}
		}
	}
	return never()
}

// systemArches gives the package architectures that a system of an
// architecture can have.
func (e *evaluator) systemArches(pattern string) []text {
	var out []text
	for a := range strings.SplitSeq(strings.Trim(pattern, "^$()"), "|") {
		switch a {
		case "x86_64":
			for _, b := range []string{"x86_64", "i386", "i486", "i586", "i686"} {
				out = merge(out, []text{e.put(b)})
			}
		case "i386", "i686":
			for _, b := range []string{"i386", "i486", "i586", "i686"} {
				out = merge(out, []text{e.put(b)})
			}
		default:
			out = merge(out, []text{e.put(a)})
		}
	}
	return out
}

// packageArches gives the alternatives of a state's pattern; a pattern that is
// no list of names says nothing.
func (e *evaluator) packageArches(s *state) text {
	p := strings.Trim(e.get(s.arch), "^$()")
	for i := range len(p) {
		if c := p[i]; c != '|' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return 0
		}
	}
	return e.put(p)
}

// comment reads what a criterion says for people. Publishers generate these
// sentences too; they are taken where the test itself is not in the file.
func (e *evaluator) comment(s string, negate bool) []clause {
	if name, rest, ok := strings.Cut(s, " is earlier than "); ok {
		name = strings.TrimPrefix(name, "Package ")
		evr, _, _ := strings.Cut(strings.TrimSpace(rest), ",")
		if op := opLess; name != "" && !strings.Contains(name, " ") && !strings.Contains(evr, " ") && evr != "" {
			if negate {
				op = opGreaterEqual
			}
			return []clause{{packages: []condition{{name: e.put(name), op: op, evr: e.put(evr)}}}}
		}
	}
	switch {
	case strings.HasPrefix(s, "Module "):
		return e.module(s, negate)
	case strings.HasSuffix(s, " must be installed"):
		return never()
	case strings.Contains(s, " is signed with "), strings.HasSuffix(s, " is ksplice-based"), strings.HasSuffix(s, " is currently running"), strings.HasSuffix(s, " on next boot"):
		return always()
	}
	if _, arch, ok := strings.Cut(s, " arch is "); ok && !negate {
		return []clause{{arches: e.systemArches(arch)}}
	}
	for _, says := range []struct {
		suffix string
		op     operation
	}{{" is not affected", opNever}, {" is affected", opInstalled}, {" is not installed", opMissing}, {" is installed", opInstalled}} {
		op := says.op
		name, ok := strings.CutSuffix(s, says.suffix)
		if !ok {
			continue
		}
		if stream, ok := e.publisher.platform(name); ok {
			return []clause{{streams: []text{e.put(stream)}}}
		}
		if strings.Contains(name, " ") {
			return never() // some other product
		}
		if says.suffix == " is installed" && !e.publisher.plainNames {
			break // it names a version as well, without its epoch
		}
		if negate {
			op = op.negated()
		}
		return []clause{{packages: []condition{{name: e.put(name), op: op}}}}
	}
	e.problem = errors.New("it refers to a test that is not there: " + shorten(s))
	return never()
}
