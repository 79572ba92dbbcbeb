package terra

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/joho/godotenv"

	"github.com/vitalmux/vitalmux/providers"
)

// The variables that [LoadEnv] reads.
const (
	EnvDevID         = "TERRA_DEV_ID"
	EnvAPIKey        = "TERRA_API_KEY"
	EnvSigningSecret = "TERRA_SIGNING_SECRET"
)

// Environments returns the names of the environments of an account. Each has its
// own developer id, key and signing secret.
func Environments() []string { return []string{"testing", "staging", "production"} }

// Environment is the credentials of one environment. It prints without its
// secrets.
type Environment struct {
	Name   string
	DevID  string
	APIKey providers.Secret
	// SigningSecret verifies what arrives at the webhook; empty if it is not
	// set.
	SigningSecret providers.Secret
}

// LoadEnv returns the credentials of an environment: "testing", "staging" or
// "production". They come from the file .env.terra.<environment> in the working
// directory if there is one, else from the environment of the process. The two
// are never mixed, so that the developer id of one environment does not meet the
// key of another. The process is not changed.
//
// TERRA_DEV_ID and TERRA_API_KEY are required, TERRA_SIGNING_SECRET is not. An
// error is of class ErrInvalid, and names the file and the variables that are
// missing; it never holds a value.
func LoadEnv(environment string) (Environment, error) {
	const op = "load environment"
	if !slices.Contains(Environments(), environment) {
		return Environment{}, invalid(op, "no such environment: there are "+strings.Join(Environments(), ", "))
	}
	file := ".env.terra." + environment
	lookup, where := os.Getenv, "no file "+file+", and the process environment"
	switch f, err := os.Open(file); {
	case err == nil:
		values, err := godotenv.Parse(f)
		_ = f.Close()
		if err != nil {
			// What the parser says may repeat a line of the file.
			return Environment{}, invalid(op, file+" cannot be read")
		}
		lookup, where = func(name string) string { return values[name] }, file
	case !errors.Is(err, fs.ErrNotExist):
		return Environment{}, invalid(op, file+" cannot be opened")
	}
	value := func(name string) string { return strings.TrimSpace(lookup(name)) }
	var missing []string
	for _, name := range []string{EnvDevID, EnvAPIKey} {
		if value(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return Environment{}, invalid(op, fmt.Sprintf("%s has no %s", where, strings.Join(missing, " and no ")))
	}
	return Environment{
		Name: environment, DevID: value(EnvDevID),
		APIKey: providers.NewSecret(value(EnvAPIKey)), SigningSecret: providers.NewSecret(value(EnvSigningSecret)),
	}, nil
}

// Config returns a configuration with the credentials.
func (e Environment) Config() Config { return Config{DevID: e.DevID, APIKey: e.APIKey} }
