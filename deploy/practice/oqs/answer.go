package oqs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"madoguchi.example/deploy/practice/coverage"
)

// japan is +09:00: every time in a document is Japan's.
var japan = time.FixedZone("JST", 9*60*60)

const stamp = "20060102150405"

// Segments of results.
const (
	done       = "1"
	inProgress = "2"
	abnormal   = "9"
)

// Reference classifications: asked by card, or by the numbers.
const (
	byCard    = "1"
	byNumbers = "2"
)

// heading is what every answer begins with.
type heading struct {
	day        string // YYYY-MM-DD, empty where the request named none
	identifier string
	segment    string
	refused    *refusal
	reference  string
	reception  string
	counts     *[3]int // of bulk results: all, good, with errors
}

func (t *Terminal) header(h heading, e Encoding) *node {
	code, message := "", ""
	if h.refused != nil {
		code, message = string(h.refused.Code), h.refused.message()
	}
	character := "0"
	if e.named() == ShiftJIS {
		character = "1"
	}
	n := branch("MessageHeader", given(
		[2]string{"ProcessExecutionTime", t.now().Format(stamp)},
		[2]string{"QualificationConfirmationDate", compact(h.day)},
		[2]string{"MedicalInstitutionCode", t.Institution},
		[2]string{"ArbitraryFileIdentifier", h.identifier},
		[2]string{"ReceptionNumber", h.reception},
		[2]string{"ReferenceClassification", h.reference},
		[2]string{"SegmentOfResult", h.segment},
		[2]string{"ErrorCode", code},
		[2]string{"ErrorMessage", message},
	)...)
	if h.counts != nil {
		for i, name := range []string{"NumberOfProcessingResult", "NumberOfNormalProcessing", "NumberOfError"} {
			n.kids = append(n.kids, leaf(name, strconv.Itoa(h.counts[i])))
		}
	}
	n.kids = append(n.kids, leaf("CharacterCodeIdentifier", character))
	return n
}

func compact(day string) string { return strings.ReplaceAll(day, "-", "") }

// found is one search with the register's word.
type found struct {
	search  *node
	day     string
	refused *refusal
	word    coverage.Word
	about   *coverage.Coverage
}

func (t *Terminal) find(asked *node, day string) found {
	f := found{search: asked, day: day, refused: check(asked, search)}
	if f.refused != nil {
		return f
	}
	f.word, f.about = t.Register.Find(coverage.Question{
		Insurer: asked.value("InsurerNumber"), Symbol: asked.value("InsuredCardSymbol"),
		Number: asked.value("InsuredIdentificationNumber"), Branch: asked.value("InsuredBranchNumber"),
		Birth: date(asked.value("Birthdate")), Day: day,
	})
	return f
}

// fields are what a single answer's body and a block of a bulk answer have in common.
func (f found) fields(b Behaviour) []*node {
	if f.refused != nil {
		return []*node{leaf("ProcessingResultStatus", "2"), leaf("ProcessingResultCode", string(f.refused.Code)), leaf("ProcessingResultMessage", f.refused.message())}
	}
	out := []*node{leaf("ProcessingResultStatus", "1")}
	if b.Remark != "" {
		out = append(out, leaf("ProcessingResultCode", "PRACTICE-R1"), leaf("ProcessingResultMessage", b.Remark))
	}
	return append(out, leaf("QualificationValidity", strconv.Itoa(int(f.word))))
}

func (f found) result(b Behaviour) *node {
	if f.about == nil {
		return nil
	}
	consent := f.search.value("LimitApplicationCertificateRelatedConsFlg")
	n := told(f.about, f.day, b.Rare)
	n.kids = append(n.kids, leaf("LimitApplicationCertificateRelatedConsFlg", consent))
	if consent == "1" && f.word == coverage.Valid {
		n.kids = append(n.kids, ceiling(f.about, f.day))
	}
	return n
}

// echo gives the search back as it came.
func (f found) echo() *node {
	return branch("QualificationConfirmSearchInfo", slices.Clone(f.search.kids)...)
}

// single answers OQSsiquc01req.
func (t *Terminal) single(r request, b Behaviour) *node {
	f := t.find(r.searches[0], r.day)
	body := branch("MessageBody", f.fields(b)...)
	if n := f.result(b); n != nil {
		body.kids = append(body.kids, branch("ResultList", n))
	}
	body.kids = append(body.kids, f.echo())
	return branch("XmlMsg", t.header(heading{day: r.day, identifier: r.identifier, segment: done, reference: byNumbers}, b.Encoding), body)
}

// reception answers OQSmuquc01req.
func (t *Terminal) reception(r request, number string, b Behaviour) *node {
	return branch("XmlMsg", t.header(heading{identifier: r.identifier}, b.Encoding), branch("MessageBody",
		leaf("ReceptionNumber", number), leaf("ReceptionDateTime", t.now().Format(stamp))))
}

