package spdx

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of an expression. Longer or deeper ones are refused by [Parse].
const (
	MaxLength = 16 << 10 // bytes
	MaxDepth  = 64       // parentheses in parentheses
)

// Errors of [Parse] that name a limit.
var (
	ErrLength = errors.New("spdx: expression longer than 16384 bytes")
	ErrDepth  = errors.New("spdx: expression nested deeper than 64 parentheses")
)

// Expr is a licence expression. The zero value is the empty expression.
type Expr struct{ root *node }

type operator uint8

const (
	opLeaf operator = iota
	opAnd
	opOr
)

// node is a licence or an operator over at least two operands.
type node struct {
	op        operator
	args      []*node
	id        string // of a leaf: licence identifier or reference
	plus      bool   // "or any later version"
	exception string
}

// Parse reads an expression of the grammar of SPDX 2.3, Annex D: licence
// identifiers, "+", LicenseRef and DocumentRef references, WITH, AND, OR and
// parentheses, in this order of precedence. Identifiers are matched whatever
// their case and returned as the list writes them; operators are upper or
// lower case. An identifier that the list does not have is accepted when it
// has the form of one: see [Expr.Unknown]. AdditionRef after WITH is accepted
// as in SPDX 3.
func Parse(expr string) (Expr, error) {
	if len(expr) > MaxLength {
		return Expr{}, ErrLength
	}
	p := parser{rest: expr}
	p.next()
	n, err := p.or(0)
	if err != nil {
		return Expr{}, err
	}
	if p.tok != "" {
		return Expr{}, fmt.Errorf("spdx: unexpected %q", p.tok)
	}
	return Expr{n}, nil
}

type parser struct {
	rest string
	tok  string // "" at the end
}

func (p *parser) next() {
	s := strings.TrimLeft(p.rest, " \t\r\n")
	if s == "" {
		p.rest, p.tok = "", ""
		return
	}
	n := 1
	if s[0] != '(' && s[0] != ')' {
		if n = strings.IndexAny(s, " \t\r\n()"); n < 0 {
			n = len(s)
		}
	}
	p.tok, p.rest = s[:n], s[n:]
}

func (p *parser) or(depth int) (*node, error) {
	return p.list(opOr, "OR", "or", depth, p.and)
}

func (p *parser) and(depth int) (*node, error) {
	return p.list(opAnd, "AND", "and", depth, p.simple)
}

func (p *parser) list(op operator, upper, lower string, depth int, operand func(int) (*node, error)) (*node, error) {
	n, err := operand(depth)
	if err != nil || p.tok != upper && p.tok != lower {
		return n, err
	}
	args := []*node{n}
	for p.tok == upper || p.tok == lower {
		p.next()
		n, err := operand(depth)
		if err != nil {
			return nil, err
		}
		args = append(args, n)
	}
	return combine(op, args), nil
}

func (p *parser) simple(depth int) (*node, error) {
	switch p.tok {
	case "":
		return nil, errors.New("spdx: a licence is missing at the end")
	case "(":
		if depth >= MaxDepth {
			return nil, ErrDepth
		}
		p.next()
		n, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.tok != ")" {
			return nil, errors.New("spdx: a closing parenthesis is missing")
		}
		p.next()
		return n, nil
	case ")", "AND", "and", "OR", "or", "WITH", "with":
		return nil, fmt.Errorf("spdx: %q where a licence is expected", p.tok)
	}
	n := &node{}
	var ok bool
	if n.id, n.plus, ok = licenseID(p.tok); !ok {
		return nil, fmt.Errorf("spdx: %q is no licence identifier", p.tok)
	}
	p.next()
	if p.tok == "WITH" || p.tok == "with" {
		p.next()
		if n.exception, ok = exceptionID(p.tok); !ok {
			return nil, fmt.Errorf("spdx: %q is no exception identifier", p.tok)
		}
		p.next()
	}
	return n, nil
}

func licenseID(tok string) (id string, plus, ok bool) {
	if isRef(tok, "LicenseRef-") {
		return tok, false, true
	}
	base, plus := strings.CutSuffix(tok, "+")
	if id, ok := Known(base); ok {
		return id, plus, true
	}
	// LicenseRef must be written exactly so; anything like it is a mistake.
	if !isIDString(base) || len(base) >= 11 && strings.EqualFold(base[:11], "LicenseRef-") || isOperator(base) {
		return "", false, false
	}
	return base, plus, true
}

func exceptionID(tok string) (string, bool) {
	if isRef(tok, "AdditionRef-") {
		return tok, true
	}
	if id, ok := KnownException(tok); ok {
		return id, true
	}
	return tok, isIDString(tok) && !isOperator(tok)
}

func isOperator(s string) bool {
	return strings.EqualFold(s, "and") || strings.EqualFold(s, "or") || strings.EqualFold(s, "with")
}

// isRef reports whether s is ["DocumentRef-" idstring ":"] prefix idstring.
func isRef(s, prefix string) bool {
	if rest, ok := strings.CutPrefix(s, "DocumentRef-"); ok {
		doc, ref, ok := strings.Cut(rest, ":")
		if !ok || !isIDString(doc) {
			return false
		}
		s = ref
	}
	id, ok := strings.CutPrefix(s, prefix)
	return ok && isIDString(id)
}

