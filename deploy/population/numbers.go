package population

import (
	"fmt"
	"strconv"
)

// withInsuranceCheck appends the check digit of insurer, institution and late-stage
// elderly numbers (保発45号・庁保発34号, 1976): from the last digit leftwards times 2, 1,
// 2, 1 …, the digits of the products added, ten minus the last digit of the sum.
func withInsuranceCheck(payload string) string {
	sum := 0
	for i := range len(payload) {
		n := int(payload[len(payload)-1-i] - '0')
		if i%2 == 0 {
			n *= 2
		}
		sum += n/10 + n%10
	}
	return payload + strconv.Itoa((10-sum%10)%10)
}

// withMunicipalityCheck appends the check digit of 全国地方公共団体コード: weights 6, 5,
// 4, 3, 2, the last digit of eleven minus the sum modulo eleven.
func withMunicipalityCheck(payload string) string {
	sum := 0
	for i := range len(payload) {
		sum += int(payload[i]-'0') * (6 - i)
	}
	return payload + strconv.Itoa((11-sum%11)%10)
}

// numbered gives prefix and n with leading zeros.
func numbered(prefix string, width, n int) string { return fmt.Sprintf("%s%0*d", prefix, width, n) }
