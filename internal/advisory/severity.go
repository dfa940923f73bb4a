package advisory

import "strings"

// Level is a severity in one scale for all publishers, in increasing order.
type Level string

// The levels, as the policy language names them.
const (
	Unknown    Level = ""
	Negligible Level = "negligible"
	Low        Level = "low"
	Medium     Level = "medium"
	High       Level = "high"
	Critical   Level = "critical"
)

// Levels are all levels in increasing order.
func Levels() []Level { return []Level{Unknown, Negligible, Low, Medium, High, Critical} }

// Rank orders levels: Unknown is 0, Critical 5, a word that is no level -1.
func (l Level) Rank() int {
	for i, m := range Levels() {
		if l == m {
			return i
		}
	}
	if l == "unknown" {
		return 0
	}
	return -1
}

// String names the level; Unknown is "unknown".
func (l Level) String() string {
	if l == Unknown {
		return "unknown"
	}
	return string(l)
}

// LevelOf reads a publisher's word: "Important", "moderate", "unimportant",
// "P2" are none of our levels but have one that the publisher's own
// documentation equates them with.
func LevelOf(word string) Level {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "critical", "emergency", "very high":
		return Critical
	case "high", "important", "severe", "serious", "urgent":
		return High
	case "medium", "moderate", "normal", "average":
		return Medium
	case "low", "minor":
		return Low
	case "negligible", "unimportant", "none", "informational", "info", "trivial":
		return Negligible
	}
	return Unknown
}

// LevelOfScore turns a CVSS base score into its qualitative rating. Version 2
// knows no critical and no none; from 3.0 on 0.0 is "none", which is
// Negligible here.
func LevelOfScore(kind string, score float64) Level {
	switch {
	case kind == "CVSS_V2" && score >= 7:
		return High
	case kind == "CVSS_V2" && score >= 4:
		return Medium
	case kind == "CVSS_V2":
		return Low
	case score >= 9:
		return Critical
	case score >= 7:
		return High
	case score >= 4:
		return Medium
	case score > 0:
		return Low
	}
	return Negligible
}
