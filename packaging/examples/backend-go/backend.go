// A session backend: it has tokens signed by jwksd, and verifies them by the
// published keys.  See ../README.md for how to run it.
package main

import (
	"bufio"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	oidc "github.com/coreos/go-oidc"
)

const (
	audience = "api"
	life     = 600
)

var users = map[string]string{"alice": "wonderland"} // yours are elsewhere

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// ---- signing ----

// A Refusal is what jwksd says when it does not sign.
type Refusal struct {
	Name    string
	Message string
}

func (r *Refusal) Error() string { return r.Name + ": " + r.Message }

// A Signer has one connection to sign.sock, for every request of the server.
type Signer struct {
	path   string
	mutex  sync.Mutex
	conn   net.Conn
	reader *bufio.Reader
}

type reply struct {
	Error      string `json:"error"`
	Parameters struct {
		Token   string `json:"token"`
		Message string `json:"message"`
	} `json:"parameters"`
}

func (s *Signer) exchange(message []byte) (*reply, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.conn == nil {
		conn, err := net.Dial("unix", s.path)
		if err != nil {
			return nil, err
		}
		s.conn, s.reader = conn, bufio.NewReader(conn)
	}
	answer := &reply{}
	text, err := []byte(nil), s.conn.SetDeadline(
		time.Now().Add(10*time.Second))
	if err == nil {
		_, err = s.conn.Write(message)
	}
	if err == nil {
		text, err = s.reader.ReadBytes(0)
	}
	if err == nil {
		err = json.Unmarshal(text[:len(text)-1], answer)
	}
	if err != nil {
		s.conn.Close()
		s.conn = nil
		return nil, err
	}
	return answer, nil
}

// Sign returns a token with these claims.
func (s *Signer) Sign(claims map[string]interface{}) (string, error) {
	message, err := json.Marshal(map[string]interface{}{
		"method":     "org.jwksd.sign.Sign",
		"parameters": map[string]interface{}{"claims": claims},
	})
	if err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		answer, err := s.exchange(append(message, 0))
		if err == nil {
			if answer.Error == "" {
				return answer.Parameters.Token, nil
			}
			err = &Refusal{answer.Error, answer.Parameters.Message}
			if !strings.HasSuffix(answer.Error, ".Overloaded") {
				return "", err
			}
		}
		if n == 4 {
			return "", err
		}
		time.Sleep(time.Duration(n) * 50 * time.Millisecond)
	}
}

// ---- serving ----

type backend struct {
	issuer   string
	signer   *Signer
	verifier *oidc.IDTokenVerifier
}

func answer(w http.ResponseWriter, status int, value interface{}) {
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}

func fail(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": err.Error()})
}

func (b *backend) login(w http.ResponseWriter, r *http.Request) {
	var form struct{ User, Password string }
	body := http.MaxBytesReader(w, r.Body, 65536)
	if r.Method != http.MethodPost ||
		json.NewDecoder(body).Decode(&form) != nil {
		fail(w, http.StatusBadRequest,
			errors.New(`POST {"user", "password"}`))
		return
	}
	right, known := users[form.User]
	if !known || subtle.ConstantTimeCompare(
		[]byte(right), []byte(form.Password)) != 1 {
		fail(w, http.StatusUnauthorized,
			errors.New("no such user, or another password"))
		return
	}
	token, err := b.signer.Sign(map[string]interface{}{
		"iss": b.issuer, "aud": audience, "sub": form.User,
		"exp": time.Now().Unix() + life,
	})
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	answer(w, http.StatusOK, map[string]interface{}{
		"token": token, "expires_in": life})
}

func (b *backend) me(w http.ResponseWriter, r *http.Request) {
	parts := strings.SplitN(r.Header.Get("Authorization"), " ", 2)
	if len(parts) != 2 || parts[0] != "Bearer" {
		fail(w, http.StatusUnauthorized,
			errors.New("send Authorization: Bearer TOKEN"))
		return
	}
	token, err := b.verifier.Verify(r.Context(), parts[1])
	if err != nil {
		fail(w, http.StatusUnauthorized, err)
		return
	}
	answer(w, http.StatusOK, map[string]string{"sub": token.Subject})
}

func main() {
	issuer := env("ISSUER", "https://sessions.example")
	keys := oidc.NewRemoteKeySet(context.Background(), env("JWKS_URL",
		"http://127.0.0.1:7517/.well-known/jwks.json"))
	b := &backend{
		issuer: issuer,
		signer: &Signer{path: env("JWKSD_SIGN", "/run/jwksd/sign.sock")},
		verifier: oidc.NewVerifier(issuer, keys, &oidc.Config{
			ClientID:             audience,
			SupportedSigningAlgs: []string{"ES256", "EdDSA", "RS256"},
		}),
	}
	http.HandleFunc("/login", b.login)
	http.HandleFunc("/me", b.me)
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound,
			errors.New("there is /login and /me"))
	})
	listener, err := net.Listen("tcp", env("LISTEN", "127.0.0.1:8000"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("serving on", listener.Addr())
	fmt.Fprintln(os.Stderr, http.Serve(listener, nil))
	os.Exit(1)
}
