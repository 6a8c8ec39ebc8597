package authn

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// Staff signs officers in and out. It is safe for concurrent use.
type Staff struct {
	Parts
	provider *Provider
	flows    flows
}

// NewStaff makes Staff.
func NewStaff(p Parts, provider *Provider) *Staff {
	return &Staff{Parts: p, provider: provider, flows: flows{"staff", p.Secret, p.Rows, p.Run, p.Now, p.Rand}}
}

// Start begins a sign-in: where to send the browser, and the secret for its cookie that
// must come back with the answer.
func (s *Staff) Start(ctx context.Context) (authorizationURL, binding string, err error) {
	if _, err := s.provider.discover(ctx); err != nil {
		return "", "", err
	}
	binding, err = secret(s.Rand)
	if err != nil {
		return "", "", err
	}
	f, err := s.flows.begin(ctx, hashOf(binding))
	if err != nil {
		return "", "", err
	}
	authorizationURL, err = s.provider.authorizationURL(ctx, f)
	return authorizationURL, binding, err
}

// Finish ends a sign-in and gives the session's secret for the cookie. An officer whom the
// office has not listed is Forbidden.
func (s *Staff) Finish(ctx context.Context, code, state, binding string) (session string, err error) {
	f, err := s.flows.take(ctx, state, binding)
	if err != nil {
		return "", err
	}
	claims, err := s.provider.redeem(ctx, f, code)
	if err != nil {
		return "", err
	}
	session, err = secret(s.Rand)
	if err != nil {
		return "", err
	}
	return session, s.Run.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		return s.open(ctx, t, claims.Subject, session)
	})
}

func (s *Staff) open(ctx context.Context, t tx.Tx, subject, session string) error {
	m, found, err := s.Rows.StaffBySubject(ctx, t, subject)
	if err != nil {
		return err
	}
	if !found || len(m.Roles) == 0 {
		return fault.New(fault.Forbidden, "this person is not listed as staff")
	}
	now := s.Now()
	if err := s.Rows.InsertStaffSession(ctx, t, StaffSession{
		Hash: hashOf(session), StaffID: m.ID, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(StaffLifetime),
	}); err != nil {
		return err
	}
	return s.Audit.Append(ctx, t, m.actor(), audit.Event{
		Purpose: audit.Account, Action: "staff.sign_in", Municipality: m.Municipality, Object: m.ID,
	})
}

func (m StaffMember) actor() actor.Staff {
	return actor.Staff{ID: m.ID, Name: m.Name, Municipality: m.Municipality, Roles: m.Roles}
}

var errStaffSession = fault.New(fault.Unauthenticated, "the officer is not signed in")

// touchEvery is how exactly the last request of a session is kept.
const touchEvery = time.Minute

// Prove gives the officer whose session it is, with the roles that they hold now.
func (s *Staff) Prove(ctx context.Context, session string) (actor.Staff, error) {
	if session == "" || len(session) > MaxTokenBytes {
		return actor.Staff{}, errStaffSession
	}
	kept, m, found, err := s.Rows.StaffBySession(ctx, hashOf(session))
	if err != nil {
		return actor.Staff{}, err
	}
	now := s.Now()
	if !found || !now.Before(kept.ExpiresAt) || now.Sub(kept.SeenAt) >= StaffIdle || len(m.Roles) == 0 {
		return actor.Staff{}, errStaffSession
	}
	if now.Sub(kept.SeenAt) >= touchEvery {
		err = s.Run.Do(ctx, func(ctx context.Context, t tx.Tx) error {
			return s.Rows.TouchStaffSession(ctx, t, kept.Hash, now)
		})
	}
	return m.actor(), err
}

// SignOut ends the officer's session.
func (s *Staff) SignOut(ctx context.Context, who actor.Staff, session string) error {
	return s.Run.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if err := s.Rows.EndStaffSession(ctx, t, hashOf(session)); err != nil {
			return err
		}
		return s.Audit.Append(ctx, t, who, audit.Event{
			Purpose: audit.Account, Action: "staff.sign_out", Municipality: who.Municipality, Object: who.ID,
		})
	})
}
