package insurance_test

import (
	"fmt"
	"slices"
	"testing"

	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/jptext"
)

// luhn is the same rule said otherwise: with the check digit the whole is a multiple of ten
// where every second digit from the right is doubled and nine taken off above nine.
func luhn(s string) bool {
	sum := 0
	for i := range s {
		n := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// myNumber is 総務省令85号 第5条 with its weights written out.
func myNumber(s string) bool {
	sum := 0
	for i, w := range []int{6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2} {
		sum += w * int(s[i]-'0')
	}
	digit := 0
	if sum%11 > 1 {
		digit = 11 - sum%11
	}
	return int(s[11]-'0') == digit
}

func TestCheckDigitsAgainstAnotherWriting(t *testing.T) {
	n := 0
	for i := uint64(1); i < 200_000; i++ {
		whole := fmt.Sprintf("%012d", i*0x9E3779B97F4A7C15%1_000_000_000_000) // spread over all twelve digits
		for _, size := range []int{6, 7, 8, 10} {
			if s := whole[:size]; insurance.CheckDigitHolds(s) != luhn(s) {
				t.Fatalf("%d digits: %v", size, luhn(s))
			}
		}
		if jptext.LooksLikeMyNumber(whole) != myNumber(whole) {
			t.Fatalf("a number of twelve digits is taken otherwise: %v", myNumber(whole))
		}
		if s := whole[:8]; s[:2] != "00" { // of an insurer: the digit is a doubt, never a refusal
			number, doubts, err := insurance.ParseInsurerNumber(s)
			if err != nil || string(number) != s || slices.Contains(doubts, insurance.DoubtCheckDigit) == luhn(s) {
				t.Fatalf("an insurer's: %v %v", doubts, err)
			}
		}
		n++
	}
	t.Logf("%d numbers", n)
}
