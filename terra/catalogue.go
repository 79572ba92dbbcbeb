package terra

import (
	"iter"
	"slices"
	"strings"
)

// Source is where a fact of the catalogue comes from.
type Source string

// The sources.
const (
	SourcePage Source = "page"      // the integrations page
	SourceDocs Source = "docs-2026" // the documentation of 2026: supported integrations, managed and own credentials
	SourceLive Source = "live"      // an answer of the service, see [Catalogue.Merge]
)

// Access is how a person's data is reached.
type Access string

// The ways of access.
const (
	AccessWeb     Access = "web"     // a login in the browser
	AccessSDK     Access = "sdk"     // the mobile SDK, on the person's phone, only
	AccessTeams   Access = "teams"   // the API for teams
	AccessTest    Access = "test"    // made-up data
	AccessUnknown Access = "unknown" // listed, and not said where
)

// Group is the field of a provider, as the catalogue is ordered.
type Group string

// The groups.
const (
	GroupMainstream Group = "mainstream"
	GroupMetabolic  Group = "metabolic"
	GroupClinical   Group = "clinical"
	GroupNutrition  Group = "nutrition"
	GroupWomen      Group = "womens_health"
	GroupTraining   Group = "training"
	GroupMobile     Group = "mobile"
	GroupTest       Group = "test"
	GroupTeams      Group = "teams"
	GroupUnknown    Group = "unknown" // learned from an answer of the service
)

// KeyRule says whether you bring your own application of a provider.
type KeyRule string

// The rules of the documentation of 2026.
const (
	KeysUnknown    KeyRule = ""             // nothing is said
	KeysManaged    KeyRule = "managed"      // Terra's application works, your own is possible
	KeysRequired   KeyRule = "required"     // you bring your own application
	KeysCaseByCase KeyRule = "case_by_case" // arranged with Terra's support
	KeysNone       KeyRule = "none"         // there are no application keys
)

// Notice is one remark on a provider.
type Notice struct {
	Source Source
	Text   string
}

// Scope is one scope of a provider's application.
type Scope struct {
	Name string
	// Essential reports whether the integration does not work without it.
	Essential bool
	// Doc says what it is for, where that is not its name.
	Doc string
}

// Addresses are what is entered in a provider's application.
type Addresses struct {
	CallbackDomain string // of the authorization
	RedirectURL    string
	AccessURL      string
	CallbackURL    string // for notifications of new data
}

// Integration is one provider as far as it is known.
type Integration struct {
	// ID is Terra's word for the provider: the parameter resource, and
	// provider of a [User]. It is an opaque text.
	ID string
	// FormerIDs are words that older lists use.
	FormerIDs []string
	Name      string
	Group     Group
	Access    Access

	// OwnKeysPossible reports whether you can use your own application, with
	// rate limits, name and logo of its own (source: page).
	OwnKeysPossible bool
	// KeyRule is the rule of the newer documentation (source: docs-2026). It
	// may differ from OwnKeysPossible.
	KeyRule KeyRule
	// NoKeysIssued is set where Terra issues no keys, so that your own
	// partnership with the provider is needed (source: page).
	NoKeysIssued bool
	// PartnershipNeeded is set where the page asks for a direct partnership
	// between you and the provider (source: page).
	PartnershipNeeded bool
	// MayChange is set where the agreement is outside of Terra's control, so
	// that the integration may change or break without notice (source: page).
	MayChange bool
	// ClosedProgramme is set where the provider took no new partners at the
	// time of the page.
	ClosedProgramme bool
	// Retired is set for integrations that have been or are being ended
	// (source: docs-2026).
	Retired bool
	// HealthConnect is set where the data comes out of Android's Health
	// Connect.
	HealthConnect bool
	// Polled reports whether Terra fetches every 5 to 10 minutes rather than
	// being notified, Pushed whether it is notified; neither is not told
	// (source: docs-2026).
	Polled, Pushed bool
	// PlannedWorkouts reports whether workouts can be planned for its users,
	// WriteActivity whether activities can be written (source: docs-2026).
	PlannedWorkouts, WriteActivity bool

	Addresses Addresses
	Scopes    []Scope
	// Steps are what to do before the first person can connect, in order.
	Steps []Notice
	// Caveats are what to know, in no order.
	Caveats []Notice

	// Live is what the service answered, nil if it was not asked.
	Live *LiveIntegration
}

// LiveIntegration is what answers of the service tell of a provider.
type LiveIntegration struct {
	// Listed reports whether the answer had the provider at all.
	Listed bool
	// SDK reports whether it was listed as one of the mobile SDK.
	SDK bool
	// Detail is set if the detailed list had it.
	Detail *IntegrationDetail
}

