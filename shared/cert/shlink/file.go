package shlink

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"madoguchi.example/shared/internal/base64url"
	"madoguchi.example/shared/internal/jsonpull"
)

// Faults of an encrypted file, beside those of its form.
var (
	ErrUnsupported = errors.New("cannot open the file: not encrypted as links are (alg dir, enc A256GCM)")
	ErrDecrypt     = errors.New("cannot open the file: it does not fit the link's key, or was changed")
)

// File is one opened file. That it could be opened proves only that whoever made the link
// made it.
type File struct {
	// ContentType is what the file says it is, or where it does not say, what it looks like;
	// empty where neither tells.
	ContentType ContentType
	Content     []byte
}

// Compact JWE (RFC 7516 section 3.1) has five parts; with alg dir the second is empty.
const (
	jweParts = 5
	ivSize   = 12 // RFC 7518 section 5.3
	tagSize  = 16
)

// Open decrypts one file, blanks around it left out.
func (l Link) Open(jwe []byte) (File, error) {
	if len(jwe) > MaxJWE {
		return File{}, fmt.Errorf("cannot open the file: longer than %d characters", MaxJWE)
	}
	parts := bytes.Split(bytes.TrimSpace(jwe), []byte("."))
	if len(parts) != jweParts || len(parts[1]) != 0 {
		return File{}, errors.New("cannot open the file: not five parts of which the second is empty")
	}
	head, err := readHeader(parts[0])
	if errors.Is(err, ErrUnsupported) {
		return File{}, err
	}
	if err != nil {
		return File{}, fmt.Errorf("cannot open the file: header: %w", err)
	}
	plain, err := l.key.decrypt(parts)
	if err != nil {
		return File{}, err
	}
	if head.compressed {
		if plain, err = inflate(plain); err != nil {
			return File{}, fmt.Errorf("cannot open the file: %w", err)
		}
	}
	if head.content == "" {
		head.content = looksLike(plain)
	}
	return File{head.content, plain}, nil
}

func (k Key) aead() cipher.AEAD {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic("shlink: 32 bytes are a key")
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic("shlink: AES has blocks of 16 bytes")
	}
	return gcm
}

func (k Key) decrypt(parts [][]byte) ([]byte, error) {
	var decoded [jweParts][]byte
	for i := 2; i < jweParts; i++ {
		var err error
		if decoded[i], err = base64url.Decode(parts[i]); err != nil {
			return nil, fmt.Errorf("cannot open the file: part %d: %w", i+1, err)
		}
	}
	if len(decoded[2]) != ivSize || len(decoded[4]) != tagSize {
		return nil, fmt.Errorf("cannot open the file: its nonce has not %d bytes or its tag not %d", ivSize, tagSize)
	}
	plain, err := k.aead().Open(nil, decoded[2], append(decoded[3], decoded[4]...), parts[0])
	if err != nil {
		return nil, ErrDecrypt
	}
	return plain, nil
}

type header struct {
	content    ContentType
	compressed bool
}

func readHeader(encoded []byte) (header, error) {
	if len(encoded) > maxHeader {
		return header{}, fmt.Errorf("longer than %d characters", maxHeader)
	}
	text, err := base64url.Decode(encoded)
	if err != nil {
		return header{}, err
	}
	var alg, enc, cty, zip string
	var critical bool
	r := jsonpull.New(string(text))
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "alg":
			alg = r.Text()
		case "enc":
			enc = r.Text()
		case "cty":
			cty = r.Text()
		case "zip":
			if zip = r.Text(); zip == "" {
				r.Fault("zip is empty")
			}
		case "crit":
			critical = true
		}
	}
	switch {
	case r.End() != nil:
		return header{}, r.End()
	case alg != "dir", enc != "A256GCM", zip != "" && zip != "DEF", critical:
		return header{}, ErrUnsupported
	}
	content, err := contentType(cty)
	return header{content, zip == "DEF"}, err
}

