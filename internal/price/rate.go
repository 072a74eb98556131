package price

import (
	"errors"
	"math"
	"math/bits"
	"strings"
)

// Rate is the price of a million tokens, in nano-USD.
type Rate int64

// none stands for a price that a table does not say.
const none Rate = -1

// The powers of ten by which a price in USD becomes a [Rate]: that of a million
// tokens, and that of one.
const (
	ofMillion = 9
	ofToken   = 9 + 6
)

const million = 1_000_000

var (
	errNumber   = errors.New("must be a decimal number")
	errNegative = errors.New("must not be negative")
	errTooLarge = errors.New("is more than any price")
)

// maxRate bounds a rate: a USD for each token.
const maxRate = Rate(nano * million)

const nano = 1_000_000_000

// parseRate reads a decimal number, such as 1.25 or 7.5e-08, and moves its point
// to the right. What is then left of a nano-USD for a million tokens is rounded
// to the nearest: lists that went through binary numbers hold 7.500000000000001e-08.
func parseRate(text string, shift int) (Rate, error) {
	if strings.HasPrefix(text, "-") {
		return none, errNegative
	}
	mantissa, power, _ := strings.Cut(strings.ToLower(text), "e")
	exponent, ok := exponentOf(power, mantissa != strings.ToLower(text))
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if !ok || whole == "" || strings.Trim(digits, "0123456789") != "" || len(digits) > 64 {
		return none, errNumber
	}
	point := len(whole) + exponent + shift // the point stands in front of this digit
	var rate Rate
	for i := range point {
		rate *= 10
		if i < len(digits) {
			rate += Rate(digits[i] - '0')
		}
		if rate > maxRate {
			return none, errTooLarge
		}
		if rate == 0 && i >= len(digits) {
			break // zero, with whatever power
		}
	}
	if point >= 0 && point < len(digits) && digits[point] >= '5' {
		rate++
	}
	return rate, nil
}

// exponentOf reads a power of ten, if there is one. One that is out of all bounds
// is brought within them: what it makes of a number is 0 or too large anyway.
func exponentOf(text string, there bool) (n int, ok bool) {
	if !there {
		return 0, true
	}
	sign := 1
	if strings.HasPrefix(text, "-") {
		sign = -1
	}
	text = strings.TrimLeft(text, "+-")
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	for _, c := range text {
		n = min(n*10+int(c-'0'), 1000)
	}
	return sign * n, true
}

// sum adds products of tokens and rates up, in 128 bits, so that it is rounded
// once.
type sum struct{ high, low uint64 }

func (s *sum) add(tokens int64, rate Rate) {
	high, low := bits.Mul64(uint64(max(tokens, 0)), uint64(max(rate, 0)))
	var carry uint64
	s.low, carry = bits.Add64(s.low, low, 0)
	s.high, carry = bits.Add64(s.high, high, carry)
	if carry > 0 {
		s.high = math.MaxUint64
	}
}

// nanoUSD is the sum for tokens of which rates price a million: rounded to the
// nearest, and at most what an int64 holds.
func (s *sum) nanoUSD() int64 {
	low, carry := bits.Add64(s.low, million/2, 0)
	high, over := bits.Add64(s.high, 0, carry)
	if over > 0 || high >= million {
		return math.MaxInt64
	}
	n, _ := bits.Div64(high, low, million)
	return int64(min(n, math.MaxInt64))
}
