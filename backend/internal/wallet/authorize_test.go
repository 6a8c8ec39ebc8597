package wallet_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/wallet"
	"madoguchi.example/shared/fault"
)

func changed(name string, values ...string) url.Values {
	q := request()
	q[name] = values
	return q
}

// Before the wallet's address is known to be the client's own, nobody is led anywhere.
func TestWhatIsShown(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		for name, q := range map[string]url.Values{
			"nothing":             {},
			"no client":           changed("client_id"),
			"an unknown client":   changed("client_id", "https://evil.example"),
			"two clients":         changed("client_id", clientID, otherID),
			"no redirect":         changed("redirect_uri"),
			"two redirects":       changed("redirect_uri", home, home),
			"another's redirect":  changed("redirect_uri", otherHome),
			"a longer redirect":   changed("redirect_uri", home+"&y=1"),
			"a shorter redirect":  changed("redirect_uri", "https://wallet.example/cb"),
			"a redirect in caps":  changed("redirect_uri", strings.ToUpper(home)),
			"a redirect to evil":  changed("redirect_uri", "https://wallet.example@evil.example/cb?x=1"),
			"a script":            changed("redirect_uri", "javascript:alert(1)"),
			"an unknown request":  {"client_id": {clientID}, "request_uri": {"urn:ietf:params:oauth:request_uri:x"}},
			"a request elsewhere": {"client_id": {clientID}, "redirect_uri": {home}, "request_uri": {"https://evil.example/r"}},
			"no request":          {"client_id": {clientID}, "request_uri": {""}},
		} {
			step, err := w.Authorize(t.Context(), q)
			if fault.CodeOf(err) != fault.InvalidArgument || step.Location != "" {
				t.Errorf("%s: led to %q, %v", name, step.Location, err)
			}
		}
	})
}

func TestWhatTheWalletIsTold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		for name, c := range map[string]struct {
			q    url.Values
			want string
		}{
			"no response type":   {changed("response_type"), "invalid_request"},
			"a token at once":    {changed("response_type", "token"), "unsupported_response_type"},
			"in the fragment":    {changed("response_mode", "fragment"), "invalid_request"},
			"no challenge":       {changed("code_challenge"), "invalid_request"},
			"a short challenge":  {changed("code_challenge", "abc"), "invalid_request"},
			"plain":              {changed("code_challenge_method", "plain"), "invalid_request"},
			"no method":          {changed("code_challenge_method"), "invalid_request"},
			"a method twice":     {changed("code_challenge_method", "S256", "S256"), "invalid_request"},
			"a request object":   {changed("request", "eyJ"), "request_not_supported"},
			"no scope":           {changed("scope"), "invalid_scope"},
			"another scope":      {changed("scope", "openid"), "invalid_scope"},
			"details of another": {changed("authorization_details", `[{"type":"openid_credential","credential_configuration_id":"x"}]`), "invalid_authorization_details"},
			"a key of no sense":  {changed("dpop_jkt", "x"), "invalid_request"},
		} {
			step, err := w.Authorize(t.Context(), c.q)
			if err != nil || step.Secret != "" {
				t.Errorf("%s: %v", name, err)
				continue
			}
			u, err := url.Parse(step.Location)
			if err != nil || !strings.HasPrefix(step.Location, home+"&") {
				t.Errorf("%s: led to %q", name, step.Location)
				continue
			}
			if q := u.Query(); q.Get("error") != c.want || q.Get("iss") != iss || q.Get("state") != "st-1" || q.Get("x") != "1" {
				t.Errorf("%s: told %s", name, u.RawQuery)
			}
			pushed := c.q
			pushed.Del("x")
			_, err = w.Push(t.Context(), wallet.Form{Values: pushed})
			wants(t, name+", pushed", err, c.want)
		}
		if n := w.count(t, `SELECT count(*) FROM wallet_visit`) + w.count(t, `SELECT count(*) FROM wallet_pushed`); n != 0 {
			t.Errorf("%d requests were kept", n)
		}
	})
}

