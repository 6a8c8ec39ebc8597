// Package actor holds who is asking, as an edge has proved it.
//
// Every use case takes one of these types as its first argument after the context: a
// function that takes a Staff cannot be bound to a citizen's route.
package actor

import (
	"slices"

	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/identity"
)

// Actor is anything that can stand in the audit record.
type Actor interface{ AuditActor() auditlog.Actor }

// Anyone is a caller of a public route. It proves nothing.
type Anyone struct{}

// AuditActor names nobody.
func (Anyone) AuditActor() auditlog.Actor {
	return auditlog.Actor{Kind: auditlog.ActorSystem, ID: "anyone"}
}

// Citizen is a person signed in and linked to exactly one resident.
type Citizen struct {
	ID           identity.CitizenID
	Municipality identity.MunicipalityCode
	Session      string // "ses_…", the family of refresh tokens
}

// AuditActor names the citizen by handle.
func (c Citizen) AuditActor() auditlog.Actor {
	return auditlog.Actor{Kind: auditlog.ActorCitizen, ID: string(c.ID)}
}

// Role is what a member of staff may do.
type Role string

// The roles of the office console.
const (
	Clerk           Role = "clerk"            // writes and sends notices
	Approver        Role = "approver"         // the second person
	TerminalManager Role = "terminal_manager" // enrols and watches terminals
	Auditor         Role = "auditor"          // reads who looked, changes nothing
	// ChildOfficer reviews flags of child support and writes assessments; ChildApprover
	// allows contact with the family, never in a case they worked on.
	ChildOfficer  Role = "child_officer"
	ChildApprover Role = "child_approver"
	// Protector works for people who must not be contacted or disclosed (支援措置).
	Protector Role = "protector"
)

// Roles lists them.
func Roles() []Role {
	return []Role{Clerk, Approver, TerminalManager, Auditor, ChildOfficer, ChildApprover, Protector}
}

// Staff is an officer signed in to the office console. They see one municipality.
type Staff struct {
	ID           string // "stf_…"
	Name         string
	Municipality identity.MunicipalityCode
	Roles        []Role
}

// Has tells whether the officer holds the role.
func (s Staff) Has(r Role) bool { return slices.Contains(s.Roles, r) }

// AuditActor names the officer by handle.
func (s Staff) AuditActor() auditlog.Actor {
	return auditlog.Actor{Kind: auditlog.ActorStaff, ID: s.ID}
}

// Terminal is an enrolled terminal.
type Terminal struct {
	ID           string // "trm_…"
	Office       string // "ofc_…"
	Municipality identity.MunicipalityCode
	Class        string // see firmware-config/profile
}

// AuditActor names the terminal by handle.
func (t Terminal) AuditActor() auditlog.Actor {
	return auditlog.Actor{Kind: auditlog.ActorTerminal, ID: t.ID}
}

// System is a job or an operator's command. Name says which.
type System struct{ Name string }

// AuditActor names the job or command.
func (s System) AuditActor() auditlog.Actor {
	return auditlog.Actor{Kind: auditlog.ActorSystem, ID: s.Name}
}
