package door

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/shared/fault"
)

// Limits of pairing.
const (
	PairLife      = 5 * time.Minute
	MaxWaiting    = 5  // devices that wait at once
	MaxPerAddress = 2  // of them from one address
	MaxDevices    = 20 // that are paired
	MaxDeviceName = operator.MaxName
	// deviceLife is how long a browser keeps its key.
	deviceLife = 400 * 24 * time.Hour
)

// device is another PC that was let in.
type device struct {
	Number int       `json:"number"`
	Name   string    `json:"name"`
	Hash   string    `json:"hash"`
	Paired time.Time `json:"paired"`
	By     string    `json:"by"` // the lead's id
}

func (v device) id() string { return "dev_" + strconv.Itoa(v.Number) }

// waiting is another PC that asked and waits for a lead.
type waiting struct {
	ID, Name, Code, Address string
	At                      time.Time
	hash                    string
}

func (d *Door) loadDevices(ctx context.Context) error {
	err := d.c.Devices.Each(ctx, func(key string, value []byte) error {
		var v device
		if json.Unmarshal(value, &v) != nil || v.id() != key || v.Hash == "" {
			d.c.Log.Warn("a paired device cannot be read; it must be paired again", "device", key)
			return nil
		}
		d.devices[key] = v
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot read the paired devices: %w", err)
	}
	return nil
}

// deviceOf gives the paired device whose key the request holds.
func (d *Door) deviceOf(r *http.Request) (string, bool) {
	cookie, err := r.Cookie(deviceCookie)
	if err != nil {
		return "", false
	}
	hash := hashOf(cookie.Value)
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, v := range d.devices {
		if v.Hash == hash {
			return id, true
		}
	}
	return "", false
}

// forgetWaiting drops what waited too long. The caller holds mu.
func (d *Door) forgetWaiting(now time.Time) {
	for hash, w := range d.waiting {
		if age := now.Sub(w.At); age >= PairLife || age < 0 {
			delete(d.waiting, hash)
		}
	}
}

// pairFirst leads an unpaired PC to the one page that it may see.
func (e *entrance) pairFirst(w http.ResponseWriter, r *http.Request) {
	if acts(r) && r.URL.Path != eventsPath {
		http.Redirect(w, r, "/pair", http.StatusSeeOther)
		return
	}
	http.Error(w, "pair this PC first", http.StatusUnauthorized)
}

// mine gives what waits under the request's key.
func (d *Door) mine(r *http.Request) (waiting, bool) {
	cookie, err := r.Cookie(deviceCookie)
	if err != nil {
		return waiting{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgetWaiting(d.c.Now())
	w, ok := d.waiting[hashOf(cookie.Value)]
	if !ok {
		return waiting{}, false
	}
	return *w, true
}

func (e *entrance) pairPage(w http.ResponseWriter, r *http.Request) {
	if _, ok := e.deviceOf(r); ok {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	v := e.view(r, "pair")
	if m, ok := e.mine(r); ok {
		v.Page, v.Waiting = "pair-wait", []waiting{m}
	}
	e.show(w, r, http.StatusOK, v)
}

// pairState tells the waiting page how it stands.
func (e *entrance) pairState(w http.ResponseWriter, r *http.Request) {
	state := "gone"
	if _, ok := e.deviceOf(r); ok {
		state = "paired"
	} else if _, ok := e.mine(r); ok {
		state = "waiting"
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"state": state})
}

func (e *entrance) pairAuthority(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-x509-ca-cert")
	w.Header().Set("Content-Disposition", `attachment; filename="madoguchi-ca.crt"`)
	_, _ = w.Write(e.c.LAN.authorityPEM())
}

// pairAsk puts a PC among those that wait, and gives it a key that opens nothing yet.
func (e *entrance) pairAsk(w http.ResponseWriter, r *http.Request) {
	v := e.view(r, "pair")
	if err := r.ParseForm(); err != nil {
		v.Fault = "name_form"
		e.show(w, r, http.StatusUnprocessableEntity, v)
		return
	}
	key, err := e.wait(r)
	if err != nil {
		status, word := told(err)
		if word == "" {
			e.refuse(w, r, err)
			return
		}
		v.Fault, v.Name = word, nameAgain(r, word)
		e.show(w, r, status, v)
		return
	}
	e.cookie(w, deviceCookie, key, deviceLife)
	http.Redirect(w, r, "/pair", http.StatusSeeOther)
}

func (e *entrance) wait(r *http.Request) (string, error) {
	name, err := operator.CleanName(r.PostFormValue("name"))
	if err != nil {
		return "", err
	}
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	key, err := secret(e.c.Rand)
	if err != nil {
		return "", err
	}
	n, err := rand.Int(e.c.Rand, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("cannot make a code: %w", err)
	}
	now := e.c.Now()
	w := &waiting{Name: name, Code: fmt.Sprintf("%06d", n), Address: address, At: now, hash: hashOf(key)}
	w.ID = w.hash[:16]
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forgetWaiting(now)
	same := 0
	for _, other := range e.waiting {
		if other.Address == address {
			same++
		}
	}
	if len(e.waiting) >= MaxWaiting || same >= MaxPerAddress {
		return "", fault.At(fault.RateLimited, "", "pair_many")
	}
	e.waiting[w.hash] = w
	e.c.Log.Info("a PC asks to be paired", "address", address)
	return key, nil
}

// accept lets a waiting PC in. The code is the one that the lead compared.
func (d *Door) accept(ctx context.Context, id, code, by string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgetWaiting(d.c.Now())
	for hash, w := range d.waiting {
		if w.ID != id || w.Code != code {
			continue
		}
		v := device{Number: 1, Name: w.Name, Hash: hash, Paired: d.c.Now().UTC(), By: by}
		for _, other := range d.devices {
			v.Number = max(v.Number, other.Number+1)
		}
		if len(d.devices) >= MaxDevices {
			return fault.At(fault.Conflict, "", "devices_many")
		}
		text, err := json.Marshal(v)
		if err == nil {
			err = d.c.Devices.PutAll(ctx, map[string][]byte{v.id(): text})
		}
		if err != nil {
			return fmt.Errorf("cannot store a device: %w", err)
		}
		d.devices[v.id()] = v
		delete(d.waiting, hash)
		d.c.Log.Info("a PC was paired", "device", v.id(), "by", by)
		return nil
	}
	return fault.At(fault.NotFound, "", "pair_gone")
}

func (d *Door) reject(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for hash, w := range d.waiting {
		if w.ID == id {
			delete(d.waiting, hash)
		}
	}
}

// Revoke takes a device's key and ends its sessions at once.
func (d *Door) Revoke(ctx context.Context, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.devices[id]; !ok {
		return fault.At(fault.NotFound, "", "pair_gone")
	}
	if err := d.c.Devices.Delete(ctx, id); err != nil {
		return fmt.Errorf("cannot remove a device: %w", err)
	}
	delete(d.devices, id)
	for _, s := range d.sessions {
		if s.Device == id {
			d.drop(ctx, s)
		}
	}
	d.c.Log.Info("a PC was sent away", "device", id)
	return nil
}

// shownDevice is a device as the page shows it.
type shownDevice struct {
	ID, Name, By string
	Paired       time.Time
	Open         bool // somebody is at it
}

// listed gives the devices and those that wait, in the order in which they came.
func (d *Door) listed() ([]shownDevice, []waiting) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgetWaiting(d.c.Now())
	var in []shownDevice
	for id, v := range d.devices {
		s := shownDevice{ID: id, Name: v.Name, By: v.By, Paired: v.Paired}
		if o, ok := d.c.Operators.Find(v.By); ok {
			s.By = o.Name
		}
		for _, session := range d.sessions {
			s.Open = s.Open || (session.Device == id && session.Operator != "" && !session.Locked)
		}
		in = append(in, s)
	}
	slices.SortFunc(in, func(a, b shownDevice) int { return a.Paired.Compare(b.Paired) })
	var waits []waiting
	for _, w := range d.waiting {
		waits = append(waits, *w)
	}
	slices.SortFunc(waits, func(a, b waiting) int { return a.At.Compare(b.At) })
	return in, waits
}