// contentType reads cty: a media type, "application/" left out where the author likes
// (RFC 7515 section 4.1.10), with parameters that say no more than the content does.
func contentType(cty string) (ContentType, error) {
	if cty == "" {
		return "", nil
	}
	if !strings.Contains(cty, "/") {
		cty = "application/" + cty
	}
	kind, _, err := mime.ParseMediaType(cty)
	if err != nil {
		return "", errors.New("cty is no media type")
	}
	return ContentType(kind), nil
}

// looksLike tells a file's type by its members, as real servers leave cty out.
func looksLike(content []byte) ContentType {
	var kind ContentType
	r := jsonpull.New(string(content))
	if r.Kind() != jsonpull.Object {
		return ""
	}
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "verifiableCredential":
			return HealthCard
		case "resourceType":
			return FHIR
		case "access_token":
			kind = APIAccess
		}
	}
	return kind
}

// inflate reads raw DEFLATE (RFC 1951) of at most MaxContent bytes, with nothing after it.
func inflate(compressed []byte) ([]byte, error) {
	in := bytes.NewReader(compressed)
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(in), MaxContent+1))
	switch {
	case err != nil:
		return nil, errors.New("not raw DEFLATE data")
	case len(out) > MaxContent:
		return nil, fmt.Errorf("larger than %d bytes when inflated", MaxContent)
	case in.Len() != 0:
		return nil, errors.New("data after the compressed content")
	}
	return out, nil
}

// New makes a link for tests and stand-ins of servers: no part of the project shares
// files by link. The fields of l that a link carries are taken from it.
func New(l Link, key Key) (Link, error) {
	l.key = key
	return Parse([]byte(l.Text()))
}

// Text writes the link, behind its viewer's address where it has one.
func (l Link) Text() string {
	payload := struct {
		URL   string `json:"url"`
		Flag  string `json:"flag,omitempty"`
		Key   string `json:"key"`
		Label string `json:"label,omitempty"`
		Exp   int64  `json:"exp,omitempty"`
	}{URL: l.URL, Key: base64url.Encode(l.key[:]), Label: l.Label}
	for i, set := range []bool{l.LongTerm, l.Passcode, l.Direct} {
		if set {
			payload.Flag += "LPU"[i : i+1]
		}
	}
	if !l.Expires.IsZero() {
		payload.Exp = l.Expires.Unix()
	}
	text, err := json.Marshal(payload)
	if err != nil {
		panic("shlink: texts and a number always have a JSON form")
	}
	link := prefix + base64url.Encode(text)
	if l.Viewer != "" {
		return l.Viewer + "#" + link
	}
	return link
}

// Seal encrypts a file for a link, compressed, for tests and stand-ins of servers. Nonces
// must never repeat under one key: random gives fresh ones.
func Seal(key Key, content []byte, kind ContentType, random io.Reader) (string, error) {
	var out bytes.Buffer
	z, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		return "", fmt.Errorf("cannot seal the file: %w", err)
	}
	if _, err := z.Write(content); err != nil {
		return "", fmt.Errorf("cannot seal the file: %w", err)
	}
	if err := z.Close(); err != nil {
		return "", fmt.Errorf("cannot seal the file: %w", err)
	}
	head, err := json.Marshal(map[string]string{"alg": "dir", "enc": "A256GCM", "zip": "DEF", "cty": string(kind)})
	if err != nil {
		return "", fmt.Errorf("cannot seal the file: %w", err)
	}
	nonce := make([]byte, ivSize)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("cannot seal the file: %w", err)
	}
	encoded := base64url.Encode(head)
	sealed := key.aead().Seal(nil, nonce, out.Bytes(), []byte(encoded))
	body, tag := sealed[:len(sealed)-tagSize], sealed[len(sealed)-tagSize:]
	return strings.Join([]string{encoded, "", base64url.Encode(nonce), base64url.Encode(body), base64url.Encode(tag)}, "."), nil
}
