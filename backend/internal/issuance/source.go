package issuance

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
)

// Source is a form in which offices hand over records. Each says the same rows, so that a
// record is the same whichever source brought it: the next one, of the national system, is
// one more here.
type Source interface {
	// Name is the form's, for people.
	Name() string
	// Importers take in its files.
	Importers() []importing.Importer
}

// Sources lists them.
func (x *Office) Sources() []Source { return []Source{csvSource{x}, fhirSource{x}} }

// Importers are those of all sources.
func (x *Office) Importers() []importing.Importer {
	var out []importing.Importer
	for _, s := range x.Sources() {
		out = append(out, s.Importers()...)
	}
	return out
}

// csvSource is the export of an office's register.
type csvSource struct{ office *Office }

// Name implements Source.
func (csvSource) Name() string { return "CSV" }

// Importers implements Source.
func (s csvSource) Importers() []importing.Importer {
	return []importing.Importer{s.office.Importer(), s.office.Corrections()}
}

// fhirSource is a bundle of FHIR R4 (4.0.1) Immunization resources: see readBundle.
type fhirSource struct{ office *Office }

// Name implements Source.
func (fhirSource) Name() string { return "FHIR R4" }

// Importers implements Source.
func (s fhirSource) Importers() []importing.Importer {
	return []importing.Importer{importing.ForDocuments(s.office.documented(), importing.Form{End: ".fhir.json", Paths: fhirPaths, Rows: readBundle})}
}

// The acts of a document's rows, beside those of corrections.
const added Act = "add"

// documented is the sheet of documents that bring new records and void old ones.
func (x *Office) documented() importing.Sheet[amendment] {
	s := x.amendments()
	s.Parse = func(r *importing.Row) amendment {
		if Act(r.OneOf("act", string(added), string(Void))) == Void {
			a := x.parseVoid(r, "resident_ref")
			a.ref.Resident, a.ifKnown = r.Ref("resident_ref"), true
			return a
		}
		return amendment{line: x.parse(r), act: added, digest: r.Digest(x.columns())}
	}
	s.Store = x.storeDocumented
	return s
}

// storeDocumented stores what is new and sorts what is to be voided.
func (x *Office) storeDocumented(ctx context.Context, t tx.Tx, who actor.System, batch []importing.Entry[amendment]) ([]importing.Verdict, error) {
	var fresh []importing.Entry[line]
	var voided []importing.Entry[amendment]
	for _, e := range batch {
		if e.Value.act == added {
			fresh = append(fresh, importing.Entry[line]{Line: e.Line, Key: e.Key, Place: e.Place, Digest: e.Value.digest, Value: e.Value.line})
		} else {
			voided = append(voided, e)
		}
	}
	stored, err := x.store(ctx, t, who, fresh)
	if err != nil {
		return nil, err
	}
	sorted, err := x.sortAmendments(ctx, t, who, voided)
	if err != nil {
		return nil, err
	}
	out := make([]importing.Verdict, len(batch))
	for i, e := range batch {
		from := &sorted
		if e.Value.act == added {
			from = &stored
		}
		out[i], *from = (*from)[0], (*from)[1:]
	}
	return out, nil
}
