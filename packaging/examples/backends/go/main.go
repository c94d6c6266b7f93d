// A small session backend: tokens signed by jwksd, verified by its JWKS URL.
//
//	POST /login   {"user": "alice", "password": "wonderland"} -> access_token
//	GET  /me      Authorization: Bearer TOKEN                 -> sub
//
// On Debian, with golang-go and golang-github-coreos-go-oidc-dev:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o backend main.go
//
// As a module, import github.com/coreos/go-oidc/v3/oidc instead; the rest
// stays.  Run it as a user in the group jwksd-sign.  The environment has
// LISTEN, SIGN_SOCKET, KEY_SET, JWKS_URL, ALGORITHMS, ISSUER and AUDIENCE.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	mathrand "math/rand"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	oidc "github.com/coreos/go-oidc"
)

const (
	lifetime = 5 * time.Minute // at most the key set's token_max_ttl
	bodyMax  = 16384
)

func setting(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

var (
	listen     = setting("LISTEN", "127.0.0.1:8080")
	signSocket = setting("SIGN_SOCKET", "/run/jwksd/sign.sock")
	keySet     = setting("KEY_SET", "default")
	jwksURL    = setting("JWKS_URL", "http://127.0.0.1:7517/.well-known/jwks.json")
	// Never what a token says about itself.  Name both while a key set
	// changes from one algorithm to another.
	algorithms = strings.Fields(setting("ALGORITHMS", "ES256"))
	issuer     = setting("ISSUER", "https://session.example.com")
	audience   = setting("AUDIENCE", "api")
)

// ---- signing ----

// errUnavailable: not now.  Say 503, and let the client try again.
var errUnavailable = errors.New("unavailable")

// SignError says that nothing was signed; Name is the error's last word.
type SignError struct {
	Name       string
	Parameters json.RawMessage
}

func (e *SignError) Error() string {
	return e.Name + " " + string(e.Parameters)
}

func (e *SignError) transient() bool {
	switch e.Name {
	case "Overloaded", "NoActiveKey", "OutcomeUnknown":
		return true
	}
	return false
}

// Signer asks on sign.sock; it is safe for concurrent use.
//
// A message is a JSON object and a NUL octet, in both directions.  Idle
// connections are kept: most calls cost one round trip.
type Signer struct {
	path     string
	patience time.Duration
	idle     chan *connection
}

type connection struct {
	net.Conn
	reader *bufio.Reader
}

type call struct {
	Method     string      `json:"method"`
	Parameters interface{} `json:"parameters"`
}

type signParameters struct {
	KeySet string      `json:"keySet"`
	Claims interface{} `json:"claims"`
	Type   string      `json:"type"`
}

type reply struct {
	Error      string          `json:"error"`
	Parameters json.RawMessage `json:"parameters"`
}

// NewSigner connects when it is first used.
func NewSigner(path string) *Signer {
	return &Signer{path: path, patience: 5 * time.Second,
		idle: make(chan *connection, 8)}
}

// Sign returns the token; it asks again until patience runs out.
func (s *Signer) Sign(ctx context.Context, keySet string,
	claims interface{}) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	question := call{"org.jwksd.sign.Sign",
		signParameters{keySet, claims, "JWT"}}
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		var answer struct{ Token string }
		err := s.call(ctx, question, &answer)
		if err == nil {
			return answer.Token, nil
		}
		var refused *SignError
		if errors.As(err, &refused) && !refused.transient() {
			return "", err // BadClaims says which claim, and why
		}
		if errors.Is(err, fs.ErrPermission) {
			return "", fmt.Errorf("%w: %v; is this user in jwksd-sign?",
				errUnavailable, err)
		}
		// With jitter, so that all who were refused do not come at once.
		jitter := time.Duration(mathrand.Int63n(int64(pause)))
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%w: %v", errUnavailable, err)
		case <-time.After(pause/2 + jitter/2):
		}
		if pause > 250*time.Millisecond {
			pause = 250 * time.Millisecond
		}
	}
}

func (s *Signer) call(ctx context.Context, question call,
	result interface{}) error {
	message, err := json.Marshal(question)
	if err != nil {
		return &SignError{"BadClaims", json.RawMessage(err.Error())}
	}
	c, err := s.take(ctx)
	if err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok {
		c.SetDeadline(deadline)
	}
	answer, err := c.exchange(message)
	if err != nil {
		// A late reply must never be taken for that of the next call.
		c.Close()
		return err
	}
	s.putBack(c)
	if answer.Error != "" {
		name := answer.Error[strings.LastIndex(answer.Error, ".")+1:]
		return &SignError{name, answer.Parameters}
	}
	return json.Unmarshal(answer.Parameters, result)
}

