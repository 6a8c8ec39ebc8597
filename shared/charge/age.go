package charge

import (
	"time"

	"madoguchi.example/shared/civil"
)

// Band is a group of ages for which the law has its own share.
type Band string

// The bands.
const (
	Preschool   Band = "preschool"  // 未就学児: until 31 March after the sixth birthday
	School      Band = "school"     // from then until 70
	From70      Band = "from_70"    // 70 to 74: from the month after the 70th birthday
	LateStage   Band = "late_stage" // 後期高齢者: from the 75th birthday on
	unborn      Band = ""           //
	schoolAge        = 6            //
	elderlyAge       = 70           //
	lateAge          = 75           //
	schoolMonth      = time.April   //
)

// BandOn gives the band of a person born on birth on the day of a visit; "" where the visit
// lies before the birth.
//
// An age is reached at the end of the day before the birthday (年齢計算ニ関する法律): a child
// born on 1 April has reached six on 31 March and starts school on the next day, a year
// before one born on 2 April. 高齢受給者 counts from the month after the one in which 70 is
// reached; who was born on the first of a month has reached it in the month before, so it
// begins in the month of the birthday. 後期高齢者 begins on the 75th birthday itself.
func BandOn(birth, visit civil.Date) Band {
	switch {
	case birth.IsZero() || visit.Before(birth):
		return unborn
	case !visit.Before(anniversary(birth, lateAge)):
		return LateStage
	case !visit.Before(elderlyFrom(birth)):
		return From70
	case !visit.Before(schoolFrom(birth)):
		return School
	}
	return Preschool
}

// anniversary gives the birthday of that age; who was born on 29 February has it on 1 March
// in a common year, since the day before it is the last of February.
func anniversary(birth civil.Date, age int) civil.Date {
	return civil.Of(civil.Date{Year: birth.Year + age, Month: birth.Month, Day: birth.Day}.Midnight())
}

// reached is the day at whose end the age is reached.
func reached(birth civil.Date, age int) civil.Date { return anniversary(birth, age).AddDays(-1) }

// elderlyFrom is the first of the month after the one in which 70 is reached.
func elderlyFrom(birth civil.Date) civil.Date {
	r := reached(birth, elderlyAge)
	return civil.Of(civil.Date{Year: r.Year, Month: r.Month + 1, Day: 1}.Midnight())
}

// schoolFrom is the first 1 April after the day on which six is reached.
func schoolFrom(birth civil.Date) civil.Date {
	r := reached(birth, schoolAge)
	from := civil.Date{Year: r.Year, Month: schoolMonth, Day: 1}
	if !r.Before(from) {
		from.Year++
	}
	return from
}
