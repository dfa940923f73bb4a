package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// BenchmarkIncrement takes an update of a feed of 20,000 records in which 100
// changed.
func BenchmarkIncrement(b *testing.B) {
	db, err := OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "t.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const records = 20_000
	round := 0
	take := func(from, to int, whole bool) {
		u := &feed.Update{Whole: whole, Items: func(yield func(feed.Item, error) bool) {
			for i := from; i < to; i++ {
				fixed := "1.0"
				if i < 100 {
					fixed = fmt.Sprintf("%d.0", round)
				}
				a := curl(fmt.Sprintf("CVE-2026-%05d", i), fixed)
				if !yield(feed.Item{Advisory: &a}, nil) {
					return
				}
			}
		}}
		if _, err := db.ApplyFeed(b.Context(), "test", u, Guard{}, when.Add(time.Duration(round)*time.Hour)); err != nil {
			b.Fatal(err)
		}
		round++
	}
	take(0, records, true)
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			take(0, records, true)
		}
	})
	b.Run("changes", func(b *testing.B) {
		for b.Loop() {
			take(0, 100, false)
		}
	})
}
