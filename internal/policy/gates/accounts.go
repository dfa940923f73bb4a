package gates

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func accounts() policy.Gate {
	return newGate("accounts", "Accounts and groups: passwords, identities and the files that hold them",
		trigger{policy.TriggerSpec{Name: "weakness", Description: "Something is wrong with an account, a group, or the file that holds it", Params: []policy.ParamSpec{
			{Name: "kinds", Type: policy.List, Default: "empty-password,weak-hash,hash-in-passwd,uid-0,duplicate-uid,world-readable", Example: "empty-password,uid-0",
				Description: "What to look for: empty-password, weak-hash, hash-in-passwd, uid-0, duplicate-uid, duplicate-gid, duplicate-name, world-readable, bad-id, bad-line, compat-entry, gid-0-group, group-password"},
			{Name: "exclude_names", Type: policy.List, Example: "toor", Description: "Accounts and groups that do not count"},
			{Name: "backups", Type: policy.Bool, Default: "true", Example: "false", Description: "Also copies such as /etc/shadow-"},
		}}, accountWeakness},
	)
}

func accountWeakness(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if !s.Looked(policy.FactAccountFile) {
		return unknown("accounts were not looked at"), nil
	}
	facts, err := policy.Facts[policy.AccountFile](s, policy.FactAccountFile)
	if err != nil {
		return nil, err
	}
	kinds := wanted(p.List("kinds"))
	var out []policy.Hit
	for i := range facts {
		f := &facts[i]
		if f.Hidden || f.Fact.Backup && !p.Bool("backups") {
			continue
		}
		for _, w := range f.Fact.Findings {
			if !kinds[w.Kind] || slices.Contains(p.List("exclude_names"), w.Name) {
				continue
			}
			message := fmt.Sprintf("%s in %s", w.Kind, f.Path)
			if w.Name != "" {
				message += ": " + w.Name
			}
			if w.Other != "" {
				message += " (" + w.Other + ")"
			}
			out = append(out, policy.Hit{ID: w.Kind + "+" + w.Name + "+" + f.Path, Message: message, Evidence: policy.Evidence{Path: f.Path, Line: w.Line, Layer: s.LayerDigest(f.Layer)}})
		}
	}
	return out, nil
}
