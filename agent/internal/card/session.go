package card

import (
	"context"
	"errors"
	"fmt"
)

// Limits of what is read from a card.
const (
	MaxFile    = 8 << 10 // bytes of one file
	PINLength  = 4       // digits of both PINs that reception may ask for
	maxFetches = 64      // answers to one command that a card may cut into pieces
)

// FullTries is how many wrong tries in a row both PINs allow.
const FullTries = 3

// Session is a transaction on a card, behind the guard. It is for one goroutine.
type Session struct {
	t        Transport
	applet   AID // that is selected
	verified bool
	told     tries
}

// tries is what the card has told of a PIN that is still selected.
type tries struct {
	pin  FileID // 0: of none
	left int
}

// With runs do inside one transaction, so that no other program's command stands between
// its commands, and ends the transaction whatever comes out. A PIN that was verified is not
// so any more afterwards, for whoever uses the card next.
func With(ctx context.Context, t Transport, do func(*Session) error) error {
	t = Guard(t)
	if err := t.Begin(ctx); err != nil {
		return err
	}
	s := &Session{t: t}
	err := do(s)
	// The card is given free even where the reading ran out of time. What was read by then
	// is right, whatever happens to the card now.
	after := context.WithoutCancel(ctx)
	s.forget(after)
	_ = t.End(after)
	return err
}

// forget has the card lose its verified PINs, which it does when another applet is selected.
func (s *Session) forget(ctx context.Context) {
	if !s.verified {
		return
	}
	other := JPKI
	if s.applet == JPKI {
		other = TextAID
	}
	_, _ = s.Select(ctx, other)
}

// Send sends one command, fetches the rest of an answer that comes in pieces and asks again
// where the card corrects Le. A status word that is not OK is no error here.
func (s *Session) Send(ctx context.Context, c Command) (Answer, error) {
	s.told = tries{}
	a, err := s.once(ctx, c)
	if err == nil && a.Status&highByte == wrongLe && len(a.Data) == 0 && c.Le != NoLe {
		c.Le = int(a.Status & 0xFF)
		a, err = s.once(ctx, c)
	}
	if err != nil {
		return Answer{}, err
	}
	whole := a.Data
	for n := 0; a.Status&highByte == moreToFetch; n++ {
		if n == maxFetches || len(whole) > MaxFile {
			return Answer{}, CardMalformed.Fault(errors.New("an answer without end"))
		}
		if a, err = s.once(ctx, Command{INS: insGetResponse, Le: int(a.Status & 0xFF)}); err != nil {
			return Answer{}, err
		}
		whole = append(whole, a.Data...)
	}
	return Answer{Data: whole, Status: a.Status}, nil
}

// once wipes the encoded command afterwards, as it may hold a PIN.
func (s *Session) once(ctx context.Context, c Command) (Answer, error) {
	apdu, err := c.Encode()
	if err != nil {
		return Answer{}, Guarded.Fault(err)
	}
	defer clear(apdu)
	b, err := s.t.Transmit(ctx, apdu)
	if err != nil {
		return Answer{}, err
	}
	return ParseAnswer(b)
}

// Select selects an applet. It tells false where the card has none of that name.
func (s *Session) Select(ctx context.Context, aid AID) (bool, error) {
	a, err := s.Send(ctx, Command{INS: insSelect, P1: 4, P2: 0x0C, Data: []byte(aid), Le: NoLe})
	if a.Status == OK {
		s.applet = aid
	}
	return a.Status == OK, err
}

// SelectFile selects a file of the applet. It tells false where there is none.
func (s *Session) SelectFile(ctx context.Context, id FileID) (bool, error) {
	a, err := s.Send(ctx, Command{INS: insSelect, P1: 2, P2: 0x0C, Data: []byte{byte(id >> 8), byte(id)}, Le: NoLe})
	switch {
	case err != nil:
		return false, err
	case a.Status == OK, a.Status == NotFound:
		return a.Status == OK, nil
	}
	return false, CardMalformed.Fault(fmt.Errorf("%04X when the file %04X was selected", uint16(a.Status), uint16(id)))
}

// Tries selects a PIN and gives the tries left. It tells false where the card has no such
// PIN.
func (s *Session) Tries(ctx context.Context, pin FileID) (left int, has bool, err error) {
	if has, err = s.SelectFile(ctx, pin); err != nil || !has {
		return 0, false, err
	}
	a, err := s.Send(ctx, Command{INS: insVerify, P2: 0x80, Le: NoLe})
	if err != nil {
		return 0, false, err
	}
	if left, told := a.Status.Tries(); told {
		s.told = tries{pin, left}
		return left, true, nil
	}
	if a.Status == DataNotFound {
		return 0, false, nil
	}
	return 0, false, CardMalformed.Fault(fmt.Errorf("%04X when the tries left were asked for", uint16(a.Status)))
}

