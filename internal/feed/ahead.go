package feed

import "iter"

// Ahead makes a sequence work while its consumer does: seq runs in a goroutine
// of its own, at most n items ahead. When the consumer stops, seq is stopped at
// its next item and waited for; so everything seq does has happened when the
// range over Ahead ends.
func Ahead(seq iter.Seq2[Item, error], n int) iter.Seq2[Item, error] {
	type pair struct {
		item Item
		err  error
	}
	return func(yield func(Item, error) bool) {
		items, enough := make(chan pair, n), make(chan bool)
		go func() {
			defer close(items)
			for it, err := range seq {
				select {
				case items <- pair{it, err}:
				case <-enough:
					return
				}
			}
		}()
		defer func() {
			close(enough)
			for range items {
			}
		}()
		for p := range items {
			if !yield(p.item, p.err) {
				return
			}
		}
	}
}
