package app

import (
	"context"
	"errors"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/fleet"
	"madoguchi.example/backend/internal/httpapi"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/backend/internal/worker"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// faces adds the routes of each face that this process serves.
func (h *house) faces(p *program, c *httpapi.Config) error {
	older, err := oldTokenKeys(h.config.KeyDir)
	if err != nil {
		return err
	}
	tokens, err := authn.NewTokens(h.config.PublicURL, h.keys.token, older, h.now, p.rand)
	if err != nil {
		return err
	}
	var citizens *authn.Citizens
	var terminals *authn.Terminals
	c.Routes = httpapi.HealthRoutes(h.ready)
	if h.config.Has(config.RoleAPI) {
		if citizens, err = h.citizenFace(p, c, tokens); err != nil {
			return err
		}
		terminals = h.terminalFace(c, tokens)
	}
	if h.config.Has(config.RoleOffice) {
		if err := h.officeFace(c); err != nil {
			return err
		}
	}
	c.Gate = httpapi.NewGate(citizens, h.staff, terminals)
	return nil
}

// citizenFace serves the mobile API, the citizen app and the issuer's keys.
func (h *house) citizenFace(p *program, c *httpapi.Config, tokens *authn.Tokens) (*authn.Citizens, error) {
	provider, err := h.provider(h.config.CitizenLogin, h.keys.citizen, p, "name", "address", "birthdate", "gender")
	if err != nil {
		return nil, err
	}
	citizens := authn.NewCitizens(h.login, provider, tokens, linker{h.citizens})
	pages, err := httpapi.AppRoutes()
	if err != nil {
		return nil, err
	}
	own, err := h.citizenRoutes(p)
	if err != nil {
		return nil, err
	}
	wallets, err := h.walletRoutes()
	if err != nil {
		return nil, err
	}
	c.Routes = slices.Concat(c.Routes, httpapi.SignInRoutes(citizens), own, pages, h.wellKnown(), wallets)
	return citizens, nil
}

// terminalFace serves enrolment, tokens, batches, answers, profiles and trust.
func (h *house) terminalFace(c *httpapi.Config, tokens *authn.Tokens) *authn.Terminals {
	terminals := authn.NewTerminals(h.login, tokens, h.fleet, h.config.PublicURL)
	c.Routes = append(c.Routes, httpapi.TerminalRoutes(httpapi.TerminalDeps{
		Fleet: h.fleet, Intake: h.intake, Tokens: terminals, Trust: h.press, Now: h.now, Log: h.log,
	})...)
	return terminals
}

// officeFace serves the office console.
func (h *house) officeFace(c *httpapi.Config) error {
	o, err := office.New(office.Parts{
		SignIn: h.staff, Terminals: officeTerminals{h.fleet, h}, Trail: officeTrail{h}, Notices: officeNotices{h.notices, h.logins},
		Benefits: officeBenefits{h}, Children: officeChildren{h}, Certificates: officeCertificates{h}, Protection: officeProtection{h.protection}, Approvals: officeApprovals{h},
		Names: officeNames{h}, Secure: h.config.TLS.CertFile != "" || httpsURL(h.config.StaffLogin.RedirectURL),
		Log: h.log, IDs: h.ids, Now: h.now,
	})
	if err != nil {
		return err
	}
	routes, err := httpapi.OfficeRoutes(o)
	if err != nil {
		return err
	}
	c.Routes, c.ErrorPage = append(c.Routes, routes...), httpapi.OfficeErrorPage(o)
	return nil
}

func httpsURL(s string) bool { return len(s) > 8 && s[:8] == "https://" }

// handlers registers what the worker does.
func (h *house) handlers() error {
	return errors.Join(worker.Terminals(h.jobs, h.payers), worker.Citizens(h.jobs, h.pushes, h.notices), worker.Children(h.jobs, h.children),
		worker.Awards(h.jobs, h.awards))
}

// officeTerminals shows the fleet to the console.
type officeTerminals struct {
	fleet *fleet.Fleet
	house *house
}

// List implements office.Terminals.
func (o officeTerminals) List(ctx context.Context, who actor.Staff) ([]office.Terminal, error) {
	all, err := o.fleet.ListTerminals(ctx, who, audit.TerminalOperation)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(all))
	for i, t := range all {
		ids[i] = t.ID
	}
	checks, err := o.house.intake.Counts(ctx, who, audit.TerminalOperation, ids)
	if err != nil {
		return nil, err
	}
	healths, err := o.health(ctx, who, ids)
	if err != nil {
		return nil, err
	}
	out := make([]office.Terminal, 0, len(all))
	for _, t := range all {
		shown := office.Terminal{
			ID: t.ID, Office: t.Office.Name, Class: string(t.Office.Class),
			LastContact: t.LastContact, Disabled: !t.DisabledAt.IsZero(),
		}
		if t.Office.Class.MayCheckInsurance() {
			c := checks[t.ID]
			shown.Checks = &office.Checks{Open: c.Open, Late: c.Late, Voided: c.Voided}
		}
		if h, ok := healths[t.ID]; ok {
			shown.Health = &h
		}
		out = append(out, shown)
	}
	return out, nil
}

// Places implements office.Terminals.
func (o officeTerminals) Places(ctx context.Context, who actor.Staff) ([]office.Place, error) {
	all, err := o.fleet.ListOffices(ctx, who, audit.TerminalOperation)
	out := make([]office.Place, 0, len(all))
	for _, p := range all {
		out = append(out, office.Place{Ref: p.Ref, Name: p.Name, Class: string(p.Class)})
	}
	return out, err
}

// IssueCode implements office.Terminals.
func (o officeTerminals) IssueCode(ctx context.Context, who actor.Staff, place string) (office.Code, error) {
	code, err := o.fleet.IssueCode(ctx, who, audit.TerminalOperation, place)
	if err != nil {
		return office.Code{}, err
	}
	return office.Code{Text: code.Reveal(), Until: o.house.now().Add(fleet.CodeLife)}, nil
}

// Stop implements office.Terminals.
func (o officeTerminals) Stop(ctx context.Context, who actor.Staff, id string) error {
	return o.fleet.Disable(ctx, who, audit.TerminalOperation, id)
}

// officeTrail shows the access record to auditors.
type officeTrail struct{ house *house }

// Newest implements office.Trail.
func (o officeTrail) Newest(ctx context.Context, who actor.Staff, limit int) ([]auditlog.Entry, error) {
	return o.house.review.Newest(ctx, who, audit.AuditReview, limit)
}

// PurposeName implements office.Trail.
func (o officeTrail) PurposeName(purpose string, l notice.Language) string {
	if name := o.house.record.Purposes()[audit.Purpose(purpose)].Names[string(l)]; name != "" {
		return name
	}
	return purpose
}

// officeNames gives municipalities' names.
type officeNames struct{ house *house }

// Municipality implements office.Names.
func (o officeNames) Municipality(ctx context.Context, code identity.MunicipalityCode, l notice.Language) (string, error) {
	m, err := o.house.municipality(ctx, code)
	switch l {
	case notice.EasyJapanese:
		return m.NameEasy, err
	case notice.English:
		return m.NameEN, err
	}
	return m.NameJA, err
}
