package issuance

import (
	"context"
	"slices"
	"strconv"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Named is a certificate by its holder and its id.
type Named struct {
	Holder identity.CitizenID
	ID     string
}

// Token is what a revocation list names a document by, under the key that signed it.
type Token struct {
	Use   keyring.Use
	KeyID string
	Text  string // a rid, 16 bytes in hexadecimal, or a status index in decimal
}

// Grounds say why a certificate is revoked.
type Grounds struct {
	Ground Ground
	Words  string // the officer's own, checked by the caller
}

// Revocation is a certificate that is good no more.
type Revocation struct {
	Named
	Grounds
	At     time.Time
	By     string // who revoked it, by handle
	Tokens []Token
}

// Revoke makes a certificate good no more, in the caller's transaction: every form of it
// and every copy in a wallet stands on the lists from its commit on, its holder is told,
// and it is in the access record. A certificate that is revoked already stays as it is.
//
// An ICAO VDS-NC cannot be revoked: its readers know lists of signers alone.
func (x *Office) Revoke(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, of identity.CitizenID, id string, why Grounds) error {
	if err := x.Rows.HoldCertificate(ctx, t, of, id); err != nil {
		return err
	}
	c, ok, err := x.Rows.Get(ctx, t, of, id)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.NotFound, "there is no such certificate")
	}
	copies, err := x.Rows.Copies(ctx, t, of, id)
	if err != nil {
		return err
	}
	fresh, err := x.Rows.Revoke(ctx, t, Revocation{
		Named: Named{of, id}, Grounds: why, At: x.Now().UTC(), By: who.AuditActor().ID, Tokens: append(c.tokens(), copies...),
	})
	if err != nil || !fresh {
		return err
	}
	home, municipality, err := x.homeOf(ctx, t, of)
	if err != nil {
		return err
	}
	if err := x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "certificate.revoke", CitizenID: of,
		Municipality: municipality, Object: id, Items: []string{"certificate"}}); err != nil {
		return err
	}
	return x.tell(ctx, t, who, purpose, home, c, why.Ground)
}

// tokens are what the lists name the forms of a certificate by.
func (c Certificate) tokens() []Token {
	var out []Token
	for _, r := range c.Renderings {
		if use, ok := listed[r.Format]; ok && r.RevocationToken != "" {
			out = append(out, Token{use, r.KeyID, r.RevocationToken})
		}
	}
	return out
}

// homeOf gives a holder's home and municipality; a home without a child is of somebody who
// does not live there any more.
func (x *Office) homeOf(ctx context.Context, t tx.Tx, of identity.CitizenID) (citizen.Home, identity.MunicipalityCode, error) {
	who, err := x.Residents.Standings(ctx, t, []identity.CitizenID{of})
	if err != nil {
		return citizen.Home{}, "", err
	}
	home, err := x.Family.HomeOf(ctx, t, of)
	if fault.CodeOf(err) == fault.NotFound {
		err = nil
	}
	return home, who[of].Resident.Ref.Municipality, err
}

// tell posts the notice that a certificate was revoked: to its holder, or to the adults who
// act for a child. A protection of anybody of a child's household withholds it, as one of
// the holder does.
func (x *Office) tell(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, home citizen.Home, c Certificate, ground Ground) error {
	if home.Child.ID == "" {
		return nil
	}
	to, about := readers(home, x.Now())
	if len(about) > mailbox.MaxAbout {
		flagged, err := x.Protection.Flagged(ctx, t, about)
		if err != nil {
			return err
		}
		slices.SortStableFunc(about, func(a, b identity.CitizenID) int { return rank(flagged[a]) - rank(flagged[b]) })
		about = about[:mailbox.MaxAbout] // whose protection withholds the letter stands first
	}
	var letters []mailbox.Letter
	for _, id := range to {
		letters = append(letters, mailbox.Letter{
			To: id, About: about, Municipality: home.Child.Ref.Municipality, Kind: notice.Information, Texts: revokedTexts(c.Use, ground),
			Subject: notice.Subject{Kind: notice.Certificate, ID: c.ID}, Once: "certificate.revoked:" + c.ID + ":" + string(id),
		})
	}
	if len(letters) == 0 {
		return nil
	}
	_, err := x.Mail.Post(ctx, t, who, purpose, letters)
	return err
}

// readers says who learns of what concerns a person, and whose protection counts.
func readers(home citizen.Home, now time.Time) (to, about []identity.CitizenID) {
	about = []identity.CitizenID{home.Child.ID}
	if home.Child.BirthDate.AgeOn(civil.In(now)) >= citizen.AdultAge {
		return about, about
	}
	for _, g := range home.Guardians {
		to = append(to, g.ID)
	}
	return to, append(about, home.Members...)
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}

// AddWalletCopy records, in the caller's transaction, that a wallet got a copy of a
// certificate under a status index, so that it is revoked with it. A certificate that is
// good no more takes no copy.
func (x *Office) AddWalletCopy(ctx context.Context, t tx.Tx, of identity.CitizenID, certificateID, keyID string, statusIndex int64) error {
	if err := x.Rows.HoldCertificate(ctx, t, of, certificateID); err != nil {
		return err
	}
	c, ok, err := x.Rows.Get(ctx, t, of, certificateID)
	switch {
	case err != nil:
		return err
	case !ok:
		return fault.New(fault.NotFound, "there is no such certificate")
	case !c.Revoked.IsZero():
		return fault.New(fault.Conflict, "the certificate is revoked")
	}
	return x.Rows.AddCopy(ctx, t, of, certificateID, Token{keyring.SDJWT, keyID, strconv.FormatInt(statusIndex, 10)}, x.Now().UTC())
}

// listed are the uses whose keys have a revocation list, by format.
var listed = map[cert.Format]keyring.Use{shc.Format: keyring.SHC, HCERT: keyring.HCERT}
