package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/correction"
	"madoguchi.example/backend/internal/fence"
	"madoguchi.example/backend/internal/fleet"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/keyring/token"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/publication"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/review"
	"madoguchi.example/backend/internal/store"
	approvalrows "madoguchi.example/backend/internal/store/approval"
	auditrows "madoguchi.example/backend/internal/store/audit"
	authnrows "madoguchi.example/backend/internal/store/authn"
	citizenrows "madoguchi.example/backend/internal/store/citizen"
	fleetrows "madoguchi.example/backend/internal/store/fleet"
	idempotencyrows "madoguchi.example/backend/internal/store/idempotency"
	intakerows "madoguchi.example/backend/internal/store/intake"
	payerrows "madoguchi.example/backend/internal/store/payer"
	protectionrows "madoguchi.example/backend/internal/store/protection"
	reviewrows "madoguchi.example/backend/internal/store/review"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/backend/internal/wallet"
	"madoguchi.example/shared/benefit/rule"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/logmask"
)

// house is every use case of the backend over one open store.
type house struct {
	config config.Config
	log    *slog.Logger
	now    func() time.Time
	keys   keys
	ids    handle.Source

	db     *store.DB
	jobs   *job.Engine
	record *audit.Log
	repeat *idempotency.Keeper
	fence  *fence.Fence

	citizens    *citizen.Registry
	protection  *protection.Register
	token       *token.Device // nil where signing keys are files
	ring        *keyring.Ring
	press       *publication.Press
	issuance    *issuance.Office
	corrections *correction.Desk
	wallet      *wallet.Desk
	notices     *mailbox.Office
	approvals   *approval.Desk
	rules       *rule.Engine
	awards      *award.Office
	children    *childsupport.Desk
	pushes      *push.Desk
	fleet       *fleet.Fleet
	intake      *intake.Intake
	registry    *payer.Registry
	payers      *payer.Desk
	review      *review.Desk

	login  authn.Parts
	logins *authnrows.Rows
	staff  *authn.Staff
}

// keys are the backend's own, made at the first start.
type keys struct {
	token    *ecdsa.PrivateKey // signs access tokens
	citizen  *ecdsa.PrivateKey // proves us to the citizens' provider
	staff    *ecdsa.PrivateKey // proves us to the officers' provider
	payer    *age.X25519Identity
	cursor   []byte
	flow     []byte
	revoke   []byte
	wallet   []byte               // from it come the codes of offers and the nonces
	children []byte               // from it come the pseudonyms of linked items
	receipt  ed25519.PrivateKey   // countersigns how far terminals' records came
	receipts []ed25519.PrivateKey // that it took the place of, or that will take its place
	export   *age.X25519Identity  // opens what a terminal's queue was exported as
}

func (p *program) logger(c config.Config) *slog.Logger { return logmask.New(p.stderr, c.Level()) }

// open makes the house. Nothing runs yet.
func (p *program) open(ctx context.Context, c config.Config, log *slog.Logger) (*house, error) {
	k, err := p.openKeys(c)
	if err != nil {
		return nil, err
	}
	sc := p.storeConfig(c)
	sc.Log = log
	db, err := store.Open(ctx, sc)
	if err != nil {
		return nil, err
	}
	h := &house{config: c, log: log, now: p.now, keys: k, db: db, ids: handle.Source{Now: p.now, Rand: p.rand}}
	if err := h.furnish(ctx, p); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *house) close() {
	if h.token != nil {
		_ = h.token.Close()
	}
	_ = h.db.Close()
}

func (h *house) furnish(ctx context.Context, p *program) error {
	var err error
	run, reads := h.db.Runner(), h.db.Reads()
	if h.jobs, err = job.Open(h.db, job.Config{Now: h.now, Log: h.log, Hold: h.holds}); err != nil {
		return err
	}
	h.record = audit.New(auditrows.New(reads), audit.Register(), h.now, p.rand)
	h.fence = h.newFence()
	h.repeat = idempotency.New(idempotencyrows.New(reads), h.now)
	h.review = review.New(run, reviewrows.New(reads), h.record)
	h.citizens = citizen.New(citizen.Deps{
		Runner: run, Rows: citizenrows.New(reads), Record: h.record, Looked: h.record, Now: h.now, Rand: p.rand,
	})
	h.protection = protection.New(protection.Deps{
		Runner: run, Rows: protectionrows.New(reads), People: citizenrows.New(reads), Record: h.record, IDs: h.ids, Now: h.now,
	})
	if err := h.furnishNotices(ctx); err != nil {
		return err
	}
	h.fence.Pushes = h.notices
	if err := h.furnishCertificates(ctx, p); err != nil {
		return err
	}
	h.approvals = approval.New(approval.Deps{Runner: run, Rows: approvalrows.New(reads), Record: h.record, IDs: h.ids, Now: h.now})
	if err := h.furnishBenefits(p); err != nil {
		return err
	}
	if err := h.furnishChildren(p); err != nil {
		return err
	}
	if err := h.furnishTerminals(p); err != nil {
		return err
	}
	h.logins = authnrows.New(reads)
	h.login = authn.Parts{
		Run: run, Rows: h.logins, Audit: h.record, Secret: h.keys.flow, Now: h.now, Rand: p.rand, Log: h.log,
	}
	if err := h.furnishWallet(p); err != nil {
		return err
	}
	return h.furnishStaff(p)
}

