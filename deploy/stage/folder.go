package stage

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"

	"madoguchi.example/deploy/practice/oqs"
)

// folderName is the folder of the exchange with the practice 資格確認端末.
const folderName = "oqs"

// institutionOf reads the institution code of an office from the import's file.
func institutionOf(file, office string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("cannot find the clinic: %w", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) == 0 {
		return "", fmt.Errorf("cannot find the clinic: %w", err)
	}
	ref, code := slices.Index(rows[0], "office_ref"), slices.Index(rows[0], "institution_code")
	for _, row := range rows[1:] {
		if ref >= 0 && code >= 0 && row[ref] == office {
			return row[code], nil
		}
	}
	return "", fmt.Errorf("cannot find the clinic %s", office)
}

// FolderDir is the folder of the exchange: req, res and face lie below it.
func (s *Stage) FolderDir() string { return s.path(folderName) }

// Behave has the practice 資格確認端末 answer so from now on.
func (s *Stage) Behave(ctx context.Context, b oqs.Behaviour) error {
	return s.control(ctx, http.MethodPut, "/behaviour", b, nil)
}

// Face has somebody put their card on the practice face reader.
func (s *Stage) Face(ctx context.Context, c oqs.Card) error {
	return s.control(ctx, http.MethodPost, "/face", c, nil)
}

// Folder tells what the practice 資格確認端末 has done so far.
func (s *Stage) Folder(ctx context.Context) (state oqs.State, err error) {
	return state, s.control(ctx, http.MethodGet, "/state", nil, &state)
}

func (s *Stage) control(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return fmt.Errorf("cannot reach the practice 資格確認端末: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.PracticeURL+oqs.Path+path, &body)
	if err != nil {
		return fmt.Errorf("cannot reach the practice 資格確認端末: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the practice 資格確認端末: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the practice 資格確認端末 answered %d: %s (%w)", resp.StatusCode, raw, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20