func (c *connection) exchange(message []byte) (*reply, error) {
	if _, err := c.Write(append(message, 0)); err != nil {
		return nil, err
	}
	data, err := c.reader.ReadBytes(0)
	if err != nil {
		return nil, err
	}
	var answer reply
	return &answer, json.Unmarshal(data[:len(data)-1], &answer)
}

// take returns an idle connection that is still open, or a new one.
func (s *Signer) take(ctx context.Context) (*connection, error) {
	for {
		select {
		case c := <-s.idle:
			if c.isOpen() {
				return c, nil
			}
			c.Close()
		default:
			var dialer net.Dialer
			conn, err := dialer.DialContext(ctx, "unix", s.path)
			if err != nil {
				return nil, err
			}
			return &connection{conn, bufio.NewReader(conn)}, nil
		}
	}
}

// isOpen: nothing comes on an idle connection but its end.
func (c *connection) isOpen() bool {
	c.SetReadDeadline(time.Now().Add(time.Microsecond))
	_, err := c.reader.Peek(1)
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (s *Signer) putBack(c *connection) {
	select {
	case s.idle <- c:
	default:
		c.Close()
	}
}

// ---- verifying ----

func newVerifier() *oidc.IDTokenVerifier {
	client := &http.Client{Timeout: 5 * time.Second}
	ctx := oidc.ClientContext(context.Background(), client)
	return oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(ctx, jwksURL),
		&oidc.Config{ClientID: audience, SupportedSigningAlgs: algorithms})
}

// ---- the backend ----

type backend struct {
	signer   *Signer
	verifier *oidc.IDTokenVerifier
}

type object map[string]interface{}

// checkPassword: yours looks into a database and compares a slow hash.
func checkPassword(user, password string) bool {
	return user == "alice" && subtle.ConstantTimeCompare(
		[]byte(password), []byte("wonderland")) == 1
}

func claimsFor(user string) object {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		panic(err)
	}
	now := time.Now()
	return object{
		"iss": issuer, "sub": user, "aud": audience,
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(),
		"jti": base64.RawURLEncoding.EncodeToString(id),
	}
}

func (b *backend) login(w http.ResponseWriter, r *http.Request) {
	var given struct{ User, Password string }
	body := http.MaxBytesReader(w, r.Body, bodyMax)
	if err := json.NewDecoder(body).Decode(&given); err != nil {
		answer(w, 400, object{"error": "invalid_request"})
		return
	}
	if !checkPassword(given.User, given.Password) {
		answer(w, 401, object{"error": "invalid_grant"})
		return
	}
	token, err := b.signer.Sign(r.Context(), keySet, claimsFor(given.User))
	switch {
	case errors.Is(err, errUnavailable):
		unavailable(w, err)
	case err != nil:
		log.Printf("not signed: %v", err)
		answer(w, 500, object{"error": "server_error"})
	default:
		answer(w, 200, object{"access_token": token,
			"token_type": "Bearer", "expires_in": int(lifetime.Seconds())})
	}
}

func (b *backend) me(w http.ResponseWriter, r *http.Request) {
	words := strings.Fields(r.Header.Get("Authorization"))
	if len(words) != 2 || !strings.EqualFold(words[0], "bearer") {
		w.Header().Set("WWW-Authenticate", "Bearer")
		answer(w, 401, object{"error": "missing_token"})
		return
	}
	token, err := b.verifier.Verify(r.Context(), words[1])
	// The one error that is not the token's has no type of its own.
	if err != nil && strings.Contains(err.Error(), "fetching keys") {
		unavailable(w, err)
		return
	}
	if err != nil {
		log.Printf("token refused: %v", err)
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		answer(w, 401, object{"error": "invalid_token"})
		return
	}
	answer(w, 200, object{"sub": token.Subject})
}

func unavailable(w http.ResponseWriter, err error) {
	log.Print(err)
	w.Header().Set("Retry-After", "1")
	answer(w, 503, object{"error": "temporarily_unavailable"})
}

func answer(w http.ResponseWriter, status int, value object) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "POST /login":
		b.login(w, r)
	case "GET /me":
		b.me(w, r)
	default:
		answer(w, 404, object{"error": "not_found"})
	}
}

func main() {
	b := &backend{NewSigner(signSocket), newVerifier()}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listen)
	server := &http.Server{Handler: b, ReadTimeout: 30 * time.Second}
	log.Fatal(server.Serve(listener))
}
