package authn

import (
	"context"
	"slices"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/handle"
)

// Limits of one officer's line.
const (
	maxSubject = 255 // OpenID Connect Core section 2
	maxName    = 100 // characters
	maxRoles   = 200 // bytes
)

// Importer reads staff.csv: subject, name, municipality_code, roles (those of actor.Roles
// with ; between; empty takes the officer's access away).
func (s *Staff) Importer() importing.Importer {
	return importing.For(importing.Sheet[StaffMember]{
		File: "staff.csv",
		Columns: []importing.Column{
			{Name: "subject"}, {Name: "name", Free: true}, {Name: "municipality_code"}, {Name: "roles"},
		},
		Parse: parseStaff,
		Key:   func(m StaffMember) string { return m.Subject },
		Store: s.storeStaff,
	})
}

func parseStaff(r *importing.Row) StaffMember {
	m := StaffMember{
		Subject: r.Text("subject", maxSubject), Name: r.Text("name", maxName),
		Municipality: r.Municipality("municipality_code"),
	}
	for word := range strings.SplitSeq(r.Optional("roles", maxRoles), ";") {
		role := actor.Role(strings.TrimSpace(word))
		switch {
		case role == "" || slices.Contains(m.Roles, role):
		case !slices.Contains(actor.Roles(), role):
			r.Fault("roles", "not a role: "+roleNames())
		default:
			m.Roles = append(m.Roles, role)
		}
	}
	return m
}

// roleNames lists the roles for the person who wrote the file.
func roleNames() string {
	var names []string
	for _, r := range actor.Roles() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// storeStaff changes officers in place: an officer is no citizen.
func (s *Staff) storeStaff(ctx context.Context, t tx.Tx, _ actor.System, batch []importing.Entry[StaffMember]) ([]importing.Verdict, error) {
	verdicts := make([]importing.Verdict, len(batch))
	ids := handle.Source{Now: s.Now, Rand: s.Rand}
	for i, e := range batch {
		_, known, err := s.Rows.StaffBySubject(ctx, t, e.Value.Subject)
		if err != nil {
			return nil, err
		}
		if e.Value.ID, err = ids.New("stf"); err != nil {
			return nil, err
		}
		changed, err := s.Rows.UpsertStaff(ctx, t, e.Value)
		if err != nil {
			return nil, err
		}
		switch {
		case !changed:
			verdicts[i].Result = importing.Unchanged
		case known:
			verdicts[i].Result = importing.Changed
		}
	}
	return verdicts, nil
}
