package feed

import "strings"

var metrics4 = [...]metric{
	{"AV", "NALP", true},
	{"AC", "LH", true},
	{"AT", "NP", true},
	{"PR", "NLH", true},
	{"UI", "NPA", true},
	{"VC", "HLN", true},
	{"VI", "HLN", true},
	{"VA", "HLN", true},
	{"SC", "HLN", true},
	{"SI", "HLN", true},
	{"SA", "HLN", true},
	{"E", "XAPU", false},
	{"CR", "XHML", false},
	{"IR", "XHML", false},
	{"AR", "XHML", false},
	{"MAV", "XNALP", false},
	{"MAC", "XLH", false},
	{"MAT", "XNP", false},
	{"MPR", "XNLH", false},
	{"MUI", "XNPA", false},
	{"MVC", "XHLN", false},
	{"MVI", "XHLN", false},
	{"MVA", "XHLN", false},
	{"MSC", "XHLN", false},
	{"MSI", "XSHLN", false},
	{"MSA", "XSHLN", false},
	{"S", "XNP", false}, // supplemental from here on: no part in the score
	{"AU", "XNY", false},
	{"R", "XAUI", false},
	{"V", "XDC", false},
	{"RE", "XLMH", false},
	{"U", "X Clear Green Amber Red", false},
}

// effective is the value of a metric that counts: the modified one where there
// is one, and the worst where a requirement or the exploit maturity is open.
func (v *vectorOf) effective(name string) byte {
	if i := v.index("M" + name); i >= 0 && v.values[i] != 0 && v.values[i] != 'X' {
		return v.values[i]
	}
	c := v.get(name)
	if c != 0 && c != 'X' {
		return c
	}
	if name == "E" {
		return 'A'
	}
	return 'H'
}

