package providers_test

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

// canary is a secret that is easy to find in any encoding.
const canary = "canary-ünïcode+/=\"<secret>"

// holdsCanary reports whether text shows the canary in one of the ways it may
// leak.
func holdsCanary(text string) bool {
	quoted, _ := json.Marshal(canary)
	for _, form := range []string{
		canary, "canary", url.QueryEscape(canary), base64.StdEncoding.EncodeToString([]byte(canary)),
		hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary))),
		strings.Trim(string(quoted), `"`), fmt.Sprint([]byte(canary)), strings.Trim(fmt.Sprint([]byte(canary)), "[]"),
		base64.RawURLEncoding.EncodeToString([]byte(canary))[:12],
	} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// upstreamID is no secret, but personal: it prints redacted too where fmt lets
// a type decide.
const upstreamID = "person-4711"

// hidden keeps secrets where fmt does not ask their methods.
type hidden struct {
	secret     providers.Secret
	credential providers.Credential
	list       []providers.Secret
	byName     map[string]providers.Credential
}

type holder struct {
	Public     string
	Secret     providers.Secret
	Credential providers.Credential
	Pointer    *providers.Credential
	List       []providers.Secret
	Map        map[string]providers.Credential
	Any        any
}

// values are secrets on their own and nested in all that Go has.
func values() map[string]any {
	secret := providers.NewSecret(canary)
	cred := providers.Credential{
		UpstreamID: upstreamID, Access: secret, Refresh: secret, TokenSecret: secret, Scopes: []string{"scope"},
	}
	h := holder{
		Public: "public", Secret: secret, Credential: cred, Pointer: &cred, List: []providers.Secret{secret},
		Map: map[string]providers.Credential{"k": cred}, Any: secret,
	}
	return map[string]any{
		"secret": secret, "pointer to secret": &secret, "secrets": []providers.Secret{secret}, "array": [1]providers.Secret{secret},
		"map of secrets": map[string]providers.Secret{"k": secret}, "map by secret": map[providers.Secret]int{secret: 1},
		"credential": cred, "pointer to credential": &cred, "credentials": []providers.Credential{cred},
		"pointers": []*providers.Credential{&cred}, "map of credentials": map[string]*providers.Credential{"k": &cred},
		"struct": h, "pointer to struct": &h, "any": []any{secret, cred, h},
		"grant":                 providers.Grant{Credential: cred},
		"start":                 providers.AuthStart{Secret: secret},
		"callback":              providers.Callback{Secret: secret},
		"unexported":            hidden{secret, cred, []providers.Secret{secret}, map[string]providers.Credential{"k": cred}},
		"pointer to unexported": &hidden{secret, cred, []providers.Secret{secret}, map[string]providers.Credential{"k": cred}},
	}
}

func TestSecretsPrintRedacted(t *testing.T) {
	var formats []string
	for verb := 'A'; verb <= 'z'; verb++ {
		for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "10", ".3", "20.10", "# "} {
			formats = append(formats, "%"+flags+string(verb))
		}
	}
	for name, v := range values() {
		t.Run(name, func(t *testing.T) {
			for _, format := range formats {
				if text := fmt.Sprintf(format, v); holdsCanary(text) {
					t.Errorf("%s prints it: %s", format, text)
				} else if strings.ContainsAny(format[len(format)-1:], "vsdxq") && !strings.Contains(name, "unexported") && strings.Contains(text, upstreamID) {
					t.Errorf("%s prints the person: %s", format, text)
				}
			}
			require.False(t, holdsCanary(fmt.Sprint(v)))
			require.False(t, holdsCanary(fmt.Sprintln(v, v)))
			require.False(t, holdsCanary(fmt.Errorf("with %v", v).Error()))
		})
	}
}

func TestSecretsAreLoggedRedacted(t *testing.T) {
	for name, v := range values() {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				log := slog.New(handler)
				log.Info("message", "value", v, slog.Group("group", "value", v))
				log.With("value", v).Info(fmt.Sprint(v))
			}
			require.Positive(t, out.Len())
			require.False(t, holdsCanary(out.String()), out.String())
		})
	}
}

func TestSecretsAreEncodedRedacted(t *testing.T) {
	for name, v := range values() {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(v)
			if err == nil {
				require.False(t, holdsCanary(string(text)), string(text))
			}
			indented, err := json.MarshalIndent(v, "", " ")
			if err == nil {
				require.False(t, holdsCanary(string(indented)), string(indented))
			}
			asXML, err := xml.Marshal(v)
			if err == nil {
				require.False(t, holdsCanary(string(asXML)), string(asXML))
			}
			if m, ok := v.(encoding.TextMarshaler); ok {
				text, err := m.MarshalText()
				require.NoError(t, err)
				require.Equal(t, "[redacted]", string(text))
			}
			var page bytes.Buffer
			require.NoError(t, template.Must(template.New("").Parse("{{.}} {{printf `%v` .}}")).Execute(&page, v))
			require.False(t, holdsCanary(page.String()), page.String())

			var out bytes.Buffer
			_ = gob.NewEncoder(&out).Encode(v)
			require.False(t, holdsCanary(out.String()))
		})
	}
}

func TestGobRefusesSecrets(t *testing.T) {
	secret := providers.NewSecret(canary)
	require.Error(t, gob.NewEncoder(&bytes.Buffer{}).Encode(secret))
	require.Error(t, gob.NewEncoder(&bytes.Buffer{}).Encode(providers.Credential{Access: secret}))
	require.Error(t, gob.NewEncoder(&bytes.Buffer{}).Encode(struct{ C *providers.Credential }{&providers.Credential{Access: secret}}))
}

func TestSecret(t *testing.T) {
	secret := providers.NewSecret("s3cr3t")
	require.Equal(t, "s3cr3t", secret.Reveal())
	require.False(t, secret.IsZero())
	require.True(t, providers.Secret{}.IsZero())
	require.True(t, secret == providers.NewSecret("s3cr3t"))
	require.False(t, secret == providers.NewSecret("s3cr3t "))
	require.True(t, providers.NewSecret("") == providers.Secret{})
	require.Empty(t, providers.Secret{}.Reveal())
	text, err := json.Marshal(map[string]any{"secret": secret, "credential": providers.Credential{Access: secret}})
	require.NoError(t, err)
	require.JSONEq(t, `{"secret":"[redacted]","credential":"[redacted]"}`, string(text))
	require.Equal(t, "[redacted] [redacted] [redacted]", fmt.Sprintf("%v %d %#v", secret, secret, providers.Credential{}))
	require.Equal(t, "[redacted]", secret.String())
	require.Equal(t, "[redacted]", secret.GoString())
	require.Equal(t, "[redacted]", providers.Credential{}.String())
	require.Equal(t, "[redacted]", providers.Credential{}.GoString())
}
