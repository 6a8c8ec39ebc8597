package tour

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/practice/oqs"
	"madoguchi.example/deploy/stage"
)

// Terminals are those that the journeys are walked on.
type Terminals struct {
	Clinic  *stage.Terminal // asks the practice 資格確認端末 beside it; has a desk for practising
	Insurer *stage.Terminal // an insurer's counter: asks the payer behind the backend, sealed
	Shelter *stage.Terminal // asks nobody for insurance
}

// Furnish enrols and starts the terminals. The addresses are of the clinic's desk and of the
// one for practising; free ports when empty.
func Furnish(ctx context.Context, s *stage.Stage, desk, practice string) (t Terminals, err error) {
	if practice == "" {
		practice = "127.0.0.1:0"
	}
	for _, one := range []struct {
		into   **stage.Terminal
		office string
		with   stage.Equipment
	}{
		{&t.Clinic, population.OfficeMinatoClinic, stage.Equipment{DeskAddress: desk, PracticeAddress: practice, Folder: true}},
		{&t.Insurer, population.OfficeMinatoInsurer, stage.Equipment{}},
		{&t.Shelter, population.OfficeMinatoShelter, stage.Equipment{}},
	} {
		if *one.into, err = s.Enrol(ctx, one.office, one.with); err != nil {
			return t, err
		}
		if err := (*one.into).Start(ctx); err != nil {
			return t, err
		}
	}
	return t, nil
}

// clinicSteps are journey 2 where a 資格確認端末 stands beside the desk.
func (w *insuranceWalk) clinicSteps() []step {
	return []step{
		{"at a clinic its own 資格確認端末 answers, for the day of the visit", w.folderAnswers},
		{"it does so while the line to the backend is cut", w.folderWithoutLine},
		{"one that says 処理中 is waited for", w.inProgress},
		{"one that says nothing is late and never invalid, and is asked again", w.silent},
		{"without its folder a check is recorded as 未確認, and answered when it is back", w.withoutFolder},
		{"madoguchi-agent doctor names the folder that is missing", w.doctorNamesFolder},
		{"a result of the face reader goes to the row of that patient", w.faceResult},
		{"a wrong number is corrected: a record in the place of the other", w.amend},
		{"a record of the wrong patient is taken back, and stays to be seen", w.void},
		{"the backend knows both as taken back", w.takenBack},
		{"tomorrow's patients are asked for together", w.booked},
		{"the next day, without the folder, the last known word is shown as such", w.lastKnown},
		{"a shelter's terminal asks for no insurance", w.shelterRefuses},
		{"what is practised reaches neither the queue nor the 資格確認端末", w.practised},
	}
}

// asked tells whether the practice 資格確認端末 got the record's question.
func (w *insuranceWalk) asked(ctx context.Context, id string) error {
	s, err := w.Stage.Folder(ctx)
	if err != nil {
		return err
	}
	return want(slices.Contains(s.Identifiers, id), "the 資格確認端末 was not asked")
}

// here records at the clinic and gives the record's id.
func (w *insuranceWalk) here(ctx context.Context, fields url.Values) (string, error) {
	return recordAt(ctx, w.clinic, fields)
}

func (w *insuranceWalk) folderAnswers(ctx context.Context) error {
	insured, changed := w.Stage.Cast.Insured, w.Stage.Cast.Changed
	past := numbers(changed)
	past.Set("visit_day", changed.ValidTo)
	for _, one := range []struct {
		fields url.Values
		word   string
	}{{numbers(insured), insured.Expect}, {numbers(changed), changed.Expect}, {past, "valid"}} {
		id, err := w.here(ctx, one.fields)
		if err != nil {
			return err
		}
		if err := errors.Join(w.clinic.waitDisplay(ctx, id, one.word), w.asked(ctx, id)); err != nil {
			return err
		}
	}
	return nil
}

func (w *insuranceWalk) folderWithoutLine(ctx context.Context) error {
	w.Stage.Line.Cut()
	if err := w.clinic.waitLine(ctx, false); err != nil {
		return err
	}
	id, err := w.here(ctx, numbers(w.Stage.Cast.Aged))
	if err != nil {
		return err
	}
	if err := w.clinic.waitDisplay(ctx, id, w.Stage.Cast.Aged.Expect); err != nil {
		return err
	}
	if err := w.Stage.Line.Restore(); err != nil {
		return err
	}
	return w.clinic.waitSent(ctx)
}

