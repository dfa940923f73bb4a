package query

import (
	"fmt"
)

func verdictQueries() []Query {
	params := []Param{{Name: "action", Help: "stop, warn or go, or all (the default)", Repeated: true}}
	return []Query{
		needing(onImage("has-gateaction", "rows of the verdict with an action", params,
			[]string{"Gate", "Trigger", "Action", "Message"}, func(s *Subject, words []string, t *Table) error {
				if s.Verdict == nil {
					return fmt.Errorf("%s was not judged", s.Name)
				}
				for i := range s.Verdict.Rows {
					if r := &s.Verdict.Rows[i]; selectsFold(words, string(r.Action)) {
						t.add(r.Gate, r.Trigger, string(r.Action), r.Message)
					}
				}
				return nil
			}), Needs{Facts: true, Findings: true, Verdict: true}),
		needing(onImage("has-final-gateaction", "the image, if the verdict has an action", params,
			[]string{"Action", "Reason"}, func(s *Subject, words []string, t *Table) error {
				if s.Verdict == nil {
					return fmt.Errorf("%s was not judged", s.Name)
				}
				if selectsFold(words, string(s.Verdict.Action)) {
					t.add(string(s.Verdict.Action), string(s.Verdict.Reason))
					if n := len(s.Verdict.Unknowns); n > 0 {
						t.warn("%s: %d questions of the policy could not be answered", s.Name, n)
					}
				}
				return nil
			}), Needs{Facts: true, Findings: true, Verdict: true}),
	}
}
