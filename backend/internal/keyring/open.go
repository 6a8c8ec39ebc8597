package keyring

import (
	"context"
	"encoding/pem"
	"errors"
	"io/fs"
	"path/filepath"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/shared/fault"
)

// issuerFile is where the one key of earlier versions lies. It becomes the first shc key,
// so that the cards that it signed stay good.
const issuerFile = "certificate-issuer.pem"

// Open gives the ring, and makes the first key of each use that has none; it is in force
// at once. Processes that open at once end with one.
func Open(ctx context.Context, d Deps) (*Ring, error) {
	r := &Ring{Deps: d, loaded: map[Use]loadedKey{}}
	who := actor.System{Name: "start"}
	if err := r.adopt(ctx, who); err != nil {
		return nil, err
	}
	for _, use := range Uses() {
		if err := r.begin(ctx, who, use); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// begin makes the first key of a use.
func (r *Ring) begin(ctx context.Context, who actor.System, use Use) error {
	all, err := r.Rows.Keys(ctx, nil, use)
	if err != nil || len(all) > 0 {
		return err
	}
	first, err := r.first(use)
	if err != nil {
		return err
	}
	return r.change(ctx, who, audit.SigningKeys, use, first, func(s state) (plan, error) {
		if len(s.all) > 0 {
			return plan{}, nil
		}
		k := first.Stored
		k.PublishedFrom, k.UseFrom = s.now, s.now
		return plan{action: "key.create", insert: &k}, nil
	})
}

func (r *Ring) first(use Use) (*spare, error) {
	if use != SHC {
		return r.make(use)
	}
	key, err := keyfile.Read(filepath.Join(r.Dir, issuerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r.make(use)
	}
	if err != nil {
		return nil, err
	}
	id, err := nameOf(use, &key.PublicKey, nil)
	if err != nil {
		return nil, err
	}
	return &spare{Stored: Stored{Key: Key{ID: id, Use: use, Public: &key.PublicKey}, Locator: inFile + issuerFile}}, nil
}

// adopt takes the passport authority's signer of the configuration in, unless it was
// before. It replaces a specimen at once. While another one waits, it is left for the first
// start after that.
func (r *Ring) adopt(ctx context.Context, who actor.System) error {
	if r.Border == nil {
		return nil
	}
	given, err := r.borrow(*r.Border)
	if err != nil {
		return err
	}
	all, err := r.Rows.Keys(ctx, nil, VDSNC)
	if err != nil {
		return err
	}
	if _, waits := coming(all, r.now()); waits || has(all, given.ID) {
		return nil
	}
	given.Locator, err = r.keepBorrowed(given)
	if err != nil {
		return err
	}
	return r.change(ctx, who, audit.SigningKeys, VDSNC, &given.spare, func(s state) (plan, error) {
		if _, waits := coming(s.all, s.now); waits || has(s.all, given.ID) {
			return plan{}, nil
		}
		return rotated(s, given.Stored, r.CacheLifetime)
	})
}

func has(all []Stored, id string) bool {
	for _, k := range all {
		if k.ID == id {
			return true
		}
	}
	return false
}

// borrowed is a signer from outside with its key, not yet kept.
type borrowed struct {
	spare
	fresh fresh
}

// borrow reads a signer from outside and checks that certificate and key belong together.
func (r *Ring) borrow(b Border) (borrowed, error) {
	der := b.Certificate
	if block, _ := pem.Decode(der); block != nil {
		der = block.Bytes
	}
	public, err := checkBorder(der)
	if err != nil {
		return borrowed{}, err
	}
	out := borrowed{}
	switch {
	case b.Label != "":
		out.fresh.label = b.Label
		if out.fresh.signer, err = r.fetch(inToken + b.Label); err != nil {
			return borrowed{}, err
		}
	case b.Key != nil:
		out.fresh.signer = b.Key
	default:
		return borrowed{}, fault.At(fault.InvalidArgument, "key", "goes together with the certificate: name both")
	}
	if !public.Equal(out.fresh.signer.Public()) {
		return borrowed{}, fault.At(fault.InvalidArgument, "key", "is not the key of the certificate")
	}
	id, err := nameOf(VDSNC, public, der)
	if err != nil {
		return borrowed{}, err
	}
	out.Stored = Stored{Key: Key{ID: id, Use: VDSNC, Public: public, Certificate: der}}
	return out, nil
}

func (r *Ring) keepBorrowed(b borrowed) (string, error) { return r.keep(b.fresh, VDSNC, b.ID) }