func (w *insuranceWalk) inProgress(ctx context.Context) error {
	if err := w.Stage.Behave(ctx, oqs.Behaviour{InProgress: 1, Times: 1}); err != nil {
		return err
	}
	before, err := w.Stage.Folder(ctx)
	if err != nil {
		return err
	}
	id, err := w.here(ctx, numbers(w.Stage.Cast.Insured))
	if err != nil {
		return err
	}
	if err := w.clinic.waitDisplay(ctx, id, w.Stage.Cast.Insured.Expect); err != nil {
		return err
	}
	after, err := w.Stage.Folder(ctx)
	if err != nil {
		return err
	}
	return want(after.Requests == before.Requests+1 && after.Answers == before.Answers+2, "it was asked %d times and wrote %d answers",
		after.Requests-before.Requests, after.Answers-before.Answers)
}

// out records while the 資格確認端末 is silent, and waits until it was asked.
func (w *insuranceWalk) out(ctx context.Context, fields url.Values) (string, error) {
	if err := w.Stage.Behave(ctx, oqs.Behaviour{Silent: true}); err != nil {
		return "", err
	}
	id, err := w.here(ctx, fields)
	if err != nil {
		return "", err
	}
	return id, until(ctx, func() (bool, string, error) {
		err := w.asked(ctx, id)
		return err == nil, fmt.Sprint(err), nil
	})
}

func (w *insuranceWalk) silent(ctx context.Context) error {
	id, err := w.out(ctx, numbers(w.Stage.Cast.Insured))
	if err != nil {
		return err
	}
	if err := w.Stage.Clock.Advance(11 * time.Second); err != nil {
		return err
	}
	if err := w.clinic.waitDisplay(ctx, id, "late"); err != nil {
		return err
	}
	_, column, err := w.clinic.Display(ctx, id)
	if err != nil {
		return err
	}
	if words := column.text(); saysInvalid(words) {
		return fmt.Errorf("the desk showed: %s", words)
	}
	if err := errors.Join(w.Stage.Behave(ctx, oqs.Behaviour{}), w.Stage.Clock.Advance(time.Minute)); err != nil {
		return err
	}
	return w.clinic.waitDisplay(ctx, id, w.Stage.Cast.Insured.Expect)
}

// apart takes the exchange's folder away while do runs.
func (w *insuranceWalk) apart(do func() error) error {
	dir := w.Stage.FolderDir()
	if err := os.Rename(dir, dir+".away"); err != nil {
		return fmt.Errorf("cannot take the folder away: %w", err)
	}
	err := do()
	if back := os.Rename(dir+".away", dir); back != nil {
		return errors.Join(err, fmt.Errorf("cannot put the folder back: %w", back))
	}
	return err
}

// unconfirmed records while the folder is away and gives the id and what the desk shows.
func (w *insuranceWalk) unconfirmed(ctx context.Context, fields url.Values) (id string, column element, err error) {
	err = until(ctx, func() (bool, string, error) {
		bar, err := w.clinic.get(ctx, "/parts/bar")
		return err == nil && strings.Contains(bar.text(), "フォルダーを使えません"), short(bar), err
	})
	if err != nil {
		return "", column, err
	}
	if id, err = w.here(ctx, fields); err != nil {
		return "", column, err
	}
	word, column, err := w.clinic.Display(ctx, id)
	if err == nil {
		err = want(word == "offline" && strings.Contains(column.text(), "未確認") && !saysInvalid(withoutKnown(column)), "the desk shows %s: %s", word, column.text())
	}
	return id, column, err
}

// saysInvalid finds the words that only an answer may bring.
func saysInvalid(words string) bool {
	return strings.Contains(words, "無効") || strings.Contains(words, "該当資格なし")
}

// withoutKnown gives the words of a result without those of an earlier day.
func withoutKnown(column element) string {
	words := column.text()
	if known, ok := column.byID("known"); ok {
		words = strings.ReplaceAll(words, known.text(), "")
	}
	return words
}

func (w *insuranceWalk) withoutFolder(ctx context.Context) error {
	id := ""
	err := w.apart(func() (err error) {
		id, _, err = w.unconfirmed(ctx, numbers(w.Stage.Cast.Insured))
		return err
	})
	if err != nil {
		return err
	}
	return w.clinic.waitDisplay(ctx, id, w.Stage.Cast.Insured.Expect)
}

