package stage

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/practice/oqs"
)

// Client ids at the practice provider, and the practice FCM's project.
const (
	CitizenClient = "madoguchi-citizen"
	StaffClient   = "madoguchi-staff"
	FCMProject    = "madoguchi-practice"
	WalletClient  = "practice-wallet"
)

// WalletReturn is where the consent page leads a practice wallet's browser back to. Nothing
// listens there: the wallet reads the redirect.
const WalletReturn = "example.practice.wallet:/return"

// PublicURL is what the backend calls itself in certificates and tokens. It is https, as
// the certificates' format demands, and leads nowhere: a stage is reached by its links.
const PublicURL = "https://madoguchi.example"

// FactsFile is the name of what WriteFacts writes.
const FactsFile = "stage.json"

// Options say what a stage is made of. Programs and Dir are required.
type Options struct {
	Programs  Programs
	Dir       string // state, configuration and logs; made where absent
	DSN       string // the backend's store; SQLite below Dir when empty
	Seed      uint64
	Residents int    // 1000 when 0
	AsOf      string // reference day of the population; today in Japan when empty

	// Loopback addresses to listen on; a free port each when empty.
	PublicAddress, PracticeAddress string

	// RefreshEvery is how often terminals ask for trust and profile; their default when 0.
	RefreshEvery time.Duration
}

// Stage is one installation: the practice partners, one backend, any number of terminals.
// Its methods are for one goroutine, but for Watch and Close.
type Stage struct {
	Options
	Cast   population.Cast
	Public *Link // between phones or browsers and the backend
	Line   *Link // between the terminals and the backend
	Clock  *Clock

	PracticeURL string
	Backend     *Process

	institution string // of the clinic whose 資格確認端末 is practised
	mu          sync.Mutex
	practice    *Process
	terminals   []*Terminal
	logs        []*os.File
	watched     chan *Process
}

// Issuer gives the practice provider's issuer.
func (s *Stage) Issuer() string { return s.PracticeURL + "/api/realms/main" }

