package app

import (
	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/firmware-config/profile"
)

// profilePayers are the payers that terminals are told of.
func profilePayers(r *payer.Registry) []profile.Payer { return []profile.Payer{r.Published()} }
