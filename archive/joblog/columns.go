package joblog

import (
	"iter"
	"math/bits"
)

// columns is a set of columns of a row. What is done with it takes time by the row's words of
// 64 columns, and not by its columns: hostile text goes to a new row with each character.
type columns [maxColumns / 64]uint64

// set adds the columns from one up to another, which is not added.
func (c *columns) set(from, to int) {
	for from < to {
		word, mask, next := wordOf(from, to)
		c[word] |= mask
		from = next
	}
}

// clear removes the columns from one up to another.
func (c *columns) clear(from, to int) {
	for from < to {
		word, mask, next := wordOf(from, to)
		c[word] &^= mask
		from = next
	}
}

// wordOf is which columns from one up to another are in one word, and where the next begins.
func wordOf(from, to int) (word int, mask uint64, next int) {
	word = from / 64
	next = min(to, (word+1)*64)
	return word, ^uint64(0) >> (64 - (next - from)) << (from % 64), next
}

// all are the columns, from the left.
func (c *columns) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range c {
			for ; word != 0; word &= word - 1 {
				if !yield(i*64 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}
