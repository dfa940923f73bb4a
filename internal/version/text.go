package version

import (
	"cmp"
	"strings"
)

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isAlnum(c byte) bool { return isDigit(c) || isAlpha(c) }

// digits returns the end of the run of digits in s that starts at i.
func digits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// letters returns the end of the run of ASCII letters in s that starts at i.
func letters(s string, i int) int {
	for i < len(s) && isAlpha(s[i]) {
		i++
	}
	return i
}

// allDigits tells whether s is one or more digits.
func allDigits(s string) bool { return s != "" && digits(s, 0) == len(s) }

// only tells whether every byte of s is a letter, a digit or one of extra.
func only(s, extra string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte(extra, s[i]) < 0 {
			return false
		}
	}
	return true
}

// trimZeros drops leading zeros, so that "" stands for zero and two numbers of
// any length compare by length first.
func trimZeros(s string) string {
	i := 0
	for i < len(s) && s[i] == '0' {
		i++
	}
	return s[i:]
}

// compareNumbers compares two runs of digits by value; "" is zero.
func compareNumbers(a, b string) int {
	return compareTrimmed(trimZeros(a), trimZeros(b))
}

// compareTrimmed is compareNumbers for numbers without leading zeros.
func compareTrimmed(a, b string) int {
	if len(a) != len(b) {
		return cmp.Compare(len(a), len(b))
	}
	return strings.Compare(a, b)
}

// decimal writes a number that went through trimZeros.
func decimal(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// increment adds one to a number without leading zeros.
func increment(s string) string {
	b := []byte(s)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != '9' {
			b[i]++
			return string(b)
		}
		b[i] = '0'
	}
	return "1" + string(b)
}