// NeedsOwnKeys reports whether any source says that you must bring your own
// application.
func (i Integration) NeedsOwnKeys() bool {
	return i.KeyRule == KeysRequired || i.NoKeysIssued || i.PartnershipNeeded
}

// Catalogue is what is known of the providers behind Terra. It does not change:
// [Catalogue.Merge] returns another. Its integrations share memory and must not
// be modified. The zero Catalogue is empty.
type Catalogue struct{ list []Integration }

// NewCatalogue returns the catalogue as documented. The service may have more
// providers, and may have ended some.
func NewCatalogue() Catalogue { return Catalogue{list: integrations()} }

// Len returns the number of integrations.
func (c Catalogue) Len() int { return len(c.list) }

// All returns the integrations ordered by group and then as documented.
func (c Catalogue) All() iter.Seq[Integration] { return slices.Values(c.list) }

// Lookup returns the integration with an id, or a former id, in any case of
// letters.
func (c Catalogue) Lookup(id string) (Integration, bool) {
	if i := c.index(id); i >= 0 {
		return c.list[i], true
	}
	return Integration{}, false
}

func (c Catalogue) index(id string) int {
	same := func(other string) bool { return strings.EqualFold(id, other) }
	if i := slices.IndexFunc(c.list, func(g Integration) bool { return same(g.ID) }); i >= 0 {
		return i
	}
	return slices.IndexFunc(c.list, func(g Integration) bool { return slices.ContainsFunc(g.FormerIDs, same) })
}

// Filter selects integrations. A zero field selects all; the set ones must all
// hold.
type Filter struct {
	Access Access
	Group  Group
	// KeyRule selects by the rule of the newer documentation.
	KeyRule KeyRule
	// OwnKeysPossible, NeedsOwnKeys, NoKeysIssued, PartnershipNeeded, MayChange,
	// ClosedProgramme, HealthConnect and PlannedWorkouts select those for which
	// it is true.
	OwnKeysPossible, NeedsOwnKeys, NoKeysIssued, PartnershipNeeded bool
	MayChange, ClosedProgramme, HealthConnect, PlannedWorkouts     bool
	// NotRetired leaves out what has been or is being ended.
	NotRetired bool
	// Listed selects those that the service listed.
	Listed bool
}

func (f Filter) selects(i Integration) bool {
	return (f.Access == "" || f.Access == i.Access) && (f.Group == "" || f.Group == i.Group) &&
		(f.KeyRule == "" || f.KeyRule == i.KeyRule) &&
		(!f.OwnKeysPossible || i.OwnKeysPossible) && (!f.NeedsOwnKeys || i.NeedsOwnKeys()) &&
		(!f.NoKeysIssued || i.NoKeysIssued) && (!f.PartnershipNeeded || i.PartnershipNeeded) &&
		(!f.MayChange || i.MayChange) && (!f.ClosedProgramme || i.ClosedProgramme) &&
		(!f.HealthConnect || i.HealthConnect) && (!f.PlannedWorkouts || i.PlannedWorkouts) &&
		(!f.NotRetired || !i.Retired) && (!f.Listed || i.Live != nil && i.Live.Listed)
}

// Filter returns the integrations that f selects, in the order of the catalogue.
func (c Catalogue) Filter(f Filter) []Integration {
	var list []Integration
	for _, i := range c.list {
		if f.selects(i) {
			list = append(list, i)
		}
	}
	return list
}

// Merge returns the catalogue with what the service answered: the plain list,
// the detailed list, or both; nil is not asked. A provider that is known keeps
// every fact, whatever the answer says or leaves out, and gets [Integration.Live];
// one that is not known is added at the end.
func (c Catalogue) Merge(plain *Integrations, detailed []IntegrationDetail) Catalogue {
	if plain == nil && detailed == nil {
		return c
	}
	out := Catalogue{list: slices.Clone(c.list)}
	for i := range out.list {
		out.list[i].Live = &LiveIntegration{}
	}
	live := func(id, name string, access Access) *LiveIntegration {
		i := out.index(id)
		if i < 0 {
			out.list = append(out.list, Integration{
				ID: id, Name: name, Group: GroupUnknown, Access: access, Live: &LiveIntegration{},
				Caveats: []Notice{{SourceLive, "Not in the catalogue: known from an answer of the service only."}},
			})
			i = len(out.list) - 1
		}
		out.list[i].Live.Listed = true
		return out.list[i].Live
	}
	if plain != nil {
		for _, id := range plain.Providers {
			live(id, id, AccessWeb)
		}
		for _, id := range plain.SDKProviders {
			live(id, id, AccessSDK).SDK = true
		}
	}
	for _, d := range detailed {
		if d.Provider == "" {
			continue
		}
		name := d.Name
		if name == "" {
			name = d.Provider
		}
		live(d.Provider, name, AccessUnknown).Detail = &d
	}
	return out
}