func TestPushedRequest(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		push := func() string {
			t.Helper()
			p, err := w.Push(t.Context(), wallet.Form{Values: request()})
			if err != nil || p.ExpiresIn != 60 {
				t.Fatalf("%+v, %v", p, err)
			}
			return p.RequestURI
		}
		by := func(client, uri string) (wallet.Step, error) {
			return w.Authorize(t.Context(), url.Values{"client_id": {client}, "request_uri": {uri}, "redirect_uri": {"https://evil.example"}})
		}
		uri := push()
		if step, err := by(clientID, uri); err != nil || step.Secret == "" {
			t.Fatalf("%+v, %v", step, err)
		}
		if _, err := by(clientID, uri); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("the same request again: %v", err)
		}
		if _, err := by(otherID, push()); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("another client's request: %v", err)
		}
		late := push()
		w.advance(wallet.PushedLifetime)
		if _, err := by(clientID, late); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("a late request: %v", err)
		}
		for name, c := range map[string]struct {
			q    url.Values
			want string
		}{
			"no client":         {changed("client_id"), "invalid_request"},
			"an unknown client": {changed("client_id", "x"), "invalid_client"},
			"another redirect":  {changed("redirect_uri", otherHome), "invalid_request"},
			"a request inside":  {changed("request_uri", "urn:x"), "invalid_request"},
			"with a secret":     {changed("client_secret", "x"), "invalid_client"},
		} {
			_, err := w.Push(t.Context(), wallet.Form{Values: c.q})
			wants(t, name, err, c.want)
		}
	})
}

func TestConsent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		ctx := t.Context()
		secret := w.signedIn(t, request())
		c, err := w.Consent(ctx, secret)
		if err != nil || c.Wallet != "見本ウォレット" || len(c.Choices) != 2 || c.Choices[0].ID != ownCard || c.Choices[1].ID != childCard {
			t.Fatalf("asked %+v, %v", c, err)
		}
		refused := func(what, secret string, r wallet.Reply, want fault.Code) {
			t.Helper()
			if step, err := w.Answer(ctx, secret, r); fault.CodeOf(err) != want || step.Location != "" {
				t.Errorf("%s: led to %q, %v", what, step.Location, err)
			}
		}
		yes := wallet.Reply{Form: c.Form, Yes: true, Certificate: childCard}
		refused("another browser", "x", yes, fault.Unauthenticated)
		refused("no browser", "", yes, fault.Unauthenticated)
		refused("another page", secret, wallet.Reply{Form: "x", Yes: true, Certificate: childCard}, fault.Forbidden)
		refused("another page's no", secret, wallet.Reply{}, fault.Forbidden)
		refused("nobody's", secret, wallet.Reply{Form: c.Form, Yes: true}, fault.InvalidArgument)
		refused("an old one", secret, wallet.Reply{Form: c.Form, Yes: true, Certificate: oldCard}, fault.InvalidArgument)
		refused("a stranger's", secret, wallet.Reply{Form: c.Form, Yes: true, Certificate: strangers}, fault.InvalidArgument)
		step, err := w.Answer(ctx, secret, yes)
		if err != nil || !strings.HasPrefix(step.Location, home+"&code=") {
			t.Fatalf("led to %q, %v", step.Location, err)
		}
		refused("a second time", secret, yes, fault.Unauthenticated)
		if n := w.count(t, `SELECT count(*) FROM audit_entry WHERE action = $1 AND citizen_id = $2`, "wallet.consent", string(child)); n != 1 {
			t.Errorf("%d entries tell of the consent", n)
		}

		secret = w.signedIn(t, request())
		c, _ = w.Consent(ctx, secret)
		step, err = w.Answer(ctx, secret, wallet.Reply{Form: c.Form})
		if err != nil || !strings.Contains(step.Location, "error=access_denied") || !strings.Contains(step.Location, "state=st-1") {
			t.Errorf("a no led to %q, %v", step.Location, err)
		}
		secret = w.signedIn(t, request())
		w.advance(wallet.VisitLifetime)
		refused("too late", secret, wallet.Reply{}, fault.Unauthenticated)
	})
}

// Only the browser that began can go on, once, and only as whoever signed in.
func TestCallback(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		ctx := t.Context()
		step, err := w.Authorize(ctx, request())
		if err != nil {
			t.Fatal(err)
		}
		answer := func(code, secret string) error {
			_, err := w.Callback(ctx, url.Values{"code": {code}, "state": {stateOf(step.Secret)}}, secret)
			return err
		}
		if err := answer(string(mother), "another"); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("another browser: %v", err)
		}
		if _, err := w.Callback(ctx, url.Values{"code": {"x"}, "state": {"y"}}, step.Secret); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("another state: %v", err)
		}
		for name, q := range map[string]url.Values{
			"nothing": {}, "no code": {"state": {"x"}}, "both": {"state": {"x"}, "code": {"x"}, "error": {"x"}}, "two codes": {"state": {"x"}, "code": {"a", "b"}},
		} {
			if _, err := w.Callback(ctx, q, step.Secret); fault.CodeOf(err) != fault.InvalidArgument {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := answer("nobody", step.Secret); fault.CodeOf(err) != fault.IdentityUnlinked {
			t.Errorf("a person without a record: %v", err)
		}
		c, err := w.Consent(ctx, step.Secret)
		if err != nil || c.Signed || c.Choices != nil {
			t.Fatalf("asked %+v, %v", c, err)
		}
		if _, err := w.Answer(ctx, step.Secret, wallet.Reply{Form: c.Form, Yes: true, Certificate: ownCard}); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("a yes of nobody: %v", err)
		}
		back, err := w.Answer(ctx, step.Secret, wallet.Reply{Form: c.Form})
		if err != nil || !strings.Contains(back.Location, "error=access_denied") {
			t.Errorf("a no of nobody: %q, %v", back.Location, err)
		}
		if step, err = w.Authorize(ctx, request()); err != nil {
			t.Fatal(err)
		}
		turned, err := w.Callback(ctx, url.Values{"error": {"access_denied"}, "state": {stateOf(step.Secret)}}, step.Secret)
		if err != nil || !strings.Contains(turned.Location, "error=access_denied") || strings.Contains(turned.Location, "provider") {
			t.Errorf("turned back at the provider: %q, %v", turned.Location, err)
		}
	})
}