// Verify tries a PIN of PINLength digits where at least MinTries are left, which it asks
// for first unless that was the last thing that was asked. It gives the tries left, -1 unknown. It fails with pin_form, pin_wrong, pin_last_try, pin_blocked and no_pin_card.
func (s *Session) Verify(ctx context.Context, pin FileID, digits []byte) (left int, err error) {
	if !IsPIN(digits) {
		return -1, PINForm.Fault(nil)
	}
	left, has := s.told.left, s.told.pin == pin
	if !has {
		left, has, err = s.Tries(ctx, pin)
	}
	switch {
	case err != nil:
		return -1, err
	case !has:
		return -1, NoPINCard.Fault(nil)
	}
	if err := Triable(left); err != nil {
		return left, err
	}
	a, err := s.Send(ctx, Command{INS: insVerify, P2: 0x80, Data: digits, Le: NoLe})
	if err != nil {
		return -1, err
	}
	if a.Status == OK {
		s.verified = true
		return FullTries, nil
	}
	if now, told := a.Status.Tries(); told && now > 0 {
		return now, PINWrong.Fault(nil)
	} else if told {
		return 0, PINBlocked.Fault(nil)
	}
	return left, CardMalformed.Fault(fmt.Errorf("%04X to a PIN", uint16(a.Status)))
}

// Triable gives the fault that keeps a PIN with so many tries left from being tried.
func Triable(left int) error {
	switch {
	case left <= 0:
		return PINBlocked.Fault(nil)
	case left < MinTries:
		return PINLastTry.Fault(nil)
	}
	return nil
}

// IsPIN tells whether digits can be one of the two PINs: PINLength ASCII digits.
func IsPIN(digits []byte) bool {
	for _, d := range digits {
		if d < '0' || d > '9' {
			return false
		}
	}
	return len(digits) == PINLength
}

// Read gives up to want bytes of the selected file from its start. A file that ends before
// is no fault.
func (s *Session) Read(ctx context.Context, want int) ([]byte, error) {
	return s.read(ctx, want, false)
}

// ReadObject reads the file id, which is one TLV object, whole: its first head bytes tell how
// long it is. It tells false where there is no such file, and fails beyond limit bytes and
// where the file ends before its object does.
func (s *Session) ReadObject(ctx context.Context, id FileID, head, limit int) (object []byte, has bool, err error) {
	if has, err = s.SelectFile(ctx, id); err != nil || !has {
		return nil, false, err
	}
	object, err = s.object(ctx, id, head, limit)
	return object, err == nil, err
}

func (s *Session) object(ctx context.Context, id FileID, head, limit int) ([]byte, error) {
	first, err := s.Read(ctx, head)
	if err != nil {
		return nil, err
	}
	_, header, value, err := HeaderOf(first)
	if err != nil {
		return nil, CardMalformed.Fault(fmt.Errorf("the file %04X: %w", uint16(id), err))
	}
	if header+value > min(limit, MaxFile) {
		return nil, CardMalformed.Fault(fmt.Errorf("the file %04X says it has more than %d bytes", uint16(id), limit))
	}
	return s.read(ctx, header+value, true)
}

// chunk is what one READ BINARY of the short form can give.
const chunk = 256

func (s *Session) read(ctx context.Context, want int, whole bool) ([]byte, error) {
	out := make([]byte, 0, want)
	for len(out) < want {
		n := min(want-len(out), chunk)
		a, err := s.Send(ctx, Command{INS: insRead, P1: byte(len(out) >> 8), P2: byte(len(out)), Le: n % chunk})
		if err != nil {
			return nil, err
		}
		if len(a.Data) > n {
			return nil, CardMalformed.Fault(errors.New("more bytes than were asked for"))
		}
		out = append(out, a.Data...)
		ended := a.Status == EndOfFile || a.Status == WrongOffset
		switch {
		case a.Status == PINNeeded:
			return nil, CardMalformed.Fault(errors.New("the file wants a PIN"))
		case a.Status != OK && !ended:
			return nil, CardMalformed.Fault(fmt.Errorf("%04X at byte %d of a file", uint16(a.Status), len(out)))
		case !ended && len(a.Data) > 0:
			continue
		case whole && len(out) < want:
			return nil, CardMalformed.Fault(errShort)
		}
		return out, nil
	}
	return out, nil
}

// Sign has the key file id sign what a DigestInfo says and gives the bare signature.
func (s *Session) Sign(ctx context.Context, id FileID, digestInfo []byte) ([]byte, error) {
	has, err := s.SelectFile(ctx, id)
	if err != nil {
		return nil, err
	}
	if !has {
		return nil, CardMalformed.Fault(fmt.Errorf("no key %04X", uint16(id)))
	}
	a, err := s.Send(ctx, Command{CLA: 0x80, INS: insSign, P2: 0x80, Data: digestInfo, Le: 0})
	if err != nil {
		return nil, err
	}
	if a.Status != OK {
		return nil, CardMalformed.Fault(fmt.Errorf("%04X when a signature was asked for", uint16(a.Status)))
	}
	return a.Data, nil
}
