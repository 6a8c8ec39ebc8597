package client

import "madoguchi.example/mobile-api/apiv1"

// The contract's types that answers hold, for programs that speak through the client alone.
type (
	Access      = apiv1.Access
	Benefit     = apiv1.Benefit
	Certificate = apiv1.Certificate
	Correction  = apiv1.Correction
	Notice      = apiv1.Notice
	Offer       = apiv1.Offer
	Phrase      = apiv1.Phrase
	Rendering   = apiv1.Rendering
	WalletOffer = apiv1.WalletOffer
)
