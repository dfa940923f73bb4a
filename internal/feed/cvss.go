package feed

import (
	"fmt"
	"math"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// maxVector is the longest CVSS vector that is read, in bytes.
const maxVector = 1024

// A VectorError tells why a CVSS vector has no score.
type VectorError struct {
	Vector string
	Reason string
}

func (e *VectorError) Error() string {
	v := e.Vector
	if len(v) > 100 {
		v = strings.ToValidUTF8(v[:100], "") + "…"
	}
	return fmt.Sprintf("%q is no CVSS vector: %s", v, e.Reason)
}

// CVSSScore computes the score of a vector as FIRST's specifications say: for
// versions 2.0, 3.0 and 3.1 the base score, whatever other metrics the vector
// has; for 4.0, which knows a single score, that of all its metrics (CVSS-B of
// a vector with base metrics only, else CVSS-BT, -BE or -BTE). typ is OSV's
// name of the version: CVSS_V2, CVSS_V3, CVSS_V4. A vector of version 2 has no
// prefix and may stand in brackets.
func CVSSScore(vector string) (typ string, score float64, err error) {
	v, err := parseVector(vector)
	if err != nil {
		return "", 0, err
	}
	switch v.version {
	case "2.0":
		return "CVSS_V2", v.score2(), nil
	case "4.0":
		return "CVSS_V4", v.score4(), nil
	}
	score, _, _ = v.score3()
	return "CVSS_V3", score, nil
}

// CVSS3Subscores computes the exploitability and impact subscores of a vector
// of CVSS 3.0 or 3.1, rounded to one decimal as NVD publishes them.
func CVSS3Subscores(vector string) (exploitability, impact float64, err error) {
	v, err := parseVector(vector)
	if err != nil {
		return 0, 0, err
	}
	if v.version != "3.0" && v.version != "3.1" {
		return 0, 0, &VectorError{vector, "it is not of version 3"}
	}
	_, exploitability, impact = v.score3()
	return round1(exploitability), round1(max(impact, 0)), nil
}

// CVSS makes a severity of a vector: with type, score and level. source is who
// gave the vector.
func CVSS(source, vector string) (advisory.Severity, error) {
	typ, score, err := CVSSScore(vector)
	if err != nil {
		return advisory.Severity{}, err
	}
	return advisory.Severity{
		Source: source, Type: typ, Vector: strings.TrimSpace(vector), Score: score, Label: advisory.LevelOfScore(typ, score),
	}, nil
}

// vectorOf is a vector taken apart: the value of each metric by its place in
// the version's list, 0 where it has none.
type vectorOf struct {
	version string
	metrics []metric
	values  [40]byte
}

// metric is a metric of a version with its values. Of values that are words
// the first letter counts; where that is not enough a digit stands for it.
type metric struct {
	name   string
	values string // each a letter, or words after a space
	must   bool
}

func parseVector(s string) (*vectorOf, error) {
	text := strings.TrimSpace(s)
	bad := func(format string, args ...any) error { return &VectorError{s, fmt.Sprintf(format, args...)} }
	if len(text) > maxVector {
		return nil, bad("it is longer than %d bytes", maxVector)
	}
	v := &vectorOf{version: "2.0"}
	if rest, ok := strings.CutPrefix(text, "CVSS:"); ok {
		v.version, text, _ = strings.Cut(rest, "/")
		if v.version == "2.0" {
			return nil, bad("version 2 has no prefix")
		}
	} else if strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")") {
		text = text[1 : len(text)-1]
	}
	switch v.version {
	case "2.0":
		v.metrics = metrics2[:]
	case "3.0", "3.1":
		v.metrics = metrics3[:]
	case "4.0":
		v.metrics = metrics4[:]
	default:
		return nil, bad("its version is unknown")
	}
	for part := range strings.SplitSeq(text, "/") {
		name, value, ok := strings.Cut(part, ":")
		if !ok {
			return nil, bad("%q is no metric", part)
		}
		i := v.index(name)
		if i < 0 {
			return nil, bad("version %s has no metric %q", v.version, name)
		}
		if v.values[i] != 0 {
			return nil, bad("the metric %s occurs twice", name)
		}
		if v.values[i] = v.metrics[i].code(value); v.values[i] == 0 {
			return nil, bad("%q is no value of %s", value, name)
		}
	}
	for i, m := range v.metrics {
		if m.must && v.values[i] == 0 {
			return nil, bad("the metric %s is missing", m.name)
		}
	}
	return v, nil
}

func (v *vectorOf) index(name string) int {
	for i := range v.metrics {
		if v.metrics[i].name == name {
			return i
		}
	}
	return -1
}

