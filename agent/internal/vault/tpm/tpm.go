// Package tpm seals a small secret to a TPM 2.0 and promises that only the same TPM gives
// it back: what Seal returns is useless on another machine and after the TPM was cleared.
//
// The secret is a sealed object below a primary key of the storage hierarchy, which the TPM
// makes anew from its own seed each time, so that nothing is kept in the TPM. Commands run
// in sessions that are encrypted to that primary key: the secret does not pass the bus to
// the chip in clear. There is no policy on the state of the boot: an update of the firmware
// must not lock a clinic out of its records.
package tpm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// DefaultDevice is the resource-managed TPM of Linux.
const DefaultDevice = "/dev/tpmrm0"

// MaxSecret is the longest secret that is sealed, in bytes.
const MaxSecret = 128

// maxBlob and maxAnswer bound what is read of a sealed blob and of an answer, in bytes.
const (
	maxBlob   = 4096
	maxAnswer = 4096
)

// patience bounds one command where ctx does not; a slow chip needs seconds for a primary
// key.
const patience = 30 * time.Second

// socketPrefix marks a device that is a Unix socket, such as swtpm's.
const socketPrefix = "unix:"

// ErrForeign is in the chain of Unseal's error when the blob is of another TPM, or of this
// one before it was cleared.
var ErrForeign = errors.New("the sealed key is not of this TPM")

// Reachable tells whether something that may be a TPM can be opened at device.
func Reachable(ctx context.Context, device string) bool {
	t, err := open(ctx, device)
	if err != nil {
		return false
	}
	_ = t.Close()
	return true
}

func open(ctx context.Context, device string) (transport.TPMCloser, error) {
	if path, ok := strings.CutPrefix(device, socketPrefix); ok {
		return openSocket(ctx, path)
	}
	t, err := openDevice(device)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the TPM: %w", err)
	}
	return t, nil
}

// busyPoll is how often a socket is tried again that takes one caller at a time.
const busyPoll = 5 * time.Millisecond

func openSocket(ctx context.Context, path string) (transport.TPMCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err == nil {
			return &socket{ctx: ctx, cancel: cancel, conn: conn}, nil
		}
		if !errors.Is(err, syscall.EAGAIN) || ctx.Err() != nil {
			cancel()
			return nil, fmt.Errorf("cannot reach the TPM: %w", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(busyPoll):
		}
	}
}

// socket speaks to an emulated TPM: a command and its answer, each with its length in its
// head.
type socket struct {
	ctx    context.Context
	cancel context.CancelFunc
	conn   net.Conn
}

const answerHead = 10

func (s *socket) Send(command []byte) ([]byte, error) {
	stop := context.AfterFunc(s.ctx, func() { _ = s.conn.Close() })
	defer stop()
	if _, err := s.conn.Write(command); err != nil {
		return nil, fmt.Errorf("cannot write to the TPM: %w", err)
	}
	answer := make([]byte, answerHead, maxAnswer)
	if _, err := io.ReadFull(s.conn, answer); err != nil {
		return nil, fmt.Errorf("cannot read from the TPM: %w", err)
	}
	n := binary.BigEndian.Uint32(answer[2:])
	if n < answerHead || n > maxAnswer {
		return nil, errors.New("cannot read from the TPM: its answer has no sensible length")
	}
	answer = answer[:n]
	if _, err := io.ReadFull(s.conn, answer[answerHead:]); err != nil {
		return nil, fmt.Errorf("cannot read from the TPM: %w", err)
	}
	return answer, nil
}

func (s *socket) Close() error {
	s.cancel()
	return s.conn.Close()
}