func isIDString(s string) bool {
	for i := range len(s) {
		if !isIDByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isIDByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.'
}

// combine joins operands, pulling up those of the same operator.
func combine(op operator, args []*node) *node {
	if len(args) == 1 {
		return args[0]
	}
	flat := make([]*node, 0, len(args))
	for _, a := range args {
		if a.op == op {
			flat = append(flat, a.args...)
		} else {
			flat = append(flat, a)
		}
	}
	return &node{op: op, args: flat}
}

// String writes the expression with upper-case operators and no parentheses
// but those it needs.
func (e Expr) String() string {
	if e.root == nil {
		return ""
	}
	var b strings.Builder
	e.root.write(&b, opOr)
	return b.String()
}

func (n *node) write(b *strings.Builder, outer operator) {
	if n.op == opLeaf {
		b.WriteString(n.id)
		if n.plus {
			b.WriteByte('+')
		}
		if n.exception != "" {
			b.WriteString(" WITH ")
			b.WriteString(n.exception)
		}
		return
	}
	paren := n.op == opOr && outer == opAnd
	if paren {
		b.WriteByte('(')
	}
	for i, a := range n.args {
		if i > 0 && n.op == opAnd {
			b.WriteString(" AND ")
		} else if i > 0 {
			b.WriteString(" OR ")
		}
		a.write(b, n.op)
	}
	if paren {
		b.WriteByte(')')
	}
}

func (n *node) leaves(yield func(*node)) {
	if n == nil {
		return
	}
	if n.op == opLeaf {
		yield(n)
	}
	for _, a := range n.args {
		a.leaves(yield)
	}
}

func (e Expr) collect(of func(*node) string) []string {
	var out []string
	e.root.leaves(func(n *node) {
		if s := of(n); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	})
	return out
}

// Licenses returns the distinct licence identifiers and references, without
// "+" and without exceptions, in the order of the expression.
func (e Expr) Licenses() []string { return e.collect(func(n *node) string { return n.id }) }

// Exceptions returns the distinct exceptions in the order of the expression.
func (e Expr) Exceptions() []string { return e.collect(func(n *node) string { return n.exception }) }

// Unknown returns the identifiers that the SPDX list does not have.
// References are no such identifiers.
func (e Expr) Unknown() []string {
	out := e.collect(func(n *node) string {
		if _, ok := Known(n.id); ok || isRef(n.id, "LicenseRef-") {
			return ""
		}
		return n.id
	})
	return append(out, e.collect(func(n *node) string {
		if _, ok := KnownException(n.exception); ok || isRef(n.exception, "AdditionRef-") {
			return ""
		}
		return n.exception
	})...)
}

// Allowed reports whether the whole may be used when allow says which
// licences may: all operands of an AND and one of an OR must be allowed. The
// empty expression is not.
func (e Expr) Allowed(allow func(license, exception string) bool) bool {
	return e.root != nil && e.root.allowed(allow)
}

func (n *node) allowed(allow func(license, exception string) bool) bool {
	one := func(a *node) bool { return a.allowed(allow) }
	switch n.op {
	case opAnd:
		return !slices.ContainsFunc(n.args, func(a *node) bool { return !one(a) })
	case opOr:
		return slices.ContainsFunc(n.args, one)
	}
	return allow(n.id, n.exception)
}

// Modern returns the expression with deprecated identifiers replaced by what
// the list recommends: "GPL-2.0+" becomes "GPL-2.0-or-later".
func (e Expr) Modern() Expr {
	if e.root == nil {
		return e
	}
	return Expr{e.root.modern()}
}

func (n *node) modern() *node {
	if n.op != opLeaf {
		args := make([]*node, len(n.args))
		for i, a := range n.args {
			args[i] = a.modern()
		}
		return combine(n.op, args)
	}
	out := *n
	if e := find(licenses(), n.id); e != nil && e.replacement != "" {
		if r, err := Parse(e.replacement); err == nil && r.root.op == opLeaf && (r.root.exception == "" || n.exception == "") {
			out.id = r.root.id
			if r.root.exception != "" {
				out.exception = r.root.exception
			}
		}
	}
	if out.plus {
		// the GNU licences have identifiers of their own for "or later"
		if base, ok := strings.CutSuffix(out.id, "-only"); ok {
			if id, ok := Known(base + "-or-later"); ok {
				out.id, out.plus = id, false
			}
		} else if strings.HasSuffix(out.id, "-or-later") {
			out.plus = false
		}
	}
	return &out
}

// distinct drops repeated operands.
func (n *node) distinct() *node {
	if n.op == opLeaf {
		return n
	}
	var args []*node
	seen := make(map[string]bool, len(n.args))
	for _, a := range n.args {
		a = a.distinct()
		if s := (Expr{a}).String(); !seen[s] {
			seen[s] = true
			args = append(args, a)
		}
	}
	return combine(n.op, args)
}