// score4 is section 8 of the specification of CVSS 4.0. All is done in
// integers: scores in tenths, and severity distances in steps.
func (v *vectorOf) score4() float64 {
	level := func(name, order string) int { return strings.IndexByte(order, v.effective(name)) }
	av, pr, ui := level("AV", "NALP"), level("PR", "NLH"), level("UI", "NPA")
	ac, at := level("AC", "LH"), level("AT", "NP")
	vc, vi, va := level("VC", "HLN"), level("VI", "HLN"), level("VA", "HLN")
	sc, si, sa := level("SC", "SHLN"), level("SI", "SHLN"), level("SA", "SHLN")
	cr, ir, ar := level("CR", "HML"), level("IR", "HML"), level("AR", "HML")
	if vc == 2 && vi == 2 && va == 2 && sc == 3 && si == 3 && sa == 3 {
		return 0
	}

	// The macro vector: tables 24 to 29.
	m := macroVector{eq5: level("E", "APU")}
	switch none := b2i(av == 0) + b2i(pr == 0) + b2i(ui == 0); {
	case none == 3:
	case none > 0 && av != 3:
		m.eq1 = 1
	default:
		m.eq1 = 2
	}
	m.eq2 = b2i(ac+at > 0)
	switch {
	case vc == 0 && vi == 0:
	case vc == 0 || vi == 0 || va == 0:
		m.eq3 = 1
	default:
		m.eq3 = 2
	}
	switch {
	case si == 0 || sa == 0:
	case sc == 1 || si == 1 || sa == 1:
		m.eq4 = 1
	default:
		m.eq4 = 2
	}
	m.eq6 = b2i(vc+cr > 0 && vi+ir > 0 && va+ar > 0)

	// Every equivalence set: how far its highest vectors lie above this one,
	// how deep it is, and what the next lower macro vector scores. All the
	// highest vectors of a set have the same sum of levels, given here first.
	score := m.score()
	sets := []struct{ distance, depth, lower int }{
		{av + pr + ui - [3]int{0, 1, 3}[m.eq1], [3]int{1, 4, 5}[m.eq1], m.with(1, 0, 0, 0, 0, 0).score()},
		{ac + at - m.eq2, 1 + m.eq2, m.with(0, 1, 0, 0, 0, 0).score()},
		{vc + vi + va + cr + ir + ar - [3][2]int{{0, 3}, {1, 3}, {0, 3}}[m.eq3][m.eq6], [3][2]int{{7, 6}, {8, 8}, {1, 10}}[m.eq3][m.eq6], m.lower36()},
		{sc + si + sa - [3]int{1, 3, 6}[m.eq4], [3]int{6, 5, 4}[m.eq4], m.with(0, 0, 0, 1, 0, 0).score()},
		{0, 1, m.with(0, 0, 0, 0, 1, 0).score()},
	}
	const whole = 840 // a multiple of every depth
	n, sum := 0, 0
	for _, s := range sets {
		if s.lower >= 0 {
			n++
			sum += (score - s.lower) * s.distance * (whole / s.depth)
		}
	}
	if n == 0 {
		return float64(score) / 10
	}
	// score - sum/(whole·n), rounded to the nearest, halves up
	tenths := (2*(score*whole*n-sum) + whole*n) / (2 * whole * n)
	return float64(min(max(tenths, 0), 100)) / 10
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// macroVector is a level for each of the six equivalence sets.
type macroVector struct{ eq1, eq2, eq3, eq4, eq5, eq6 int }

func (m macroVector) with(d1, d2, d3, d4, d5, d6 int) macroVector {
	return macroVector{m.eq1 + d1, m.eq2 + d2, m.eq3 + d3, m.eq4 + d4, m.eq5 + d5, m.eq6 + d6}
}

// score is the score of the macro vector's highest vectors in tenths, -1 if
// there is no such macro vector.
func (m macroVector) score() int {
	if m.eq1 > 2 || m.eq2 > 1 || m.eq3 > 2 || m.eq4 > 2 || m.eq5 > 2 || m.eq6 > 1 || m.eq3 == 2 && m.eq6 == 0 {
		return -1
	}
	// Three characters for each: rows are EQ1, EQ2, EQ3; columns EQ4, EQ5, EQ6.
	row := cvss4Scores[(m.eq1*2+m.eq2)*3+m.eq3]
	n := 0
	for _, c := range []byte(row[3*(m.eq4*6+m.eq5*2+m.eq6):][:3]) {
		if c >= '0' && c <= '9' {
			n = n*10 + int(c-'0')
		}
	}
	return n
}

// lower36 is the score below in EQ3 and EQ6, which depend on one another.
func (m macroVector) lower36() int {
	switch {
	case m.eq3 == 0 && m.eq6 == 0:
		return max(m.with(0, 0, 0, 0, 0, 1).score(), m.with(0, 0, 1, 0, 0, 0).score())
	case m.eq3 == 1 && m.eq6 == 0:
		return m.with(0, 0, 0, 0, 0, 1).score()
	}
	return m.with(0, 0, 1, 0, 0, 0).score()
}

// cvss4Scores are the scores of the macro vectors in tenths: section 8.3 of the
// specification. "-" is a combination that does not occur.
var cvss4Scores = [...]string{
	"100 99 98 95 95 92100 96 93 87 91 81 93 90 89 80 81 68", // 000
	" 98 95 95 92 90 84 93 92 89 81 81 65 88 80 78 70 69 48", // 001
	"  - 92  - 82  - 72  - 79  - 69  - 50  - 69  - 55  - 27", // 002
	" 99 97 95 92 92 85 95 91 90 83 84 71 92 81 82 71 72 53", // 010
	" 95 93 92 85 85 73 92 82 80 72 70 59 84 70 71 52 50 30", // 011
	"  - 86  - 75  - 52  - 71  - 52  - 29  - 63  - 29  - 17", // 012
	" 98 95 94 87 91 81 94 89 86 74 77 64 87 75 74 63 63 49", // 100
	" 94 89 88 77 76 67 86 76 74 58 59 50 72 57 57 52 52 25", // 101
	"  - 83  - 70  - 54  - 65  - 58  - 26  - 53  - 21  - 13", // 102
	" 95 90 88 76 76 70 90 77 75 62 61 53 77 66 68 59 52 30", // 110
	" 89 78 76 67 62 58 74 59 57 57 47 23 61 52 57 29 24 16", // 111
	"  - 71  - 59  - 30  - 58  - 26  - 15  - 23  - 13  -  6", // 112
	" 93 87 86 72 75 58 86 74 74 61 56 34 70 54 52 40 40 22", // 200
	" 85 75 74 55 62 51 72 57 55 41 46 19 53 36 34 19 19  8", // 201
	"  - 64  - 51  - 20  - 47  - 21  - 11  - 24  -  9  -  4", // 202
	" 88 75 73 53 60 50 73 55 59 40 41 20 54 43 45 22 20 11", // 210
	" 75 55 58 45 40 21 61 51 48 18 20  9 46 18 17  7  8  2", // 211
	"  - 53  - 24  - 14  - 24  - 12  -  5  - 10  -  3  -  1", // 212
}
