package client

import "madoguchi.example/mobile-api/apiv1"

// The contract's types that answers hold, for programs that speak through the client alone.
type (
	Access  = apiv1.Access
	Benefit = apiv1.Benefit
	Notice  = apiv1.Notice
	Offer   = apiv1.Offer
	Phrase  = apiv1.Phrase
)
