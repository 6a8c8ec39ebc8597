package terminal

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/shared/wire"
)

// SignHealth writes a summary as a compact JWS (ES256, by the terminal's key) under the type
// wire.HealthType. Terminal is filled in here.
func (t *Terminal) SignHealth(h wire.Health) (string, error) {
	h.Terminal = t.ID()
	payload, err := wire.EncodeHealth(h)
	if err != nil {
		return "", err
	}
	head, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Typ string `json:"typ"`
	}{jwt.SigningMethodES256.Alg(), wire.HealthType})
	if err != nil {
		return "", err
	}
	plain := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(payload)
	mark, err := jwt.SigningMethodES256.Sign(plain, t.sign)
	if err != nil {
		return "", fmt.Errorf("cannot sign the health summary: %w", err)
	}
	return plain + "." + base64.RawURLEncoding.EncodeToString(mark), nil
}