// Seal gives a blob from which Unseal gives the secret back.
func Seal(ctx context.Context, device string, secret []byte) (blob []byte, err error) {
	if len(secret) == 0 || len(secret) > MaxSecret {
		return nil, fmt.Errorf("cannot seal to the TPM: the secret must have 1 to %d bytes", MaxSecret)
	}
	err = below(ctx, device, func(t transport.TPM, p *primary) error {
		made, err := tpm2.Create{
			ParentHandle: p.parent(),
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
			}},
			InPublic: tpm2.New2B(tpm2.TPMTPublic{
				Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
				ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true, NoDA: true},
			}),
		}.Execute(t)
		if err != nil {
			return fmt.Errorf("cannot seal to the TPM: %w", err)
		}
		blob = join(tpm2.Marshal(made.OutPublic), tpm2.Marshal(made.OutPrivate))
		return nil
	})
	return blob, err
}

// Unseal gives the secret of a blob.
func Unseal(ctx context.Context, device string, blob []byte) (secret []byte, err error) {
	public, private, err := split(blob)
	if err != nil {
		return nil, err
	}
	err = below(ctx, device, func(t transport.TPM, p *primary) error {
		loaded, err := tpm2.Load{ParentHandle: p.parent(), InPrivate: *private, InPublic: *public}.Execute(t)
		if errors.Is(err, tpm2.TPMRCIntegrity) {
			return fmt.Errorf("cannot unseal: %w", ErrForeign)
		}
		if err != nil {
			return fmt.Errorf("cannot load the sealed key: %w", err)
		}
		defer flush(t, loaded.ObjectHandle)
		got, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{
			Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: p.out(),
		}}.Execute(t)
		if err != nil {
			return fmt.Errorf("cannot unseal: %w", err)
		}
		secret = got.OutData.Buffer
		return nil
	})
	return secret, err
}

// primary is the key that the sealed object lies below.
type primary struct {
	object tpm2.TPMHandle
	name   tpm2.TPM2BName
	public tpm2.TPMTPublic
}

// in and out are sessions that encrypt what goes to the TPM and what comes from it.
func (p *primary) in() tpm2.Session {
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, tpm2.AESEncryption(128, tpm2.EncryptIn), tpm2.Salted(p.object, p.public))
}

func (p *primary) out() tpm2.Session {
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, tpm2.AESEncryption(128, tpm2.EncryptOut), tpm2.Salted(p.object, p.public))
}

func (p *primary) parent() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: p.object, Name: p.name, Auth: p.in()}
}

// below runs fn with the primary key, which is gone from the TPM afterwards.
func below(ctx context.Context, device string, fn func(transport.TPM, *primary) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t, err := open(ctx, device)
	if err != nil {
		return err
	}
	defer t.Close()
	made, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(t)
	if err != nil {
		return fmt.Errorf("cannot make the TPM's primary key: %w", err)
	}
	defer flush(t, made.ObjectHandle)
	public, err := made.OutPublic.Contents()
	if err != nil {
		return fmt.Errorf("cannot read the TPM's primary key: %w", err)
	}
	return fn(t, &primary{made.ObjectHandle, made.Name, *public})
}

// flush makes room in the TPM; where it cannot, the resource manager does when we close.
func flush(t transport.TPM, h tpm2.TPMHandle) { _, _ = tpm2.FlushContext{FlushHandle: h}.Execute(t) }

// join writes two parts, each after its length in 4 bytes.
func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
	}
	return b
}

func split(blob []byte) (*tpm2.TPM2BPublic, *tpm2.TPM2BPrivate, error) {
	broken := errors.New("cannot read the sealed key: it is damaged")
	if len(blob) > maxBlob {
		return nil, nil, broken
	}
	var parts [2][]byte
	for i := range parts {
		if len(blob) < 4 || uint64(len(blob)-4) < uint64(binary.BigEndian.Uint32(blob)) {
			return nil, nil, broken
		}
		n := binary.BigEndian.Uint32(blob)
		parts[i], blob = blob[4:4+n], blob[4+n:]
	}
	public, err := tpm2.Unmarshal[tpm2.TPM2BPublic](parts[0])
	if err != nil || len(blob) > 0 {
		return nil, nil, broken
	}
	private, err := tpm2.Unmarshal[tpm2.TPM2BPrivate](parts[1])
	if err != nil {
		return nil, nil, broken
	}
	return public, private, nil
}
