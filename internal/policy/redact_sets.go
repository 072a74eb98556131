package policy

import (
	"math/big"
	"net/netip"
	"regexp"
	"strings"
)

// set is what a rule finds by name.
type set struct {
	pattern *regexp.Regexp
	holds   func(found string) bool // nil: whatever the pattern finds
}

// sets are the kinds of things that are known by name.
var sets = map[string]set{
	"email": {regexp.MustCompile(`\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}\b`), nil},
	"phone": {regexp.MustCompile(`(?:\+|\b00)[1-9][0-9]{0,2}(?:[ .()/-]{0,2}[0-9]){6,14}\b|\(?\b[2-9][0-9]{2}\)?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}\b`), nil},
	"credit_card": {
		regexp.MustCompile(`\b[0-9](?:[ -]?[0-9]){12,18}\b`), luhn,
	},
	"iban": {
		regexp.MustCompile(`\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b`), mod97,
	},
	"us_ssn": {regexp.MustCompile(`\b(?:00[1-9]|0[1-9][0-9]|[1-57-8][0-9]{2}|6(?:[0-57-9][0-9]|6[0-57-9]))-[0-9]{2}-[0-9]{4}\b`), nil},
	"ip": {
		regexp.MustCompile(`\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b|\b(?:[0-9A-Fa-f]{1,4}:){1,7}(?::?[0-9A-Fa-f]{1,4}){1,7}\b`), address,
	},
	"api_key": {regexp.MustCompile(`\b(?:sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}|` +
		`xox[abeprs]-[A-Za-z0-9-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|` +
		`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|(?i:bearer) +[A-Za-z0-9._~+/-]{16,}=*)`), nil},
	// One whose end is missing goes on to the end of the text.
	"private_key": {regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)`), nil},
}

// luhn reports whether the check digit of a card's number is right.
func luhn(found string) bool {
	sum, n := 0, 0
	for i := len(found) - 1; i >= 0; i-- {
		if found[i] < '0' || found[i] > '9' {
			continue
		}
		digit := int(found[i] - '0')
		if n++; n%2 == 0 {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
	}
	return n >= 13 && sum > 0 && sum%10 == 0
}

// mod97 reports whether the check digits of an IBAN are right (ISO 13616).
func mod97(found string) bool {
	plain := strings.ReplaceAll(found, " ", "")
	if len(plain) < 15 || len(plain) > 34 {
		return false
	}
	var digits strings.Builder
	for _, r := range plain[4:] + plain[:4] {
		if r >= 'A' {
			r -= 'A' - 10
			digits.WriteByte(byte('0' + r/10))
			digits.WriteByte(byte('0' + r%10))
			continue
		}
		digits.WriteRune(r)
	}
	n, ok := new(big.Int).SetString(digits.String(), 10)
	return ok && n.Mod(n, big.NewInt(97)).Int64() == 1
}

func address(found string) bool {
	_, err := netip.ParseAddr(found)
	return err == nil
}