// get returns the value of a metric, 0 for none.
func (v *vectorOf) get(name string) byte { return v.values[v.index(name)] }

// code returns the letter of a value; of a word its place, from 1 on.
func (m metric) code(value string) byte {
	letters, words, _ := strings.Cut(m.values, " ")
	if len(value) == 1 && strings.Contains(letters, value) {
		return value[0]
	}
	n := byte(1)
	for w := range strings.FieldsSeq(words) {
		if w == value {
			return n
		}
		n++
	}
	return 0
}

var metrics2 = [...]metric{
	{"AV", "LAN", true},
	{"AC", "HML", true},
	{"Au", "MSN", true},
	{"C", "NPC", true},
	{"I", "NPC", true},
	{"A", "NPC", true},
	{"E", "UFH POC ND", false},
	{"RL", "WU OF TF ND", false},
	{"RC", "C UC UR ND", false},
	{"CDP", "NLH LM MH ND", false},
	{"TD", "NLMH ND", false},
	{"CR", "LMH ND", false},
	{"IR", "LMH ND", false},
	{"AR", "LMH ND", false},
}

var metrics3 = [...]metric{
	{"AV", "NALP", true},
	{"AC", "LH", true},
	{"PR", "NLH", true},
	{"UI", "NR", true},
	{"S", "UC", true},
	{"C", "NLH", true},
	{"I", "NLH", true},
	{"A", "NLH", true},
	{"E", "XUPFH", false},
	{"RL", "XOTWU", false},
	{"RC", "XURC", false},
	{"CR", "XLMH", false},
	{"IR", "XLMH", false},
	{"AR", "XLMH", false},
	{"MAV", "XNALP", false},
	{"MAC", "XLH", false},
	{"MPR", "XNLH", false},
	{"MUI", "XNR", false},
	{"MS", "XUC", false},
	{"MC", "XNLH", false},
	{"MI", "XNLH", false},
	{"MA", "XNLH", false},
}

func pick(letter byte, letters string, weights ...float64) float64 {
	return weights[strings.IndexByte(letters, letter)]
}

// score2 is the base equation of "A Complete Guide to CVSS 2.0", 3.2.1.
func (v *vectorOf) score2() float64 {
	cia := func(m string) float64 { return 1 - pick(v.get(m), "NPC", 0, 0.275, 0.660) }
	impact := 10.41 * (1 - cia("C")*cia("I")*cia("A"))
	exploitability := 20 * pick(v.get("AV"), "LAN", 0.395, 0.646, 1) * pick(v.get("AC"), "HML", 0.35, 0.61, 0.71) * pick(v.get("Au"), "MSN", 0.45, 0.56, 0.704)
	f := 1.176
	if impact == 0 {
		f = 0
	}
	return round1((0.6*impact + 0.4*exploitability - 1.5) * f)
}

// score3 is the base equation of the specifications of CVSS 3.0 (8.1) and 3.1
// (7.1), which differ in how the result is rounded up only as far as binary
// fractions are concerned; 3.1's way is right for both.
func (v *vectorOf) score3() (score, exploitability, impact float64) {
	changed := v.get("S") == 'C'
	cia := func(m string) float64 { return 1 - pick(v.get(m), "NLH", 0, 0.22, 0.56) }
	iss := 1 - cia("C")*cia("I")*cia("A")
	low, high := 0.62, 0.27
	if changed {
		low, high = 0.68, 0.5
	}
	exploitability = 8.22 * pick(v.get("AV"), "NALP", 0.85, 0.62, 0.55, 0.2) * pick(v.get("AC"), "LH", 0.77, 0.44) *
		pick(v.get("PR"), "NLH", 0.85, low, high) * pick(v.get("UI"), "NR", 0.85, 0.62)
	impact = 6.42 * iss
	if changed {
		impact = 7.52*(iss-0.029) - 3.25*math.Pow(iss-0.02, 15)
	}
	if impact <= 0 {
		return 0, exploitability, impact
	}
	sum := impact + exploitability
	if changed {
		sum *= 1.08
	}
	return roundUp(min(sum, 10)), exploitability, impact
}

// round1 rounds to the nearest tenth, halves up.
func round1(x float64) float64 { return math.Floor(x*10+0.5+1e-9) / 10 }

// roundUp is Roundup of CVSS 3.1, appendix A.
func roundUp(x float64) float64 {
	n := int64(math.Round(x * 100000))
	if n%10000 == 0 {
		return float64(n/10000) / 10
	}
	return float64(n/10000+1) / 10
}
