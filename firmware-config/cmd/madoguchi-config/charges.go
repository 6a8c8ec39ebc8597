package main

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"madoguchi.example/shared/charge"
)

const chargesUsage = `       madoguchi-config charges show FILE|-
       madoguchi-config charges sign --key KEY.pem TABLE.json|-
       madoguchi-config charges verify --key PUBLIC.pem [--key PUBLIC.pem] FILE|-

charges show prints the shares of a table, signed or not, and looks at no signature.
charges sign reads a table (JSON), names every fault, and writes it signed to standard
output; KEY.pem holds a private key (PKCS 8, ECDSA P-256 or Ed25519). charges verify says
whether a signed table may be used by those who have these public keys.`

// maxKeyFile is the largest key file, in bytes.
const maxKeyFile = 16 << 10

func charges(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	set := flag.NewFlagSet("charges", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	var keys files
	set.Var(&keys, "key", "key file (PEM)")
	if set.Parse(args[1:]) != nil || set.NArg() != 1 {
		return errUsage
	}
	data, err := read("the table", set.Arg(0), stdin, charge.MaxSignedBytes)
	if err != nil {
		return err
	}
	switch {
	case args[0] == "show" && len(keys) == 0:
		return showCharges(data, stdout)
	case args[0] == "sign" && len(keys) == 1:
		return signCharges(data, keys[0], stdout)
	case args[0] == "verify" && len(keys) > 0:
		return verifyCharges(data, keys, stdout)
	}
	return errUsage
}

type files []string

// String gives the names for the flag package.
func (f *files) String() string { return strings.Join(*f, ",") }

// Set adds one name.
func (f *files) Set(name string) error { *f = append(*f, name); return nil }

func showCharges(data []byte, stdout io.Writer) error {
	table, err := charge.Unsigned(data)
	if err != nil {
		table, err = charge.ParseTable(data)
	}
	if err != nil {
		return err
	}
	return printCharges(table, stdout)
}

func printCharges(t charge.Table, stdout io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "version %s, issued %s\n", t.Version, t.Issued)
	for _, r := range t.Rules {
		until := "no end known"
		if !r.ValidTo.IsZero() {
			until = r.ValidTo.String()
		}
		share := fmt.Sprintf("%d%%", r.Percent)
		if len(r.Stated) > 0 {
			share += fmt.Sprintf(" or as stated %v", r.Stated)
		}
		fmt.Fprintf(&b, "%s: %s, %s to %s, %s\n  %s\n", r.ID, share, r.ValidFrom, until, r.Source, r.Title.JA)
	}
	_, err := io.WriteString(stdout, b.String())
	return err
}

func signCharges(data []byte, keyFile string, stdout io.Writer) error {
	table, err := charge.ParseTable(data)
	if err != nil {
		return err
	}
	key, err := privateKey(keyFile)
	if err != nil {
		return err
	}
	signed, err := charge.Sign(table, key, rand.Reader)
	if err != nil {
		return err
	}
	_, err = stdout.Write(signed)
	return err
}

func privateKey(name string) (crypto.Signer, error) {
	text, err := read("the key", name, nil, maxKeyFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("cannot read the key: must be PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("cannot read the key: must be PEM of a PRIVATE KEY (PKCS 8)")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("cannot use the key: it cannot sign")
	}
	return signer, nil
}

func verifyCharges(data []byte, keyFiles []string, stdout io.Writer) error {
	var keys []charge.Key
	for _, name := range keyFiles {
		text, err := read("the key", name, nil, maxKeyFile)
		if err != nil {
			return err
		}
		key, err := charge.ParseKey(text)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	table, err := charge.Parse(data, keys)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "ok: version %s, issued %s, %d rules\n", table.Version, table.Issued, len(table.Rules))
	return err
}