func TestClientsThatAreNotTaken(t *testing.T) {
	for name, c := range map[string]wallet.Client{
		"no id":            {Name: "x", RedirectURIs: []string{home}},
		"a blank in it":    {ID: "a b", Name: "x", RedirectURIs: []string{home}},
		"no name":          {ID: "x", RedirectURIs: []string{home}},
		"no redirect":      {ID: "x", Name: "x"},
		"http":             {ID: "x", Name: "x", RedirectURIs: []string{"http://wallet.example/cb"}},
		"a script":         {ID: "x", Name: "x", RedirectURIs: []string{"javascript:alert(1)"}},
		"data":             {ID: "x", Name: "x", RedirectURIs: []string{"data:text/html,x"}},
		"a fragment":       {ID: "x", Name: "x", RedirectURIs: []string{home + "#x"}},
		"somebody in it":   {ID: "x", Name: "x", RedirectURIs: []string{"https://a@b.example/"}},
		"no host":          {ID: "x", Name: "x", RedirectURIs: []string{"https:///cb"}},
		"a semicolon":      {ID: "x", Name: "x", RedirectURIs: []string{"https://a;b.example/"}},
		"a backslash":      {ID: "x", Name: "x", RedirectURIs: []string{`https://a.example\b`}},
		"a common scheme":  {ID: "x", Name: "x", RedirectURIs: []string{"wallet://cb"}},
		"relative":         {ID: "x", Name: "x", RedirectURIs: []string{"/cb"}},
		"one of them only": {ID: "x", Name: "x", RedirectURIs: []string{home, "ftp://a.example"}},
	} {
		if err := wallet.CheckClients([]wallet.Client{c}); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := wallet.Client{ID: clientID, Name: "x", RedirectURIs: []string{home, otherHome, "http://127.0.0.1:7000/cb"}}
	if err := wallet.CheckClients([]wallet.Client{good}); err != nil {
		t.Error(err)
	}
	if err := wallet.CheckClients([]wallet.Client{good, good}); err == nil {
		t.Error("a client stands twice")
	}
}

func TestMetadata(t *testing.T) {
	w := open(t, storetest.Open(t, store.SQLite))
	docs := map[string]map[string]any{}
	for _, d := range w.Documents() {
		var m map[string]any
		if err := json.Unmarshal(d.Body, &m); err != nil {
			t.Fatal(err)
		}
		docs[d.Path] = m
	}
	issuer, server := docs["/.well-known/openid-credential-issuer"], docs["/.well-known/oauth-authorization-server"]
	if issuer["credential_issuer"] != iss || issuer["nonce_endpoint"] != iss+"/wallet/nonce" || server["issuer"] != iss ||
		server["pre-authorized_grant_anonymous_access_supported"] != true || server["authorization_response_iss_parameter_supported"] != true {
		t.Error("the metadata are of another house")
	}
	for _, absent := range []string{"authorization_servers", "credential_request_encryption", "credential_response_encryption", "deferred_credential_endpoint"} {
		if _, ok := issuer[absent]; ok {
			t.Errorf("%s is offered", absent)
		}
	}
	one := issuer["credential_configurations_supported"].(map[string]any)[wallet.Configuration].(map[string]any)
	vct, _ := one["vct"].(string)
	if one["format"] != "dc+sd-jwt" || one["scope"] != wallet.Scope || docs[strings.TrimPrefix(vct, iss)]["vct"] != vct {
		t.Errorf("the configuration is %v", one)
	}
}

// A proof of possession with a pushed request binds its code to the key, as dpop_jkt does
// (RFC 9449 section 10.1).
func TestPushedWithAProof(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := open(t, db)
		push := func(q url.Values, proofs ...string) (wallet.Pushed, error) {
			return w.Push(t.Context(), wallet.Form{Values: q, Proofs: proofs})
		}
		fresh := func(path string) string { return w.possession(t, path, "", nil) }
		announced := request()
		announced.Set("dpop_jkt", challenge("another key"))
		for name, c := range map[string]struct {
			q      url.Values
			proofs []string
		}{
			"no proof of ours": {request(), []string{"x"}}, "for another endpoint": {request(), []string{fresh(wallet.TokenPath)}},
			"two": {request(), []string{fresh(wallet.PushPath), fresh(wallet.PushPath)}}, "another key is announced": {announced, []string{fresh(wallet.PushPath)}},
		} {
			_, err := push(c.q, c.proofs...)
			wants(t, name, err, "invalid_dpop_proof")
		}
		proof := fresh(wallet.PushPath)
		p, err := push(request(), proof)
		if err != nil {
			t.Fatal(err)
		}
		_, err = push(request(), proof)
		wants(t, "the same proof again", err, "invalid_dpop_proof")
		redeem := func(code string, proofs ...string) error {
			f := form("grant_type", "authorization_code", "code", code, "redirect_uri", home, "client_id", clientID, "code_verifier", verifier)
			f.Proofs = proofs
			_, err := w.Token(t.Context(), f)
			return err
		}
		byName := func(p wallet.Pushed) url.Values {
			return url.Values{"client_id": {clientID}, "request_uri": {p.RequestURI}, "state": {"st-1"}}
		}
		wants(t, "a thief without the key", redeem(w.allowed(t, byName(p))), "invalid_grant")
		if p, err = push(request(), fresh(wallet.PushPath)); err != nil {
			t.Fatal(err)
		}
		if err := redeem(w.allowed(t, byName(p)), fresh(wallet.TokenPath)); err != nil {
			t.Errorf("the wallet with its key: %v", err)
		}
	})
}

