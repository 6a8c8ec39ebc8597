package faults_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"madoguchi.example/deploy/faults/witness"
	"madoguchi.example/deploy/stage"
	"madoguchi.example/shared/wire"
)

// maxAnswer is more than an answer to a batch of a few records has, in bytes.
const maxAnswer = 8 << 10

// patient is how many cuts there are to each one after which the terminal is left to ask
// again by itself, since that takes it some seconds.
const patient = 12

// How long a connection stays open that is not cut, also on a machine that has much else to
// do, and how long an entry may take to bring a batch before another one is made.
const (
	stays    = 2 * time.Second
	patience = 3 * time.Second
)

// arrival is a batch to which the backend has answered.
type arrival struct {
	wire.Batch
	ended <-chan struct{} // closed with the connection on which the answer goes
}

// cutLine is a terminal with a line of its own, through Toxiproxy.
type cutLine struct {
	*witness.Witness
	ctx     context.Context
	proxy   *toxiproxy.Proxy
	batches chan arrival
	cuts    int
}

// newCutLine enrols a terminal with such a line. first is another witness of the stage, if
// there is one.
func newCutLine(t *testing.T, ctx context.Context, s *stage.Stage, first *cutLine) *cutLine {
	t.Helper()
	own := s.Line
	defer func() { s.Line = own }() // the stage closes its own alone
	link, err := stage.NewLink("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = link.Close() })
	s.Line = link
	l := &cutLine{ctx: ctx, batches: make(chan arrival, 1024)}
	if terminal := enrolThrough(t, ctx, s); first == nil {
		l.Witness = witness.New(t, ctx, s, terminal)
	} else {
		l.Witness = first.At(terminal)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	l.proxy = toxiproxy.NewProxy(server, "line", "127.0.0.1:0", l.Tap.Address())
	if err := l.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.proxy.Stop)
	s.Line.Lead(l.proxy.Listen)
	l.Tap.WhenStored(func(b wire.Batch, ended <-chan struct{}) {
		select {
		case l.batches <- arrival{b, ended}:
		default: // nobody asks any more
		}
	})
	l.Start()
	l.Record()
	l.AllSent()
	return l
}

// enrolThrough enrols a terminal over the stage's line as it is now.
func enrolThrough(t *testing.T, ctx context.Context, s *stage.Stage) *stage.Terminal {
	t.Helper()
	address, err := s.Backend.Listening(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.Line.Lead(address)
	return enrol(t, ctx, s)
}

// The connection is cut at every byte of an answer to a batch (every few bytes in the small
// count), from none of it to all but the last: what was sent is sent again, and taken in
// once, by a terminal that asks again by itself after a moment, and by one that was killed
// and started. Several terminals share the bytes.
func TestAnAnswerMayBeCutAtAnyByte(t *testing.T) {
	c := counts(t)
	step, lines := c.AnswerStep, c.AnswerLines
	ctx := limit(t, long)
	s := house(t, ctx)
	var all []*cutLine
	for range lines {
		var first *cutLine
		if len(all) > 0 {
			first = all[0]
		}
		all = append(all, newCutLine(t, ctx, s, first))
	}
	faults := make([]error, lines)
	var work sync.WaitGroup
	for i, l := range all {
		work.Go(func() { faults[i] = l.cutEvery(i*step, lines*step) })
	}
	work.Wait()
	if err := errors.Join(faults...); err != nil {
		t.Error(err)
	}
	cuts := 0
	for _, l := range all {
		l.AllSent()
		cuts += l.cuts
	}
	all[0].MustHold()
	t.Logf("an answer was cut at %d places, one every %d bytes", cuts, step)
	if cuts < 200/step {
		t.Errorf("only %d cuts", cuts)
	}
}

// cutEvery cuts answers after from bytes, from and step bytes, and so on until one arrives
// whole.
func (l *cutLine) cutEvery(from, step int) error {
	for after := from; after <= maxAnswer; after += step {
		again, err := l.cutAfter(after, l.cuts%patient != 0)
		if err != nil {
			return fmt.Errorf("an answer cut after %d bytes: %w", after, err)
		}
		if !again {
			return nil
		}
		l.cuts++
	}
	return errors.New("an answer never arrived whole")
}

// cutAfter cuts one answer, kills the terminal then or not, and tells whether it sent the
// records again.
func (l *cutLine) cutAfter(bytes int, kill bool) (again bool, err error) {
	cut := fmt.Sprintf(`{"name":"cut","type":"limit_data","stream":"downstream","attributes":{"bytes":%d}}`, bytes)
	if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(cut)); err != nil {
		return false, err
	}
	for len(l.batches) > 0 {
		<-l.batches
	}
	first, err := l.sent()
	if err != nil {
		return false, err
	}
	was := wasCut(first)
	if err := l.proxy.Toxics.RemoveToxic(l.ctx, "cut"); err != nil {
		return false, err
	}
	if was && kill {
		l.Kill()
		if err := l.TryStart(); err != nil {
			return false, err
		}
	}
	second, err := l.sent()
	if err != nil {
		return false, err
	}
	again = slices.ContainsFunc(second.Records, func(r wire.Record) bool { return r.ID == first.Records[0].ID })
	if again && !was {
		err = errors.New("it arrived whole, and what it was for was sent again")
	}
	return again, err
}

// sent records until the backend has taken a batch with records, and gives it.
func (l *cutLine) sent() (arrival, error) {
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for {
		if a := l.Try(); !a.Confirmed() {
			return arrival{}, fmt.Errorf("the desk answered %d: %.300s", a.Status, a.Text)
		}
		select {
		case b := <-l.batches:
			if len(b.Records) > 0 {
				return b, nil
			}
		case <-tick.C:
		case <-l.ctx.Done():
			return arrival{}, fmt.Errorf("no batch comes: %w", l.ctx.Err())
		}
	}
}

// wasCut waits for the end of the connection on which the answer goes. One that stays has
// carried it whole.
func wasCut(b arrival) bool {
	timer := time.NewTimer(stays)
	defer timer.Stop()
	select {
	case <-b.ended:
		return true
	case <-timer.C:
		return false
	}
}