func (w *insuranceWalk) doctorNamesFolder(ctx context.Context) error {
	look := func() (fault, mend string, code int, err error) {
		out, code, err := w.Clinic.Try(ctx, "doctor", "--json")
		if err != nil {
			return "", "", code, err
		}
		var findings []struct {
			Part, Fault string
			Mend        map[string]string
		}
		if err := json.Unmarshal(out, &findings); err != nil {
			return "", "", code, fmt.Errorf("cannot read what the doctor says: %w", err)
		}
		for _, f := range findings {
			if f.Part == "folder" {
				return f.Fault, f.Mend["ja"], code, nil
			}
		}
		return "", "", code, errors.New("the doctor did not look at the folder")
	}
	err := w.apart(func() error {
		fault, mend, code, err := look()
		if err != nil {
			return err
		}
		return want(fault == "no_folder" && mend != "" && code >= 10, "the doctor says %q, %q, status %d", fault, mend, code)
	})
	if err != nil {
		return err
	}
	fault, _, _, err := look()
	if err != nil {
		return err
	}
	return want(fault == "", "with the folder back the doctor says %q", fault)
}

func (w *insuranceWalk) faceResult(ctx context.Context) error {
	aged := w.Stage.Cast.Aged
	id, err := w.out(ctx, numbers(aged))
	if err != nil {
		return err
	}
	if err := w.Stage.Behave(ctx, oqs.Behaviour{}); err != nil {
		return err
	}
	if err := w.Stage.Face(ctx, oqs.Card{Resident: aged.ResidentRef, Municipality: aged.MunicipalityCode}); err != nil {
		return err
	}
	return w.clinic.waitDisplay(ctx, id, aged.Expect)
}

func (w *insuranceWalk) amend(ctx context.Context) error {
	card := w.Stage.Cast.Insured
	wrong := numbers(card)
	wrong.Set("number", card.Number+"9")
	id, err := w.here(ctx, wrong)
	if err != nil {
		return err
	}
	if err := w.clinic.waitDisplay(ctx, id, "none_found"); err != nil {
		return err
	}
	form, err := w.clinic.get(ctx, "/cases/"+id+"/amend")
	if err != nil {
		return err
	}
	r, err := w.clinic.recordOn(ctx, form, url.Values{"number": {card.Number}, "reason": {"typo"}})
	if err != nil {
		return err
	}
	if r.Status != http.StatusCreated || r.ID == "" || r.ID == id {
		return fmt.Errorf("the desk answered %d: %s", r.Status, notes(r.page))
	}
	return errors.Join(w.clinic.waitDisplay(ctx, r.ID, card.Expect), w.clinic.waitDisplay(ctx, id, "voided"))
}

func (w *insuranceWalk) void(ctx context.Context) error {
	id, err := w.here(ctx, numbers(w.Stage.Cast.Insured))
	if err != nil {
		return err
	}
	if err := w.clinic.waitDisplay(ctx, id, w.Stage.Cast.Insured.Expect); err != nil {
		return err
	}
	p, err := w.clinic.post(ctx, "/cases/"+id+"/void", url.Values{"reason": {"wrong_patient"}})
	if err != nil {
		return err
	}
	if p.status != http.StatusOK {
		return fmt.Errorf("the desk answered %d", p.status)
	}
	if err := w.clinic.waitDisplay(ctx, id, "voided"); err != nil {
		return err
	}
	state, _, err := w.clinic.Row(ctx, id)
	if err != nil {
		return err
	}
	return want(state == "voided", "the row is %s", state)
}

func (w *insuranceWalk) takenBack(ctx context.Context) error {
	if err := w.clinic.waitSent(ctx); err != nil {
		return err
	}
	manager, err := w.Console(ctx, population.SubMinatoManager)
	if err != nil {
		return err
	}
	return until(ctx, func() (bool, string, error) {
		e, err := manager.open(ctx, "/office/terminals")
		if err != nil {
			return false, "", err
		}
		for _, row := range e.all(func(x element) bool { return x.Data == "tr" }) {
			cells := row.all(func(x element) bool { return x.Data == "td" && x.attr("class") == "n" })
			if len(cells) == 3 && strings.Contains(row.text(), "医療機関") {
				n, _ := strconv.Atoi(cells[2].text())
				return n >= 2, row.text(), nil
			}
		}
		return false, short(e), nil
	})
}

// booking is a list with one patient of tomorrow.
func (w *insuranceWalk) booking(card population.Card) ([]byte, error) {
	var out bytes.Buffer
	rows := csv.NewWriter(&out)
	tomorrow := w.Stage.Clock.Now().In(population.Japan).AddDate(0, 0, 1).Format(time.DateOnly)
	err := rows.WriteAll([][]string{
		{"time", "patient", "kana", "birth_date", "insurer_number", "symbol", "number", "branch", "visit_day"},
		{"09:00", "1", card.NameKana, card.BirthDate, card.InsurerNumber, card.Symbol, card.Number, card.Branch, tomorrow},
	})
	return out.Bytes(), err
}

