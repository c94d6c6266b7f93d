// go-oidc: its key set is asked by every token, and reads the URL again when
// it does not know a kid and its copy has expired.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	oidc "github.com/coreos/go-oidc"
)

type counter struct{ fetches int }

func (c *counter) RoundTrip(request *http.Request) (*http.Response, error) {
	c.fetches++
	return http.DefaultTransport.RoundTrip(request)
}

func main() {
	url, alg, issuer := os.Args[1], os.Args[2], os.Args[3]
	count := &counter{}
	ctx := oidc.ClientContext(
		context.Background(), &http.Client{Transport: count})
	make := func() *oidc.IDTokenVerifier {
		return oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(ctx, url),
			&oidc.Config{ClientID: "api",
				SupportedSigningAlgs: []string{alg}})
	}
	verifier := make()
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		word := strings.TrimSpace(input.Text())
		answer := map[string]interface{}{}
		if word == "refresh" {
			verifier = make()
			answer["refreshed"] = "a key set made anew"
		} else if token, err := verifier.Verify(ctx, word); err != nil {
			answer["error"] = err.Error()
		} else {
			claims := map[string]interface{}{}
			if err := token.Claims(&claims); err != nil {
				answer["error"] = err.Error()
			} else {
				answer["claims"] = claims
			}
		}
		answer["fetches"] = count.fetches
		text, _ := json.Marshal(answer)
		fmt.Println(string(text))
	}
}
