package gates

import (
	"context"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func always() policy.Gate {
	return newGate("always", "Fires on every image; for tests of policies, and for images that must never pass",
		trigger{policy.TriggerSpec{Name: "always", Description: "Fires on every image"},
			func(context.Context, *policy.Subject, policy.Params) ([]policy.Hit, error) {
				return []policy.Hit{{ID: "always", Message: "Unconditional trigger match"}}, nil
			}})
}
