package card

import (
	"errors"
	"maps"
	"slices"

	"madoguchi.example/shared/fault"
)

// Word says what went wrong. It is the Message of a fault.
type Word string

// The words. Words lists them with their places.
const (
	NoPCSCD       Word = "no_pcscd"          // the service does not run
	PCSCDGone     Word = "pcscd_gone"        // the service went away in the middle; what was begun is void
	PCSCDRefused  Word = "pcscd_refused"     // this program may not use the service (polkit, or who owns the socket)
	PCSCDOther    Word = "pcscd_unsupported" // the service speaks a protocol that is not known here
	NoReader      Word = "no_reader"         // none is plugged in
	ReaderUnknown Word = "reader_unknown"    // none has the name that was asked for
	ReaderGone    Word = "reader_gone"       // unplugged in the middle
	ReaderInUse   Word = "in_use"            // another program keeps the card to itself
	TwoCards      Word = "two_cards"         // cards in several readers: ask which
	NoCard        Word = "no_card"           // none is there
	MuteCard      Word = "mute_card"         // it does not answer: turn it, wipe its contacts
	CardRemoved   Word = "card_removed"      // pulled in the middle
	CardReset     Word = "card_reset"        // another program reset it, and again when it was read anew
	CardSlow      Word = "card_slow"         // it did not answer in time
	UnknownCard   Word = "unknown_card"      // not a My Number Card
	PhoneCard     Word = "phone_card"        // a phone that carries a card: the reader beside the face-recognition reader takes it
	NoPINCard     Word = "no_pin_card"       // 顔認証マイナンバーカード: face or visual check
	CardMalformed Word = "card_malformed"    // its files are not what they must be
	NotGenuine    Word = "not_genuine"       // its signature does not fit its certificate
	Guarded       Word = "command_refused"   // the guard kept a command from the card: a fault of this program
	PINForm       Word = "pin_form"          // not four digits; nothing was tried
	PINWrong      Word = "pin_wrong"         // the card refused it; one try is gone
	PINLastTry    Word = "pin_last_try"      // one try is left, so none was made
	PINBlocked    Word = "pin_blocked"       // the municipality must set a new one
)

// Places of faults.
const (
	PlacePIN    = "pin"
	PlaceCard   = "card"
	PlaceReader = "reader"
	PlacePCSCD  = "pcscd"
)

// kind is what a word means to an edge.
type kind struct {
	place string
	code  fault.Code
}

var words = map[Word]kind{
	NoPCSCD:       {PlacePCSCD, fault.Unavailable},
	PCSCDGone:     {PlacePCSCD, fault.Unavailable},
	PCSCDRefused:  {PlacePCSCD, fault.Forbidden},
	PCSCDOther:    {PlacePCSCD, fault.Unavailable},
	NoReader:      {PlaceReader, fault.NotFound},
	ReaderUnknown: {PlaceReader, fault.NotFound},
	ReaderGone:    {PlaceReader, fault.Unavailable},
	ReaderInUse:   {PlaceReader, fault.Unavailable},
	TwoCards:      {PlaceReader, fault.Conflict},
	NoCard:        {PlaceCard, fault.NotFound},
	MuteCard:      {PlaceCard, fault.Unavailable},
	CardRemoved:   {PlaceCard, fault.Unavailable},
	CardReset:     {PlaceCard, fault.Unavailable},
	CardSlow:      {PlaceCard, fault.Unavailable},
	UnknownCard:   {PlaceCard, fault.InvalidArgument},
	PhoneCard:     {PlaceCard, fault.InvalidArgument},
	NoPINCard:     {PlaceCard, fault.InvalidArgument},
	CardMalformed: {PlaceCard, fault.InvalidArgument},
	NotGenuine:    {PlaceCard, fault.Forbidden},
	Guarded:       {PlaceCard, fault.Internal},
	PINForm:       {PlacePIN, fault.InvalidArgument},
	PINWrong:      {PlacePIN, fault.Unauthenticated},
	PINLastTry:    {PlacePIN, fault.Forbidden},
	PINBlocked:    {PlacePIN, fault.Forbidden},
}

// Words lists every word there is, sorted, so that a face can be held to knowing them all.
func Words() []Word { return slices.Sorted(maps.Keys(words)) }

// Place gives where a word belongs, "" for no word of this package.
func (w Word) Place() string { return words[w].place }

// Fault makes the fault that says w. The cause is for the log and holds no answer of a card.
func (w Word) Fault(cause error) error {
	k, known := words[w]
	if !known {
		k.code = fault.Internal
	}
	return &fault.Error{Code: k.code, Place: k.place, Message: string(w), Cause: cause}
}

// WordOf gives the word that err says, "" where it says none of this package's.
func WordOf(err error) Word {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		if _, known := words[Word(e.Message)]; known {
			return Word(e.Message)
		}
	}
	return ""
}
