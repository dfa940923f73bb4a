package feed

import (
	"errors"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

func TestAhead(t *testing.T) {
	ended := false
	seq := func(yield func(Item, error) bool) {
		defer func() { ended = true }()
		for i := range 1000 {
			it, err := Item{Advisory: &advisory.Advisory{ID: string(rune('a' + i%26))}}, error(nil)
			if i%10 == 9 {
				it, err = Item{}, &BadRecord{"x", errors.New("bad")}
			}
			if !yield(it, err) {
				return
			}
		}
	}
	n, bad := 0, 0
	for it, err := range Ahead(seq, 4) {
		if err != nil {
			bad++
		} else if want := string(rune('a' + n%26)); it.Advisory.ID != want {
			t.Fatalf("item %d is %s, want %s", n, it.Advisory.ID, want)
		}
		n++
	}
	if n != 1000 || bad != 100 || !ended {
		t.Errorf("%d items, %d bad, ended %v", n, bad, ended)
	}
	ended = false
	for range Ahead(seq, 4) {
		break
	}
	if !ended {
		t.Error("the sequence still runs after its consumer stopped")
	}
}