// bulk answers OQSmuquc02req once the answers are ready.
func (t *Terminal) bulk(asked *reception, r request, b Behaviour) *node {
	counts := [3]int{len(asked.searches), 0, 0}
	body := branch("MessageBody")
	for _, s := range asked.searches {
		f := t.find(s, asked.day)
		if f.refused == nil {
			counts[1]++
		} else {
			counts[2]++
		}
		unit := branch("BulkConfirmUnit", append([]*node{f.echo()}, f.fields(b)...)...)
		if n := f.result(b); n != nil {
			unit.kids = append(unit.kids, n)
		}
		body.kids = append(body.kids, unit)
	}
	h := heading{day: asked.day, identifier: identifierOf(r, asked), segment: done, reception: asked.number, counts: &counts}
	return branch("XmlMsg", t.header(h, b.Encoding), body)
}

// identifierOf gives the identifier that the collecting request bears, else the first one's.
func identifierOf(r request, asked *reception) string {
	if r.identifier != "" {
		return r.identifier
	}
	return asked.identifier
}

// ended is an answer without a body's word: in progress, or abnormal.
func (t *Terminal) ended(h heading, e Encoding) *node {
	return branch("XmlMsg", t.header(h, e), branch("MessageBody"))
}

// told writes ResultOfQualificationConfirmation.
func told(c *coverage.Coverage, day string, hide bool) *node {
	p := c.Holder()
	name, address := p.FamilyKanji+"　"+p.GivenKanji, p.Address
	if hide {
		name, address = rare(name), rare(address)
	}
	family := "2"
	if c.Insured {
		family = "1"
	}
	insured := ""
	if c.Insured {
		insured = name
	}
	preschool := ""
	if age(p.Birth, day) < 7 && day <= preschoolEnd(p.Birth) {
		preschool = "1"
	}
	n := branch("ResultOfQualificationConfirmation", given(
		[2]string{"InsuredCardClassification", "01"},
		[2]string{"InsurerNumber", fmt.Sprintf("%8s", c.Insurer)},
		[2]string{"InsuredCardSymbol", c.Symbol},
		[2]string{"InsuredIdentificationNumber", c.Number},
		[2]string{"InsuredBranchNumber", c.Branch},
		[2]string{"PersonalFamilyClassification", family},
		[2]string{"InsuredName", insured},
		[2]string{"Name", name},
		[2]string{"NameKana", halfKana(p.FamilyKana + " " + p.GivenKana)},
		[2]string{"Sex1", map[string]string{"1": "1", "2": "2"}[p.Sex]},
		[2]string{"Birthdate", compact(p.Birth)},
		[2]string{"Address", address},
		[2]string{"PostNumber", p.Postal},
		[2]string{"InsuredCertificateIssuanceDate", compact(c.From)},
		[2]string{"InsuredCardValidDate", compact(c.From)},
		[2]string{"InsuredCardExpirationDate", compact(c.To)},
		[2]string{"QualificationDate", compact(c.From)},
		[2]string{"DisqualificationDate", compact(dayAfter(c.To))},
		[2]string{"InsuredPartialContributionRatio", fmt.Sprintf("%03d", c.Percent)},
		[2]string{"PreschoolClassification", preschool},
		[2]string{"ReasonOfLoss", lossOf(c, day)},
		[2]string{"InsurerName", c.InsurerName},
	)...)
	if a := age(p.Birth, day); a >= 70 && a < 75 {
		n.kids = append(n.kids, branch("ElderlyRecipientCertificateInfo", given(
			[2]string{"ElderlyRecipientCertificateDate", compact(c.From)},
			[2]string{"ElderlyRecipientValidStartDate", compact(c.From)},
			[2]string{"ElderlyRecipientValidEndDate", compact(c.To)},
			[2]string{"ElderlyRecipientContributionRatio", fmt.Sprintf("%03d", c.Percent)},
		)...))
	}
	return n
}

func ceiling(c *coverage.Coverage, day string) *node {
	return branch("LimitApplicationCertificateRelatedInfo", given(
		[2]string{"LimitApplicationCertificateClassification", "01"},
		[2]string{"LimitApplicationCertificateClassificationFlag", "A03"},
		[2]string{"LimitApplicationCertificateDate", compact(c.From)},
		[2]string{"LimitApplicationCertificateValidStartDate", compact(c.From)},
		[2]string{"LimitApplicationCertificateValidEndDate", compact(c.To)},
	)...)
}

// lossOf names the reason of a loss that the day shows: another insurer's coverage.
func lossOf(c *coverage.Coverage, day string) string {
	if c.To == "" || day <= c.To {
		return ""
	}
	return "03"
}

// halfKana writes kana as the system does: half-width, voiced marks apart.
func halfKana(s string) string { return width.Narrow.String(norm.NFD.String(s)) }

func dayAfter(day string) string {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return ""
	}
	return at.AddDate(0, 0, 1).Format(time.DateOnly)
}

// age on the day, by the calendar. Both are YYYY-MM-DD.
func age(birth, day string) int {
	b, err := time.Parse(time.DateOnly, birth)
	d, err2 := time.Parse(time.DateOnly, day)
	if err != nil || err2 != nil {
		return 0
	}
	years := d.Year() - b.Year()
	if day[5:] < birth[5:] {
		years--
	}
	return years
}

// preschoolEnd is the 31 March after the sixth birthday.
func preschoolEnd(birth string) string {
	b, err := time.Parse(time.DateOnly, birth)
	if err != nil {
		return ""
	}
	six := b.AddDate(6, 0, 0)
	year := six.Year()
	if six.Month() > time.March {
		year++
	}
	return fmt.Sprintf("%04d-03-31", year)
}
