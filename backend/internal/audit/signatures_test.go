package audit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// useCases are the packages whose functions say who asks and why.
var useCases = []string{"citizen", "issuance", "mailbox", "push", "payer", "review", "fleet", "intake", "protection", "approval", "childsupport", "award", "correction", "wallet", "keyring", "publication"}

// Reasons why a function takes no actor or no purpose.
const (
	inAnother  = "part of another use case's transaction, which names both and records what it read"
	beforeWho  = "asked in order to find out who is calling; it reads no citizen's data"
	untilEnd   = "runs for the process and reads cursors alone"
	ofMachines = "counts terminals for the metrics; no citizen's data"
)

// Reasons why a purpose is taken and nothing is written with it.
const (
	ofTerminal = "a terminal's own rows; no citizen's data"
	sealedOnly = "sealed bytes that name nobody here; the look is recorded with the answer, in payer"
	ofOffice   = "offices and terminals of the municipality; no citizen's data"
	publicKeys = "keys, lists and documents that the world may read; no citizen's data"
	fromPhone  = "by a secret that the citizen's own app or consent gave to a wallet; the grant names the citizen, and what is handed out is recorded under their name"
)

// without lists the functions that lack one of the two.
var without = map[string]string{
	"citizen.Registry.People": inAnother, "citizen.Registry.Municipality": inAnother, "citizen.Registry.Residents": inAnother,
	"citizen.Registry.RefsOf": inAnother, "citizen.Registry.Earlier": inAnother, "citizen.Known": inAnother,
	"mailbox.Office.Proofs": inAnother, "protection.Register.Flagged": inAnother, "protection.Register.Withhold": inAnother, "approval.Desk.Of": inAnother,
	"citizen.Registry.Municipalities": inAnother, "citizen.Registry.Young": inAnother, "citizen.Registry.HomeOf": inAnother,
	"citizen.Registry.Families": inAnother, "citizen.Registry.Named": inAnother, "citizen.Registry.Housemates": inAnother,
	"issuance.Office.AddWalletCopy": inAnother, "issuance.Office.OnRecord": inAnother, "issuance.Office.Issued": inAnother,
	"fleet.Fleet.TerminalKey": beforeWho, "fleet.Fleet.InUse": beforeWho, "fleet.Fleet.Silence": ofMachines,
	"intake.Intake.Watch": untilEnd, "wallet.Desk.Sweep": untilEnd, "keyring.Open": untilEnd,
	"keyring.Ring.Published": publicKeys, "keyring.Ring.Signer": inAnother, "keyring.Ring.SignerIn": inAnother,
	"publication.Press.CRL": publicKeys, "publication.Press.JWKS": publicKeys, "publication.Press.Revocations": publicKeys,
	"publication.Press.Signers": publicKeys, "publication.Press.StatusList": publicKeys, "publication.Press.VCIssuer": publicKeys,
	"wallet.Desk.Authorize": beforeWho, "wallet.Desk.Callback": beforeWho, "wallet.Desk.Push": beforeWho, "wallet.Desk.Nonce": beforeWho,
	"wallet.Desk.Consent": fromPhone, "wallet.Desk.Answer": fromPhone, "wallet.Desk.Token": fromPhone, "wallet.Desk.Credentials": fromPhone,
}

// unwritten lists the functions that take a purpose and drop it.
var unwritten = map[string]string{
	"fleet.Fleet.Recipient": ofTerminal, "fleet.Fleet.Profile": ofTerminal, "fleet.Fleet.Seen": ofTerminal,
	"fleet.Fleet.Enrolled": ofTerminal, "fleet.Fleet.NoteHealth": ofTerminal, "fleet.Fleet.Health": ofOffice, "intake.Intake.Events": ofOffice,
	"fleet.Fleet.ListOffices": ofOffice, "fleet.Fleet.ListTerminals": ofOffice,
	"intake.Intake.OpenChecks": sealedOnly, "intake.Intake.OpenBatches": sealedOnly,
	"intake.Intake.Settle": sealedOnly, "intake.Intake.Postpone": sealedOnly, "intake.Intake.Counts": ofTerminal, "intake.Intake.Answers": sealedOnly,
	"keyring.Ring.List": publicKeys, "publication.Press.TrustBundle": publicKeys,
}

// Every exported function of a use case that takes a context takes an actor and a purpose,
// and uses the purpose, unless a list above says why not; the lists name nothing else.
func TestUseCasesTakeActorAndPurpose(t *testing.T) {
	lacking, dropping := map[string]bool{}, map[string]bool{}
	n := 0
	for _, name := range useCases {
		for _, f := range functionsOf(t, name) {
			n++
			actor, purpose := "", ""
			for _, p := range f.Type.Params.List {
				switch written := typeText(p.Type); {
				case strings.HasPrefix(written, "actor."):
					actor = written
				case written == "audit.Purpose":
					purpose = nameOf(p)
				}
			}
			at := name + "." + receiver(f) + f.Name.Name
			lacking[at] = actor == "" || purpose == ""
			dropping[at] = purpose == "_"
		}
	}
	compare(t, "takes no actor or no purpose", lacking, without)
	compare(t, "drops its purpose", dropping, unwritten)
	t.Logf("%d functions of %d packages", n, len(useCases))
	if n < 30 {
		t.Errorf("only %d functions were found", n)
	}
}

func compare(t *testing.T, what string, found map[string]bool, listed map[string]string) {
	t.Helper()
	for _, at := range slices.Sorted(maps.Keys(found)) {
		if found[at] && listed[at] == "" {
			t.Errorf("%s %s: mend it, or list it here with the reason", at, what)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(listed)) {
		if !found[at] {
			t.Errorf("%s is listed here and is not one that %s", at, what)
		}
	}
}

// functionsOf gives the exported functions of a package, and exported methods of its
// exported types, whose first parameter is a context.
func functionsOf(t *testing.T, name string) []*ast.FuncDecl {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", name, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []*ast.FuncDecl
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Name.IsExported() && (f.Recv == nil || ast.IsExported(receiver(f))) && takesContext(f) {
				out = append(out, f)
			}
		}
	}
	return out
}

func takesContext(f *ast.FuncDecl) bool {
	p := f.Type.Params.List
	return len(p) > 0 && typeText(p[0].Type) == "context.Context"
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	x := f.Recv.List[0].Type
	if star, ok := x.(*ast.StarExpr); ok {
		x = star.X
	}
	if named, ok := x.(*ast.Ident); ok {
		return named.Name + "."
	}
	return ""
}

func nameOf(f *ast.Field) string {
	if len(f.Names) == 0 {
		return "_"
	}
	return f.Names[0].Name
}

func typeText(x ast.Expr) string {
	s, ok := x.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	p, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return p.Name + "." + s.Sel.Name
}
