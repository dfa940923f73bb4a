package gates

import (
	"math"
	"strings"
)

// cvss3Parts are the exploitability and impact scores of a CVSS 3.x vector,
// by the equations of the specification (section 7.1), rounded to one digit
// as NVD shows them.
func cvss3Parts(vector string) (exploitability, impact float64, ok bool) {
	metrics := map[string]string{}
	version, rest, found := strings.Cut(vector, "/")
	if !found || !strings.HasPrefix(version, "CVSS:3.") {
		return 0, 0, false
	}
	for part := range strings.SplitSeq(rest, "/") {
		name, value, _ := strings.Cut(part, ":")
		metrics[name] = value
	}
	good := true
	weight := func(metric, values string, weights ...float64) float64 {
		i := -1
		if v := metrics[metric]; len(v) == 1 {
			i = strings.Index(values, v)
		}
		if i < 0 {
			good = false
			return 0
		}
		return weights[i]
	}
	changed := metrics["S"] == "C"
	good = changed || metrics["S"] == "U"
	low, high := 0.62, 0.27
	if changed {
		low, high = 0.68, 0.5
	}
	exploitability = 8.22 * weight("AV", "NALP", 0.85, 0.62, 0.55, 0.2) * weight("AC", "LH", 0.77, 0.44) * weight("PR", "NLH", 0.85, low, high) * weight("UI", "NR", 0.85, 0.62)
	iss := 1 - (1-weight("C", "HLN", 0.56, 0.22, 0))*(1-weight("I", "HLN", 0.56, 0.22, 0))*(1-weight("A", "HLN", 0.56, 0.22, 0))
	impact = 6.42 * iss
	if changed {
		impact = 7.52*(iss-0.029) - 3.25*math.Pow(iss-0.02, 15)
	}
	return math.Round(exploitability*10) / 10, max(0, math.Round(impact*10)/10), good
}