func (w *insuranceWalk) booked(ctx context.Context) error {
	list, err := w.booking(w.Stage.Cast.Insured)
	if err != nil {
		return err
	}
	before, err := w.Stage.Folder(ctx)
	if err != nil {
		return err
	}
	p, err := w.clinic.upload(ctx, "/bookings", "bookings.csv", list)
	if err != nil {
		return err
	}
	if p.status != http.StatusOK {
		e, err := parse(p.text)
		return errors.Join(fmt.Errorf("the list was answered with %d: %s", p.status, notes(e)), err)
	}
	if p, err = w.clinic.post(ctx, "/bookings/check", nil); err != nil || p.status != http.StatusOK {
		return errors.Join(fmt.Errorf("asking was answered with %d", p.status), err)
	}
	// The first time that the answers are asked for they are not ready; a minute later they are.
	if err := until(ctx, func() (bool, string, error) {
		s, err := w.Stage.Folder(ctx)
		return s.Requests >= before.Requests+2, fmt.Sprintf("%+v", s), err
	}); err != nil {
		return err
	}
	if err := w.Stage.Clock.Advance(61 * time.Second); err != nil {
		return err
	}
	return until(ctx, func() (bool, string, error) {
		e, err := w.clinic.get(ctx, "/?tab=bookings")
		if err != nil {
			return false, "", err
		}
		rows := e.all(func(x element) bool { return x.Data == "li" && strings.HasPrefix(x.attr("class"), "row answered") })
		act, _ := e.byID("act")
		return len(rows) == 1 && strings.Contains(rows[0].text(), "有効"), short(act), nil
	})
}

func (w *insuranceWalk) lastKnown(ctx context.Context) error {
	if err := w.Stage.Clock.Advance(24 * time.Hour); err != nil {
		return err
	}
	id := ""
	err := w.apart(func() (err error) {
		var column element
		if id, column, err = w.unconfirmed(ctx, numbers(w.Stage.Cast.Insured)); err != nil {
			return err
		}
		known, ok := column.byID("known")
		return want(ok && strings.Contains(known.text(), "有効") && strings.Contains(known.text(), "今日の結果ではありません"), "the desk shows: %s", column.text())
	})
	if err != nil {
		return err
	}
	return w.clinic.waitDisplay(ctx, id, w.Stage.Cast.Insured.Expect)
}

func (w *insuranceWalk) shelterRefuses(ctx context.Context) error {
	shelter := NewDesk(w.Shelter)
	e, err := shelter.get(ctx, "/")
	if err != nil {
		return err
	}
	if _, err := e.form("/checks"); err == nil {
		return errors.New("its page has a form for insurance")
	}
	p, err := shelter.post(ctx, "/checks", numbers(w.Stage.Cast.Insured))
	if err != nil {
		return err
	}
	return want(p.status == http.StatusForbidden, "it answered %d", p.status)
}

// practised walks to the desk for practising as a person does: by the link of the help.
func (w *insuranceWalk) practised(ctx context.Context) error {
	help, err := w.clinic.get(ctx, "/?tab=help")
	if err != nil {
		return err
	}
	links := help.all(func(x element) bool {
		return x.Data == "a" && strings.HasPrefix(x.attr("href"), "http://127.0.0.1:") && x.attr("target") == "_blank"
	})
	if len(links) != 1 {
		return fmt.Errorf("the help leads to %d desks for practising", len(links))
	}
	if err := w.clinic.waitSent(ctx); err != nil {
		return err
	}
	before, err := w.Stage.Folder(ctx)
	if err != nil {
		return err
	}
	room := &Desk{room: strings.TrimSuffix(links[0].attr("href"), "/")}
	fields := numbers(w.Stage.Cast.Insured)
	fields.Set("label", "れんしゅう　だけ")
	id, err := recordAt(ctx, room, fields)
	if err != nil {
		return err
	}
	if err := room.waitDisplay(ctx, id, "none_found"); err != nil { // it knows nobody but its own people
		return err
	}
	after, err := w.Stage.Folder(ctx)
	if err != nil {
		return err
	}
	pending, _, _, err := w.clinic.Bar(ctx)
	if err != nil {
		return err
	}
	list, err := w.clinic.get(ctx, "/parts/list")
	if err != nil {
		return err
	}
	return want(after.Requests == before.Requests && strings.Contains(pending, " 0件") && !strings.Contains(list.text(), "だけ"),
		"%d requests, %s", after.Requests-before.Requests, pending)
}