// New makes the folders, the people, the keys and the links, and starts the practice
// partners. The backend is started by StartBackend, after Import.
func New(ctx context.Context, o Options) (*Stage, error) {
	if o.Residents == 0 {
		o.Residents = 1000
	}
	if o.AsOf == "" {
		o.AsOf = time.Now().In(population.Japan).Format(time.DateOnly)
	}
	if o.PublicAddress == "" {
		o.PublicAddress = "127.0.0.1:0"
	}
	if o.PracticeAddress == "" {
		o.PracticeAddress = "127.0.0.1:0"
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot use the stage's folder: %w", err)
	}
	o.Dir = dir
	s := &Stage{Options: o, watched: make(chan *Process, 64)}
	if err := s.set(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stage) set(ctx context.Context) error {
	for _, name := range []string{"", "logs", "people", "practice", "backend", "backend/keys"} {
		if err := os.MkdirAll(s.path(name), 0o700); err != nil {
			return fmt.Errorf("cannot make the stage's folders: %w", err)
		}
	}
	var err error
	if s.Clock, err = s.clock(); err != nil {
		return err
	}
	town, err := population.Generate(s.Seed, s.Residents, s.AsOf)
	if err != nil {
		return err
	}
	s.Cast = town.Cast
	if err := town.Write(s.path("people")); err != nil {
		return err
	}
	if s.institution, err = institutionOf(s.path("people/offices.csv"), population.OfficeMinatoClinic); err != nil {
		return err
	}
	if s.Public, err = NewLink(s.PublicAddress); err != nil {
		return err
	}
	if s.Line, err = NewLink("127.0.0.1:0"); err != nil {
		return err
	}
	for _, name := range []string{"citizen-login", "staff-login"} {
		if err := loginKey(s.path("backend/keys/" + name + ".pem")); err != nil {
			return err
		}
	}
	return s.startPractice(ctx)
}

func (s *Stage) path(name string) string { return filepath.Join(s.Dir, filepath.FromSlash(name)) }

// PeopleDir gives the folder with the import files.
func (s *Stage) PeopleDir() string { return s.path("people") }

// LogFiles lists the log of every program that was started.
func (s *Stage) LogFiles() ([]string, error) { return filepath.Glob(s.path("logs/*.log")) }

// loginKey makes a P-256 key as PEM, with its public half beside it.
func loginKey(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make a sign-in key: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("cannot write a sign-in key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("cannot write a sign-in key: %w", err)
	}
	return errors.Join(
		os.WriteFile(path+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600),
		os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

func (s *Stage) startPractice(ctx context.Context) error {
	config := fmt.Sprintf(`listen = %q
state_dir = %q
people_file = %q
[fcm]
project = %q
[[oidc.client]]
id = %q
kind = "citizen"
key_file = %q
redirect_uris = [%q, %q]
[[oidc.client]]
id = %q
kind = "staff"
key_file = %q
redirect_uris = [%q]
[oqs]
dir = %q
people = %q
institution = %q
`, s.PracticeAddress, s.path("practice"), s.path("people/"+population.PeopleFile), FCMProject,
		CitizenClient, s.path("backend/keys/citizen-login.pem.pub"), s.citizenReturn(), s.Public.URL()+"/wallet/callback",
		StaffClient, s.path("backend/keys/staff-login.pem.pub"), s.staffReturn(),
		s.path(folderName), s.path("people"), s.institution)
	file, err := s.config("practice", config)
	if err != nil {
		return err
	}
	p, err := s.start("practice", s.Programs.Path(Practice), "serve", "--config", file)
	if err != nil {
		return err
	}
	s.practice = p
	address, err := p.Listening(ctx)
	s.PracticeURL = "http://" + address
	if err != nil {
		return err
	}
	return s.backendConfig()
}

func (s *Stage) config(name, text string) (string, error) {
	file := s.path(name + "/" + name + ".toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("cannot write a configuration: %w", err)
	}
	return file, nil
}

func (s *Stage) backendConfig() error {
	if s.DSN == "" {
		s.DSN = "sqlite:" + s.path("backend/madoguchi.db")
	}
	_, err := s.config("backend", fmt.Sprintf(`listen = "127.0.0.1:0"
public_url = %q
state_dir = %q
key_dir = %q
[store]
dsn = %q
[citizen_login]
issuer = %q
client_id = %q
redirect_url = %q
[staff_login]
issuer = %q
client_id = %q
redirect_url = %q
[push.fcm]
project = %q
endpoint = %q
[certificates]
cache_lifetime = "24h"
[[wallet.clients]]
id = %q
name = "練習ウォレット"
redirect_uris = [%q]
`, PublicURL, s.path("backend"), s.path("backend/keys"), s.DSN, s.Issuer(), CitizenClient, s.citizenReturn(),
		s.Issuer(), StaffClient, s.staffReturn(), FCMProject, s.PracticeURL+"/v1",
		WalletClient, WalletReturn))
	return err
}

// Where the practice provider sends people back to.
func (s *Stage) citizenReturn() string { return s.Public.URL() + "/app/sign-in" }
func (s *Stage) staffReturn() string   { return s.Public.URL() + "/office/callback" }

// start starts a program of the stage and has it watched.
func (s *Stage) start(name, path string, args ...string) (*Process, error) {
	return s.startWith(s.Clock.environment(), name, path, args...)
}

func (s *Stage) startWith(env []string, name, path string, args ...string) (*Process, error) {
	log, err := logFile(s.path("logs"), name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.logs = append(s.logs, log)
	s.mu.Unlock()
	p, err := Start(Command{Name: name, Path: path, Args: args, Env: env, Log: log})
	if err != nil {
		return nil, err
	}
	go func() {
		<-p.Done()
		select {
		case s.watched <- p:
		default: // nobody watches
		}
	}()
	return p, nil
}

// Watch gives every program of the stage that ends, for whatever reason.
func (s *Stage) Watch() <-chan *Process { return s.watched }

// Tool runs a subcommand of the backend, such as import, with its configuration.
func (s *Stage) Tool(ctx context.Context, args ...string) ([]byte, error) {
	log, err := logFile(s.path("logs"), "backend-tools")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// Flags stand before other arguments, after the words that name the subcommand.
	words := 1
	if len(args) > 1 && (args[0] == "terminal" || args[0] == "keys" || args[0] == "restore") && !strings.HasPrefix(args[1], "-") {
		words = 2
	}
	full := append(append(append([]string(nil), args[:words]...), "--config", s.path("backend/backend.toml")), args[words:]...)
	return RunWell(ctx, Command{Name: Backend + " " + args[0], Path: s.Programs.Path(Backend), Args: full,
		Env: s.Clock.environment(), Log: log})
}

// Import loads the population through madoguchi-backend import and gives what it said.
func (s *Stage) Import(ctx context.Context) ([]byte, error) {
	return s.Tool(ctx, "import", s.PeopleDir())
}

// StartBackend starts `madoguchi-backend serve` and leads both links to it. It also starts
// it again, once the one before has ended.
func (s *Stage) StartBackend(ctx context.Context) error {
	p, err := s.start("backend", s.Programs.Path(Backend), "serve", "--config", s.path("backend/backend.toml"))
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.Backend = p
	s.mu.Unlock()
	address, err := p.Listening(ctx)
	if err != nil {
		return err
	}
	s.Public.Lead(address)
	s.Line.Lead(address)
	return nil
}

// Terminal is one enrolled terminal.
type Terminal struct {
	Office string // reference
	Dir    string
	Config string // file

	stage   *Stage
	process *Process
	desk    string
	clock   *Clock // its own, once it was set back
}

// Equipment is what a terminal has besides its own. Readers and scanners it never has: a
// stage leaves the machine's alone.
type Equipment struct {
	DeskAddress     string // a free port when empty
	PracticeAddress string // of the desk for practising; none when empty
	// Folder is the exchange with the practice 資格確認端末 of the clinic in Minato.
	Folder bool
}

// Enrol makes a terminal for the office with a one-time code from the backend.
func (s *Stage) Enrol(ctx context.Context, office string, e Equipment) (*Terminal, error) {
	s.mu.Lock()
	name := fmt.Sprintf("agent-%d", len(s.terminals)+1)
	s.mu.Unlock()
	t := &Terminal{Office: office, Dir: s.path(name), stage: s}
	if err := os.MkdirAll(filepath.Join(t.Dir, "state"), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the terminal's folder: %w", err)
	}
	var err error
	t.Config, err = s.config(name, s.terminalConfig(t, e))
	if err != nil {
		return nil, err
	}
	out, err := s.Tool(ctx, "terminal", "code", "--office", office)
	if err != nil {
		return nil, err
	}
	code := lastWord(string(out))
	if _, err := t.Tool(ctx, "enroll", "--backend", s.Line.URL(), "--code", code); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.terminals = append(s.terminals, t)
	s.mu.Unlock()
	return t, nil
}

func (s *Stage) terminalConfig(t *Terminal, e Equipment) string {
	config := fmt.Sprintf("state_dir = %q\n[desk]\nlisten = %q\npractice_listen = %q\n[card]\nenabled = false\n[scanner]\nserial = \"\"\n",
		filepath.Join(t.Dir, "state"), cmp.Or(e.DeskAddress, "127.0.0.1:0"), e.PracticeAddress)
	if e.Folder {
		config += fmt.Sprintf("[oqs]\nrequest_dir = %q\nresult_dir = %q\nface_dir = %q\nscan_every = \"500ms\"\nopens = \"00:00\"\ncloses = \"23:59\"\n",
			s.path(folderName+"/"+oqs.Req), s.path(folderName+"/"+oqs.Res), s.path(folderName+"/"+oqs.Face))
	}
	// One terminal is no herd: what it gathered goes as soon as the line is back.
	config += "[sync]\nspread = \"1ms\"\n"
	config += fmt.Sprintf("[backend]\nurl = %q\n", s.Line.URL())
	if s.RefreshEvery > 0 {
		config += fmt.Sprintf("refresh_every = %q\n", s.RefreshEvery)
	}
	return config
}

// lastWord gives the last word of the first line that has one.
func lastWord(text string) string {
	for scan := bufio.NewScanner(strings.NewReader(text)); scan.Scan(); {
		if words := strings.Fields(scan.Text()); len(words) > 0 {
			return words[len(words)-1]
		}
	}
	return ""
}

// Tool runs a subcommand of the agent with the terminal's configuration.
func (t *Terminal) Tool(ctx context.Context, args ...string) ([]byte, error) {
	return RunWell(ctx, t.command(args...))
}

// Try is Tool for subcommands whose exit status is an answer.
func (t *Terminal) Try(ctx context.Context, args ...string) ([]byte, int, error) {
	return Run(ctx, t.command(args...))
}

func (t *Terminal) command(args ...string) Command {
	words := 1
	if len(args) > 1 && args[0] == "queue" {
		words = 2
	}
	full := append(append(append([]string(nil), args[:words]...), "--config", t.Config), args[words:]...)
	return Command{Name: Agent + " " + args[0], Path: t.stage.Programs.Path(Agent), Args: full, Env: t.environment()}
}

func (t *Terminal) environment() []string {
	t.stage.mu.Lock()
	defer t.stage.mu.Unlock()
	if t.clock != nil {
		return t.clock.environment()
	}
	return t.stage.Clock.environment()
}

// SetBack has the terminal's own clock stand this far behind the stage's, as one without a
// battery does, until it is 0 again. A desk that runs is to be started again.
func (t *Terminal) SetBack(behind time.Duration) error {
	t.stage.mu.Lock()
	defer t.stage.mu.Unlock()
	t.clock = nil
	if behind == 0 {
		return nil
	}
	var err error
	t.clock, err = t.stage.Clock.behind(behind, filepath.Join(t.Dir, clockName))
	return err
}

// Start starts `madoguchi-agent run` and waits for its desk. It also starts it again, once
// the one before has ended.
func (t *Terminal) Start(ctx context.Context) error {
	p, err := t.stage.startWith(t.environment(), filepath.Base(t.Dir), t.stage.Programs.Path(Agent), "run", "--config", t.Config)
	if err != nil {
		return err
	}
	t.stage.mu.Lock()
	t.process = p
	t.stage.mu.Unlock()
	address, err := p.Listening(ctx)
	t.desk = "http://" + address
	return err
}

// Process gives the running program; nil before Start.
func (t *Terminal) Process() *Process {
	t.stage.mu.Lock()
	defer t.stage.mu.Unlock()
	return t.process
}

// Desk gives the address of the reception desk.
func (t *Terminal) Desk() string { return t.desk }

// Facts are the addresses of a running stage, for a person or a test that comes later.
type Facts struct {
	Citizen  string   `json:"citizen"`
	Office   string   `json:"office"`
	Desks    []string `json:"desks"`
	Practice string   `json:"practice"`
	Pids     []int    `json:"pids"`
}

// WriteFacts writes Facts to the file FactsFile of the stage's folder.
func (s *Stage) WriteFacts() error {
	f := Facts{Citizen: s.Public.URL() + "/app/", Office: s.Public.URL() + "/office", Practice: s.PracticeURL}
	for _, p := range s.running() {
		f.Pids = append(f.Pids, p.Pid())
	}
	s.mu.Lock()
	for _, t := range s.terminals {
		f.Desks = append(f.Desks, t.desk)
	}
	s.mu.Unlock()
	raw, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return fmt.Errorf("cannot write the stage's addresses: %w", err)
	}
	return os.WriteFile(s.path(FactsFile), append(raw, '\n'), 0o600)
}

// running lists the programs, terminals first, as they should be stopped.
func (s *Stage) running() []*Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Process
	for _, t := range s.terminals {
		if t.process != nil {
			out = append(out, t.process)
		}
	}
	for _, p := range []*Process{s.Backend, s.practice} {
		if p != nil {
			out = append(out, p)
		}
	}
	return out
}

// grace is how long a program may take to end.
const grace = 10 * time.Second

// Close ends everything: terminals, backend, practice, links. The error tells which
// program did not end by itself.
func (s *Stage) Close() error {
	var faults []error
	for _, p := range s.running() {
		faults = append(faults, p.Stop(grace))
	}
	for _, l := range []*Link{s.Public, s.Line} {
		if l != nil {
			faults = append(faults, l.Close())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.logs {
		faults = append(faults, f.Close())
	}
	s.logs = nil
	return errors.Join(faults...)
}
