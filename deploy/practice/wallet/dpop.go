package wallet

import "net/http"

// scheme is how the wallet's tokens are brought.
func (w *Wallet) scheme() string {
	if w.Assured {
		return "DPoP"
	}
	return "Bearer"
}

// bind adds a proof that the wallet holds the key of its tokens (RFC 9449 section 4.2).
func (w *Wallet) bind(req *http.Request, token string) error {
	if !w.Assured {
		return nil
	}
	w.own.Lock()
	defer w.own.Unlock()
	if w.key == nil {
		key, err := w.NewKey()
		if err != nil {
			return err
		}
		w.key = key
	}
	id, err := w.secret(16)
	if err != nil {
		return err
	}
	claims := map[string]any{"jti": id, "htm": req.Method, "htu": req.URL.String(), "iat": w.Now().Unix()}
	if token != "" {
		claims["ath"] = digest(token)
	}
	proof, err := sign(w.key, "dpop+jwt", true, claims)
	if err != nil {
		return err
	}
	req.Header.Set("DPoP", proof)
	return nil
}