// An app on this machine listens on whatever port was free (RFC 8252 section 7.3); nothing
// else of an address may differ.
func TestRedirectOnThisMachine(t *testing.T) {
	const here, six = "http://127.0.0.1:7777/cb?x=1", "http://[::1]/cb"
	w := open(t, storetest.Open(t, store.SQLite))
	d := w.Deps
	d.Clients = []wallet.Client{{ID: clientID, Name: "x", RedirectURIs: []string{here, six, "http://localhost:7777/cb", "https://wallet.example:7777/cb"}}}
	desk, err := wallet.New(d)
	if err != nil {
		t.Fatal(err)
	}
	w.Desk = desk
	for uri, good := range map[string]bool{
		here: true, "http://127.0.0.1:51004/cb?x=1": true, "http://127.0.0.1/cb?x=1": true, six: true, "http://[::1]:9/cb": true,
		"http://127.0.0.1:51004/cb": false, "http://127.0.0.1:51004/cb?x=1&y=2": false, "http://127.0.0.2:51004/cb?x=1": false,
		"http://127.0.0.1:51004/CB?x=1": false, "http://127.0.0.1:51004/c%62?x=1": false, "http://evil@127.0.0.1:51004/cb?x=1": false,
		"http://127.0.0.1:51004@evil.example/cb?x=1": false, "http://127.0.0.1:51004/cb?x=1#": false, "https://127.0.0.1:51004/cb?x=1": false,
		"http://127.0.0.1:/cb?x=1": false, "http://127.0.0.1:x/cb?x=1": false, "http://127.0.0.1:99999/cb?x=1": false, "http://127.0.0.1:0/cb?x=1": false,
		"http://127.0.0.1:51004/cb?x=1\n": false, "http://127.0.0.1.evil.example:51004/cb?x=1": false,
		"http://localhost:51004/cb": false, "https://wallet.example:51004/cb": false, "HTTP://127.0.0.1:51004/cb?x=1": false,
	} {
		q := request()
		q.Set("redirect_uri", uri)
		step, err := w.Authorize(t.Context(), q)
		if taken := err == nil && strings.HasPrefix(step.Location, "https://provider.example/"); taken != good {
			t.Errorf("%q: taken %v, %v", uri, taken, err)
		}
	}
	q := request()
	q.Set("redirect_uri", "http://127.0.0.1:51004/cb?x=1")
	secret := w.signedIn(t, q)
	c, err := w.Consent(t.Context(), secret)
	if err != nil || c.Home != q.Get("redirect_uri") {
		t.Fatalf("%+v, %v", c, err)
	}
	step, err := w.Answer(t.Context(), secret, wallet.Reply{Form: c.Form, Yes: true, Certificate: ownCard})
	if err != nil || !strings.HasPrefix(step.Location, "http://127.0.0.1:51004/cb?x=1&code=") {
		t.Errorf("led to %q, %v", step.Location, err)
	}
}
