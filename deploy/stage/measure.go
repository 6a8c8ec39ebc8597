package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// receptionists are how many Fill records for at once.
const receptionists = 16

// Fill records so many checks through the desk's form, each of another person, as sixteen
// receptionists would, and tells how many were confirmed in a second.
func (t *Terminal) Fill(ctx context.Context, records int) (perSecond float64, err error) {
	client, csrf, err := t.Open(ctx)
	if err != nil {
		return 0, err
	}
	var next, failed atomic.Int64
	var work sync.WaitGroup
	began := time.Now()
	for range receptionists {
		work.Go(func() {
			for n := next.Add(1); n <= int64(records); n = next.Add(1) {
				if t.check(ctx, client, csrf, 1000+int(n)) != nil {
					failed.Add(1)
				}
			}
		})
	}
	work.Wait()
	if n := failed.Load(); n > 0 {
		return 0, fmt.Errorf("cannot fill the terminal: %d of %d records were not confirmed", n, records)
	}
	return float64(records) / time.Since(began).Seconds(), nil
}

// check records one check under a member number.
func (t *Terminal) check(ctx context.Context, client *http.Client, csrf string, number int) error {
	form := url.Values{
		"insurer_number": {"33120015"}, "number": {strconv.Itoa(number)}, "birth_date": {"1980-04-01"},
		"evidence": {"certificate"}, "copayment": {"30"}, "override": {"1"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Desk()+"/checks", strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("cannot ask the desk: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("HX-Request", "true")
	req.Header.Set("X-CSRF-Token", csrf)
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the desk: %w", err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("cannot record a check: the desk answered %d", resp.StatusCode)
	}
	return err
}

// Resident gives the memory in MB that a process holds for itself (RssAnon): resident pages
// that are not mapped files, which the system takes back when it needs them. Linux alone
// tells it.
func Resident(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("cannot read resident memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				return 0, fmt.Errorf("cannot read resident memory: %w", err)
			}
			return float64(kb) / 1024, nil
		}
	}
	return 0, errors.New("cannot read resident memory: the process tells none")
}
