package citizen

import (
	"context"

	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// BornSince implements citizen.Rows.
func (r *Rows) BornSince(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, from civil.Date, after identity.CitizenID, limit int) ([]identity.CitizenID, error) {
	var out []identity.CitizenID
	err := r.from(t).Each(ctx, `
		SELECT citizen_id FROM resident
		 WHERE municipality = $1 AND citizen_id > $2 AND birth_date >= $3
		 ORDER BY citizen_id LIMIT $4`, []any{m, after, from.String(), limit}, func(scan func(...any) error) error {
		var id identity.CitizenID
		err := scan(&id)
		out = append(out, id)
		return err
	})
	return out, err
}
