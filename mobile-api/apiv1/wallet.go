package apiv1

import "time"

// ---- wallets

// OfferWallet asks for an offer by which a wallet app fetches its own copy of the
// certificate (OpenID4VCI 1.0, pre-authorized code). The same call gives the same offer; a
// call under a new key voids the offer before it. A certificate that newer records have
// superseded, or that was revoked, is a conflict with the place "certificate": ask for a new one.
type OfferWallet struct {
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"16" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$"`
	ID             string `path:"id" minLength:"30" maxLength:"30" doc:"a Certificate.id"`
}

// OneWalletOffer answers with the offer.
type OneWalletOffer struct {
	CacheControl string `header:"Cache-Control"`
	Body         WalletOffer
}

// WalletOffer is what the phone shows: a link for a wallet on the same phone, the same as a
// picture for a wallet on another, and the code that the person types into the wallet.
type WalletOffer struct {
	OfferURI  string    `json:"offer_uri" doc:"openid-credential-offer://?…"`
	QRPNG     []byte    `json:"qr_png" doc:"the link as a QR code with its quiet zone, PNG"`
	TxCode    string    `json:"tx_code" pattern:"^[0-9]{6}$" doc:"shown on this phone alone; it is not in the picture"`
	ExpiresAt time.Time `json:"expires_at"`
}
