package policy

import (
	"fmt"
	"sync"
	"testing"
)

// TestCache: equal bundles are compiled once, others apart, and no more are
// kept than is said.
func TestCache(t *testing.T) {
	c := Cache{Gates: testGates(), Max: 2}
	get := func(doc string) *Evaluator {
		t.Helper()
		e, err := c.Evaluator(mustDecode(t, doc), "")
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	stop, warn, third := bundleWith(fmt.Sprintf(ruleSay, "STOP"), ``, ``), bundleWith(fmt.Sprintf(ruleSay, "WARN"), ``, ``), bundleWith(``, ``, ``)
	first := get(stop)
	if get(stop) != first || get(" "+stop) != first {
		t.Error("an equal bundle is compiled again")
	}
	other := get(warn)
	if other == first {
		t.Error("another bundle has the same evaluator")
	}
	get(stop)
	get(third) // the second has not been used for longest
	if get(stop) != first {
		t.Error("what was used last is gone")
	}
	if get(warn) == other || len(c.byText) != 2 {
		t.Errorf("%d are kept", len(c.byText))
	}
	v, err := get(stop).Evaluate(t.Context(), testSubject("nginx"))
	if err != nil || v.Action != Stop || v.BundleDigest == "" {
		t.Errorf("%v %+v", err, v)
	}
	want := evaluate(t, stop, testSubject("nginx"))
	if v.BundleDigest != want.BundleDigest {
		t.Errorf("digest %s, want %s", v.BundleDigest, want.BundleDigest)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if e, err := c.Evaluator(mustDecode(t, stop), ""); err != nil || e == nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
