package policy

import (
	"fmt"
	"sync"
)

// Cache keeps evaluators, so that a bundle is compiled once however many
// images it judges. Equal bundles share one, whoever decoded them. A Cache may
// be used by several goroutines at once.
type Cache struct {
	Gates []Gate
	// Max is how many are kept; 0 means 64. The one not used for longest goes.
	Max int

	mu     sync.Mutex
	byText map[string]*cached // by digest
	clock  int64
}

type cached struct {
	e    *Evaluator
	used int64
}

// Evaluator returns the evaluator of a bundle. Digest is the bundle's, where
// it is known; "" has it computed.
func (c *Cache) Evaluator(b *Bundle, digest string) (*Evaluator, error) {
	if digest == "" {
		var err error
		if digest, err = Digest(b); err != nil {
			return nil, fmt.Errorf("digesting the bundle: %w", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	if k := c.byText[digest]; k != nil {
		k.used = c.clock
		return k.e, nil
	}
	limit := c.Max
	if limit <= 0 {
		limit = 64
	}
	for len(c.byText) >= limit {
		oldest := ""
		for d, k := range c.byText {
			if oldest == "" || k.used < c.byText[oldest].used {
				oldest = d
			}
		}
		delete(c.byText, oldest)
	}
	if c.byText == nil {
		c.byText = map[string]*cached{}
	}
	e := NewEvaluator(b, c.Gates)
	e.digest = func() (string, error) { return digest, nil }
	c.byText[digest] = &cached{e, c.clock}
	return e, nil
}