// furnishTerminals makes what terminals send to and ask of.
func (h *house) furnishTerminals(p *program) error {
	run, reads := h.db.Runner(), h.db.Reads()
	h.registry = payer.NewRegistry(payer.RegistryDeps{
		Runner: run, Rows: payerrows.New(), People: citizenrows.New(reads), Record: h.record, Key: h.keys.payer,
		Name: registryName,
	})
	payers, err := h.allPayers(p)
	if err != nil {
		return err
	}
	h.fleet = fleet.New(fleet.Deps{
		Runner: run, Rows: fleetrows.New(reads), Audit: h.record, Now: h.now, Rand: p.rand,
		Payers: profilePayers(payers), TokenAudience: h.config.PublicURL + authn.TokenPath,
		ReceiptKeys: receiptKeys(h.keys.receipt, h.keys.receipts), ExportRecipient: h.keys.export.Recipient().String(),
		SpreadMS: h.config.Terminals.Spread.Milliseconds(),
	})
	h.intake = intake.New(intake.Deps{
		Runner: run, Rows: intakerows.New(reads), Queue: h.jobs, Log: h.log, Now: h.now, Rand: p.rand,
		ServerEpoch: h.db.ServerEpoch(), Receipts: intake.ReceiptKey{ID: receiptKeyID(h.keys.receipt), Private: h.keys.receipt},
		Limits: h.intakeLimits(),
	})
	h.payers = payer.New(payer.Deps{
		Inbox: h.intake, Terminals: h.fleet, Record: h.record, Payers: answering(payers), Log: h.log, Now: h.now,
	})
	return nil
}

// registryName is how the registry payer is called at terminals.
const registryName = "この地域の資格登録（国民健康保険ほか）"

// providerTimeout ends a call to an OpenID provider.
const providerTimeout = 5 * time.Second

func (h *house) provider(l config.Login, key *ecdsa.PrivateKey, p *program, scopes ...string) (*authn.Provider, error) {
	return authn.NewProvider(authn.Client{
		Issuer: l.Issuer, ID: l.ClientID, RedirectURL: l.RedirectURL, Scopes: scopes, Key: key,
	}, &http.Client{Timeout: providerTimeout}, h.now, p.rand)
}

func (h *house) furnishStaff(p *program) error {
	provider, err := h.provider(h.config.StaffLogin, h.keys.staff, p)
	h.staff = authn.NewStaff(h.login, provider)
	return err
}

// importers are all the files that import can read.
func (h *house) importers() []importing.Importer {
	return slices.Concat(h.citizens.Importers(), []importing.Importer{
		h.fleet.Importer(), h.staff.Importer(), h.registry.Importer(), h.protection.Importer(),
	}, h.issuance.Importers(), h.children.Importers())
}

// openKeys reads the keys, and makes those that are not there.
func (p *program) openKeys(c config.Config) (k keys, err error) {
	ec := func(into **ecdsa.PrivateKey, path string) {
		if err == nil {
			*into, err = keyfile.ECDSA(path, p.rand)
		}
	}
	secret := func(into *[]byte, name string) {
		if err == nil {
			*into, err = keyfile.Secret(filepath.Join(c.KeyDir, name), 32, p.rand)
		}
	}
	ec(&k.token, filepath.Join(c.KeyDir, "access-token.pem"))
	ec(&k.citizen, c.CitizenLogin.KeyFile)
	ec(&k.staff, c.StaffLogin.KeyFile)
	secret(&k.cursor, "cursor.key")
	secret(&k.flow, "sign-in.key")
	secret(&k.revoke, "revocation.key")
	secret(&k.wallet, "wallet.key")
	secret(&k.children, "child-support.key")
	if err == nil {
		k.payer, err = keyfile.X25519(c.Payer.Registry.KeyFile)
	}
	if err == nil {
		k.receipt, err = keyfile.Ed25519(filepath.Join(c.KeyDir, "receipt.key"), p.rand)
	}
	if err == nil {
		k.receipts, err = otherReceiptKeys(c.KeyDir)
	}
	if err == nil {
		k.export, err = keyfile.X25519(filepath.Join(c.KeyDir, "export.key"))
	}
	return k, err
}

// oldTokenKeys reads the public keys of access tokens that are still taken: files
// access-token-*.pem.pub beside the one that signs.
func oldTokenKeys(dir string) ([]*ecdsa.PublicKey, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "access-token-*.pem.pub"))
	if err != nil {
		return nil, err
	}
	var out []*ecdsa.PublicKey
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read an older token key: %w", err)
		}
		key, err := keyfile.ParsePublic(raw)
		if err != nil {
			return nil, fmt.Errorf("cannot use an older token key: %w", err)
		}
		out = append(out, key)
	}
	return out, nil
}

// linker hands a sign-in to the register of residents.
type linker struct{ registry *citizen.Registry }

// Link implements authn.Linker.
func (l linker) Link(ctx context.Context, c authn.Claims) (actor.Citizen, error) {
	found, err := l.registry.Link(ctx, actor.System{Name: "sign-in"}, audit.Account, citizen.Claims(c))
	return actor.Citizen{ID: found.ID, Municipality: found.Municipality}, err
}

// municipality finds a municipality of this cell.
func (h *house) municipality(ctx context.Context, code identity.MunicipalityCode) (m citizen.Municipality, err error) {
	err = h.db.Runner().Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		m, err = h.citizens.Municipality(ctx, t, code)
		return err
	})
	return m, err
}
