package rpm

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

// TestMutations damages each form of database 200 times, by flipped bits, cut
// ends, and blocks moved over others: whatever is read of it, nothing panics,
// and there are not many more packages than before.
func TestMutations(t *testing.T) {
	for _, name := range fixtures {
		data := analyzetest.Gunzip(t, "testdata/"+name+".gz")
		whole := len(run(t, "var/lib/rpm/Packages", data, false).Packages)
		random := rand.New(rand.NewPCG(1, uint64(len(data))))
		said := 0
		for i := range 200 {
			b := slices.Clone(data)
			for range 1 + random.IntN(20) {
				switch random.IntN(4) {
				case 0, 1:
					b[random.IntN(len(b))] ^= 1 << random.IntN(8)
				case 2:
					n := min(len(b), 1+random.IntN(512))
					copy(b[random.IntN(len(b)-n+1):], b[random.IntN(len(b)-n+1):][:n])
				default:
					// the first pages say where everything is
					b[random.IntN(min(len(b), 4096))] = byte(random.IntN(256))
				}
			}
			if i%10 == 0 {
				b = b[:random.IntN(len(b))]
			}
			out := run(t, "var/lib/rpm/Packages", b, i%2 == 0)
			if len(out.Packages) > 2*whole {
				t.Errorf("%s, damage %d: %d packages, %d in the whole database", name, i, len(out.Packages), whole)
			}
			if len(out.Problems) > 0 {
				said++
			}
		}
		if said == 0 {
			t.Errorf("%s: no damage made a problem", name)
		}
	}
}
