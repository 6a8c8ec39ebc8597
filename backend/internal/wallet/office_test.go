package wallet_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/publication"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
	walletrows "madoguchi.example/backend/internal/store/wallet"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/backend/internal/wallet"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/trust"
)

// realCards are the office's certificates.
type realCards struct{ *issuance.Office }

func (c realCards) Held(ctx context.Context, who actor.Citizen, purpose audit.Purpose) ([]wallet.Held, error) {
	list, err := c.List(ctx, who, purpose, func(string) bool { return false })
	var out []wallet.Held
	for _, x := range list.Certificates {
		out = append(out, wallet.Held{ID: x.ID, Person: x.Person, Good: !x.Superseded && x.Revoked.IsZero()})
	}
	return out, err
}

const records = `record_ref,resident_ref,municipality_code,vaccine_code,product,manufacturer,lot,dose_number,given_on,performer,country
V1,R1,990019,208,コミナティ筋注,ファイザー,PX0001,1,2021-07-01,みなと市集団接種会場,JPN
`

// A wallet's copy holds before a terminal that trusts what is published, until its
// certificate is revoked; then the copy is, and no other can be fetched.
func TestACopyIsRevokedWithItsCertificate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		town := folk.Settle(t, db)
		papers := town.Papers(t)
		town.Import(t, map[string]string{"vaccinations.csv": records}, papers.Office.Importer())
		desk, err := wallet.New(wallet.Deps{
			Runner: db.Runner(), Rows: walletrows.New(db.Reads()), Certificates: realCards{papers.Office}, Signers: papers.Ring,
			Place: func(index int64) (string, int64) {
				n, place := publication.StatusPlace(index)
				return publication.StatusURI(folk.Issuer, n), place
			},
			SignIn: door{}, Keeper: town.Keeper, Record: town.Log, Issuer: folk.Issuer, Secret: bytes.Repeat([]byte{9}, 32),
			IDs: town.IDs, Now: town.Now, Rand: town.Rand,
		})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{Desk: desk, db: db, now: town.Now()}
		citizen := town.Citizen(t, "990019", "R1")
		card, err := papers.Office.Issue(t.Context(), citizen, audit.CertificateIssuance, requestKey, issuance.Asked{Person: citizen.ID, Use: issuance.Domestic})
		if err != nil {
			t.Fatal(err)
		}
		o, err := w.Offer(t.Context(), citizen, audit.CertificateIssuance, requestKey, card.ID)
		if err != nil {
			t.Fatal(err)
		}
		granted, err := w.Token(t.Context(), form("grant_type", preGrant, "pre-authorized_code", codeOf(t, o.URI), "tx_code", o.TxCode))
		if err != nil {
			t.Fatal(err)
		}
		issued, err := w.ask(granted.AccessToken, w.proof(t).sign(t))
		if err != nil {
			t.Fatal(err)
		}
		verdict := func() cert.Verdict {
			t.Helper()
			town.Advance(publication.Staleness)
			bundle, _, err := papers.Press.TrustBundle(t.Context(), actor.Terminal{}, audit.TerminalOperation)
			if err != nil {
				t.Fatal(err)
			}
			files, err := trust.ReadTar(bytes.NewReader(bundle))
			if err != nil {
				t.Fatal(err)
			}
			snap, err := verify.LoadTrust(files)
			if err != nil {
				t.Fatal(err)
			}
			return verify.Verify([]byte(issued.Credentials[0].Credential), snap, town.Now())
		}
		if v := verdict(); v.Outcome != cert.Valid || v.Certificate.Holder.Kanji() != "山田 花子" || strings.Contains(issued.Credentials[0].Credential, "花子") {
			t.Fatalf("outcome %s, %s, findings %v", v.Outcome, v.Reason, v.Findings)
		}
		if err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
			return papers.Office.Revoke(ctx, tt, actor.System{Name: "test"}, audit.CertificateIssuance, citizen.ID, card.ID, issuance.Grounds{Ground: issuance.OnRequest})
		}); err != nil {
			t.Fatal(err)
		}
		if v := verdict(); v.Outcome != cert.Revoked {
			t.Errorf("outcome %s, %s", v.Outcome, v.Reason)
		}
		_, err = w.ask(granted.AccessToken, w.proof(t).sign(t))
		wants(t, "another copy", err, "credential_request_denied")
	})
}
