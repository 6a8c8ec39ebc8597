package sdjwtvc

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"madoguchi.example/shared/internal/base64url"
	"madoguchi.example/shared/internal/jsonpull"
)

// The names that convey digests (RFC 9901 sections 4.1 and 4.2).
const (
	nameDigests = "_sd"
	namePlace   = "..."
	nameHash    = "_sd_alg"
)

// controls are the claims that an issuer may not hide (SD-JWT VC section "Registered JWT
// Claims"): who could leave one out would decide over issuer, time or revocation.
var controls = []string{"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"}

// disclosure is one disclosure as it was read.
type disclosure struct {
	text    []byte // as received
	name    string // of an object's member
	element bool   // of an array: it has no name
	value   *node
	used    bool
	index   int
	within  int // the disclosure in whose value its digest stands; -1: the token's payload
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return base64url.Encode(sum[:])
}

// readDisclosure reads [salt, name, value] or [salt, value].
func (s *store) readDisclosure(text []byte) (disclosure, error) {
	decoded, err := base64url.Decode(text)
	if err != nil {
		return disclosure{}, err
	}
	tree, err := s.parse(decoded)
	if err != nil {
		return disclosure{}, err
	}
	d := disclosure{text: text, within: -1}
	switch {
	case !tree.is(jsonpull.Array) || len(tree.kids) < 2 || len(tree.kids) > 3 || !tree.kids[0].is(jsonpull.String):
		return disclosure{}, errors.New("not [salt, value] or [salt, name, value]")
	case len(tree.kids) == 2:
		d.element, d.value = true, tree.kids[1]
		return d, nil
	case !tree.kids[1].is(jsonpull.String):
		return disclosure{}, errors.New("its name is not a string")
	}
	d.name, d.value = tree.kids[1].text, tree.kids[2]
	if d.name == nameDigests || d.name == namePlace || d.name == nameHash {
		return disclosure{}, errors.New("its name is reserved")
	}
	return d, nil
}

// discloser puts disclosures where their digests stand.
type discloser struct {
	all  []disclosure
	by   map[string]int      // digest to disclosure
	seen map[string]struct{} // digests met, decoys too
}

// disclose replaces digests in the payload by what was disclosed, and removes the rest.
// It refuses what RFC 9901 section 7.1 steps 3 to 5 refuse.
func disclose(payload *node, all []disclosure) error {
	d := discloser{all: all, by: make(map[string]int, len(all)), seen: map[string]struct{}{}}
	for i := range all {
		digest := digestOf(all[i].text)
		if _, twice := d.by[digest]; twice {
			return errors.New("a disclosure stands twice")
		}
		d.by[digest], all[i].index = i, i
	}
	payload.remove(nameHash)
	if err := d.visit(payload, -1, 0); err != nil {
		return err
	}
	for i := range all {
		if !all[i].used {
			return fmt.Errorf("disclosure %d belongs nowhere", i+1)
		}
		if all[i].within == -1 && slices.Contains(controls, all[i].name) && payload.get(all[i].name) == all[i].value {
			return fmt.Errorf("disclosure %d is a claim that may not be hidden", i+1)
		}
	}
	return nil
}

// visit goes through the value of the disclosure called within, or of the payload.
func (d *discloser) visit(n *node, within, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("nested deeper than %d", maxNesting)
	}
	switch n.kind {
	case jsonpull.Object:
		return d.object(n, within, depth)
	case jsonpull.Array:
		return d.array(n, within, depth)
	}
	return nil
}

func (d *discloser) object(n *node, within, depth int) error {
	if n.get(namePlace) != nil || n.get(nameHash) != nil {
		return errors.New("a reserved name where it may not stand")
	}
	digests := n.remove(nameDigests)
	for _, kid := range n.kids {
		if err := d.visit(kid, within, depth+1); err != nil {
			return err
		}
	}
	if digests == nil {
		return nil
	}
	if !digests.is(jsonpull.Array) {
		return errors.New("_sd is not an array")
	}
	for _, digest := range digests.kids {
		found, err := d.take(digest, within)
		if err != nil {
			return err
		}
		if found == nil {
			continue
		}
		if found.element {
			return errors.New("a disclosure of an array's entry stands for a member")
		}
		if n.get(found.name) != nil {
			return errors.New("a disclosure would overwrite a claim")
		}
		n.add(found.name, found.value)
		if err := d.visit(found.value, found.index, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (d *discloser) array(n *node, within, depth int) error {
	kept := n.kids[:0]
	for _, kid := range n.kids {
		digest := kid.get(namePlace)
		if digest == nil {
			if err := d.visit(kid, within, depth+1); err != nil {
				return err
			}
			kept = append(kept, kid)
			continue
		}
		if len(kid.names) != 1 {
			return errors.New("a place in an array has other members")
		}
		found, err := d.take(digest, within)
		if err != nil {
			return err
		}
		if found == nil {
			n.hidden++
			continue
		}
		if !found.element {
			return errors.New("a disclosure of a member stands for an array's entry")
		}
		if err := d.visit(found.value, found.index, depth+1); err != nil {
			return err
		}
		kept = append(kept, found.value)
	}
	n.kids = kept
	return nil
}

// take gives the disclosure that a digest stands for, nil for none.
func (d *discloser) take(digest *node, within int) (*disclosure, error) {
	if !digest.is(jsonpull.String) {
		return nil, errors.New("a digest is not a string")
	}
	if _, twice := d.seen[digest.text]; twice {
		return nil, errors.New("a digest stands twice")
	}
	d.seen[digest.text] = struct{}{}
	i, known := d.by[digest.text]
	if !known {
		return nil, nil
	}
	d.all[i].used, d.all[i].within = true, within
	return &d.all[i], nil
}
