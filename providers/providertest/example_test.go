package providertest_test

import (
	"fmt"
	"io"
	"net/http"

	"github.com/vitalmux/vitalmux/providers/providertest"
)

func ExampleTransport() {
	client := http.Client{Transport: providertest.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, "asked for ", r.URL.Path)
	}))}
	resp, err := client.Get("https://service.example.com/measures")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body), err)
	// Output: 200 asked for /measures <nil>
}
