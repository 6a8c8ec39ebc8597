package wallet

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert/qr"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// Offer is what the citizen's phone shows. It masks itself.
type Offer struct {
	URI       string // openid-credential-offer://?…
	QRPNG     []byte
	TxCode    string // six digits; not in the URI
	ExpiresAt time.Time
}

// LogValue masks the offer.
func (Offer) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks the offer.
func (Offer) String() string { return identity.Mask }

const (
	offerOperation = "offerToWallet"
	offerScheme    = "openid-credential-offer://?credential_offer="
	// modulePixels is the size of a QR code's module in the picture.
	modulePixels = 5
)

// Offer makes an offer of the certificate, and voids the citizen's earlier open offers of
// it. The same call under the same key, also at once, gives the same offer.
//
// Faults: NotFound for a certificate of somebody else, whether it exists or not; Conflict
// at "certificate" for one that was superseded or revoked.
func (d *Desk) Offer(ctx context.Context, who actor.Citizen, purpose audit.Purpose, key, certificateID string) (Offer, error) {
	chosen, err := d.choice(ctx, who, purpose, certificateID)
	if err != nil {
		return Offer{}, err
	}
	print, err := idempotency.Fingerprint(certificateID)
	if err != nil {
		return Offer{}, err
	}
	call := idempotency.Call{Subject: string(who.ID), Operation: offerOperation, Key: key, Fingerprint: print}
	id, until, err := d.offerOnce(ctx, who, purpose, call, chosen)
	if errors.Is(err, errOvertaken) {
		id, until, err = d.offerOnce(ctx, who, purpose, call, chosen) // what the other call made is there now
	}
	if err != nil {
		return Offer{}, err
	}
	return d.offer(id, until)
}

// choice finds a certificate that the citizen may give away now.
func (d *Desk) choice(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string) (Held, error) {
	all, err := d.Certificates.Held(ctx, who, purpose)
	if err != nil {
		return Held{}, err
	}
	i := slices.IndexFunc(all, func(h Held) bool { return h.ID == id })
	switch {
	case i < 0:
		return Held{}, fault.New(fault.NotFound, "there is no such certificate")
	case !all[i].Good:
		return Held{}, fault.At(fault.Conflict, "certificate", "the certificate is not good any more: ask for a new one")
	}
	return all[i], nil
}

var errOvertaken = errors.New("another call was faster")

func (d *Desk) offerOnce(ctx context.Context, who actor.Citizen, purpose audit.Purpose, call idempotency.Call, c Held) (id string, until time.Time, err error) {
	err = d.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		kept, found, err := d.Keeper.Replay(ctx, t, call)
		if err != nil {
			return err
		}
		if found {
			id, until, err = parseKept(kept)
			return err
		}
		id, until, err = d.newOffer(ctx, t, who, purpose, c)
		if err != nil {
			return err
		}
		err = d.Keeper.Keep(ctx, t, call, fmt.Appendf(nil, "%s %d", id, until.UnixMicro()))
		if fault.CodeOf(err) == fault.Conflict {
			return errOvertaken
		}
		return err
	})
	return id, until, err
}

func parseKept(kept []byte) (string, time.Time, error) {
	id, at, _ := bytes.Cut(kept, []byte(" "))
	micros, err := strconv.ParseInt(string(at), 10, 64)
	if err != nil {
		return "", time.Time{}, fault.New(fault.Internal, "a kept offer cannot be read")
	}
	return string(id), time.UnixMicro(micros).UTC(), nil
}

func (d *Desk) newOffer(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, c Held) (string, time.Time, error) {
	now := d.Now().UTC()
	until := now.Add(OfferLifetime)
	id, err := d.IDs.New("wgr")
	if err != nil {
		return "", until, err
	}
	if err := d.Rows.VoidOffers(ctx, t, who.ID, c.ID, now); err != nil {
		return "", until, err
	}
	if err := d.Rows.InsertGrant(ctx, t, Grant{
		Hash: hashOf(d.offerCode(id)), ID: id, Kind: Offered, Citizen: who.ID, Municipality: who.Municipality,
		Person: c.Person, Certificate: c.ID, CreatedAt: now, ExpiresAt: until,
	}); err != nil {
		return "", until, err
	}
	return id, until, d.Record.Append(ctx, t, who, audit.Event{
		Purpose: purpose, Action: "wallet.offer", CitizenID: c.Person, Municipality: who.Municipality, Object: c.ID,
		Items: []string{"certificate"},
	})
}

// offerCode and txCode are made from the offer's handle and a key of ours, so that the same
// call can be answered again though neither is kept.
func (d *Desk) offerCode(id string) string {
	return base64.RawURLEncoding.EncodeToString(d.mark("offer", id))
}

func (d *Desk) txCode(id string) string {
	n := binary.BigEndian.Uint64(d.mark("tx_code", id)) % 1_000_000
	return fmt.Sprintf("%0*d", txCodeDigits, n)
}

// offerObject is a credential offer (section 4.1.1).
type offerObject struct {
	Issuer         string         `json:"credential_issuer"`
	Configurations []string       `json:"credential_configuration_ids"`
	Grants         map[string]any `json:"grants"`
}

type preAuthorized struct {
	Code   string `json:"pre-authorized_code"`
	TxCode txRule `json:"tx_code"`
}

// txRule has no description: the app shows the code beside the picture, and a picture with
// fewer modules is read by more cameras.
type txRule struct {
	InputMode string `json:"input_mode"`
	Length    int    `json:"length"`
}

// legible are characters that a query may hold as they are (RFC 3986 section 3.4), though
// url.QueryEscape writes them as three.
var legible = strings.NewReplacer("+", "%20", "%3A", ":", "%2C", ",", "%2F", "/")

func (d *Desk) offer(id string, until time.Time) (Offer, error) {
	var object strings.Builder
	e := json.NewEncoder(&object)
	e.SetEscapeHTML(false)
	if err := e.Encode(offerObject{
		Issuer: d.Issuer, Configurations: []string{Configuration},
		Grants: map[string]any{grantPreAuthorized: preAuthorized{
			Code: d.offerCode(id), TxCode: txRule{InputMode: "numeric", Length: txCodeDigits},
		}},
	}); err != nil {
		return Offer{}, fmt.Errorf("cannot write an offer: %w", err)
	}
	uri := offerScheme + legible.Replace(url.QueryEscape(strings.TrimSpace(object.String())))
	picture, err := qr.PNG(uri, modulePixels)
	if err != nil {
		return Offer{}, fmt.Errorf("cannot draw an offer: %w", err)
	}
	return Offer{URI: uri, QRPNG: picture, TxCode: d.txCode(id), ExpiresAt: until}, nil
}
