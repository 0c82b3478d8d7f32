package auth

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/txn2/rtbeat/internal/setting"
)

// Secret is a secret of the settings, and the name of its owner: Pending.Sender returns the name. The name may be empty.
type Secret struct{ Name, Value string }

// Secrets are the secrets of one scheme. In YAML they are a list of texts, which have no names, or a group of names and texts.
type Secrets []Secret

// Unnamed returns secrets without names.
func Unnamed(values ...string) Secrets {
	var secrets Secrets
	for _, value := range values {
		secrets = append(secrets, Secret{Value: value})
	}
	return secrets
}

// Unpack reads a value of the configuration; ucfg calls it. Secrets with names are in the order of their names.
func (s *Secrets) Unpack(v any) error {
	var secrets Secrets
	add := func(name string, value any) error {
		text, isText := value.(string)
		if !isText {
			return errors.New("a secret is not read as text; put it in quotes") // the value may be a secret
		}
		secrets = append(secrets, Secret{name, text})
		return nil
	}
	var err error
	switch v := v.(type) {
	case []any:
		for _, value := range v {
			err = errors.Join(err, add("", value))
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			err = errors.Join(err, add(name, v[name]))
		}
	default:
		err = add("", v)
	}
	if err == nil {
		*s = secrets
	}
	return err
}

// secretName is the form of a name. The length bounds what an event carries.
var secretName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// check checks each secret. An error counts secrets without names from 0, as everywhere in Beats. It repeats no name of the wrong
// form: somebody may have written a secret there.
func (s Secrets) check(key string, checkValue func(key, value string) error) error {
	for i, secret := range s {
		entry := fmt.Sprintf("%s.%d", key, i)
		if secret.Name != "" {
			if !secretName.MatchString(secret.Name) {
				return fmt.Errorf("%s has a name that cannot be used; use up to 64 letters, digits, - and _", key)
			}
			entry = key + "." + secret.Name
		}
		if err := setting.CheckText(entry, secret.Value); err != nil {
			return err
		}
		if err := checkValue(entry, secret.Value); err != nil {
			return err
		}
	}
	return s.checkOwners(key, func(value string) string { return value })
}

// checkOwners refuses a secret with two names. meaning returns what a text of a secret stands for.
func (s Secrets) checkOwners(key string, meaning func(value string) string) error {
	owners := make(map[string]string) // names by their secrets
	for _, secret := range s {
		meant := meaning(secret.Value)
		if owner := owners[meant]; owner != secret.Name && owner != "" {
			return fmt.Errorf("%s.%s is the same secret as %[1]s.%[3]s, so rtbeat cannot tell who sends; give each its own", key, secret.Name, owner)
		}
		owners[meant] = secret.Name
	}
	return nil
}

// checkAny accepts every text as a secret.
func checkAny(string, string) error { return nil }
