package terra

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func ids(list []Integration) (out []string) {
	for _, i := range list {
		out = append(out, i.ID)
	}
	return out
}

// The lists of the documentation, word by word, against the table.
func TestCatalogueLists(t *testing.T) {
	c := NewCatalogue()
	for name, tc := range map[string]struct {
		filter Filter
		want   string
	}{
		"own keys possible": {Filter{OwnKeysPossible: true}, `BIOSTRAP CONCEPT2 COROS CRONOMETER DECATHLON DEXCOM DEXCOM_EU DEXCOM_JP FATSECRET FITBIT
			GARMIN GOOGLE HUAWEI INBODY KETOMOJOEU KETOMOJOUS MACROSFIRST MAPMYFITNESS NOLIO NUTRACHECK OMRON OMRONUS OURA POLAR PUL RIDEWITHGPS STRAVA
			SUUNTO TRAININGPEAKS TREDICT VIRTUAGYM WAHOO WHOOP WITHINGS`},
		"may change": {Filter{MayChange: true}, `FREESTYLELIBRE AKTIIA BRYTONSPORT CLUE EATTHISMUCH FATSECRET FINALSURGE HAMMERHEAD LEZYNE LIVEROWING
			RIDEWITHGPS ROUVY SOMNOFY TECHNOGYM TEMPO TRAINXHALE TRAINASONE TRAINERROAD TRIDOT VELOHERO`},
		"partnership":      {Filter{PartnershipNeeded: true}, `VIRTUAGYM INBODY DEXCOM DEXCOM_EU DEXCOM_JP HUAWEI WHOOP STRAVA`},
		"no keys issued":   {Filter{NoKeysIssued: true}, `WHOOP STRAVA DEXCOM DEXCOM_EU DEXCOM_JP HUAWEI VIRTUAGYM`},
		"keys required":    {Filter{KeyRule: KeysRequired}, `GARMIN WHOOP STRAVA HUAWEI DEXCOM DEXCOM_EU DEXCOM_JP INBODY VIRTUAGYM`},
		"keys managed":     {Filter{KeyRule: KeysManaged}, `OURA FITBIT POLAR WITHINGS SUUNTO BIOSTRAP CONCEPT2 FATSECRET FREESTYLELIBRE`},
		"case by case":     {Filter{KeyRule: KeysCaseByCase}, `CRONOMETER`},
		"no keys":          {Filter{KeyRule: KeysNone}, `APPLE CARDIOMOOD CORE EATTHISMUCH FINALSURGE GOOGLEFIT HAMMERHEAD Intervals.icu`},
		"closed":           {Filter{ClosedProgramme: true}, `SUUNTO GOOGLE TRAININGPEAKS`},
		"on the phone":     {Filter{Access: AccessSDK}, `APPLE SAMSUNG HEALTH_CONNECT GOOGLEFIT FREESTYLELIBRESDK`},
		"health connect":   {Filter{HealthConnect: true}, `SAMSUNG HEALTH_CONNECT GOOGLEFIT`},
		"planned workouts": {Filter{PlannedWorkouts: true}, `GARMIN COROS WAHOO SUUNTO TRAININGPEAKS HUAWEI ZEPP HEVY APPLE`},
		"test":             {Filter{Access: AccessTest}, `DUMMY`},
		"teams":            {Filter{Access: AccessTeams}, `VALD CATAPULT`},
		"glucose":          {Filter{Group: GroupMetabolic}, `DEXCOM DEXCOM_EU DEXCOM_JP FREESTYLELIBRE KETOMOJOEU KETOMOJOUS`},
		"several at once":  {Filter{MayChange: true, OwnKeysPossible: true}, `FATSECRET RIDEWITHGPS`},
		"listed":           {Filter{Listed: true}, ``},
	} {
		require.ElementsMatch(t, strings.Fields(tc.want), ids(c.Filter(tc.filter)), name)
	}
	require.Len(t, c.Filter(Filter{OwnKeysPossible: true}), 34)
	require.Equal(t, c.Len(), len(c.Filter(Filter{})))
	require.Equal(t, 90, c.Len())
	require.NotContains(t, ids(c.Filter(Filter{NotRetired: true})), "RENPHO")
	require.Contains(t, ids(c.Filter(Filter{NeedsOwnKeys: true})), "GARMIN")

	seen := map[string]bool{}
	for i := range c.All() {
		require.NotEmpty(t, i.Name, i.ID)
		require.NotEmpty(t, i.Group, i.ID)
		require.NotEmpty(t, i.Access, i.ID)
		require.Nil(t, i.Live)
		for _, id := range append([]string{i.ID}, i.FormerIDs...) {
			require.False(t, seen[strings.ToUpper(id)], id)
			seen[strings.ToUpper(id)] = true
		}
		for _, n := range append(slices.Clone(i.Steps), i.Caveats...) {
			require.Contains(t, []Source{SourcePage, SourceDocs}, n.Source, i.ID)
			require.NotEmpty(t, n.Text, i.ID)
		}
	}
}

func TestCatalogueLookup(t *testing.T) {
	c := NewCatalogue()
	for id, want := range map[string]string{
		"GARMIN": "GARMIN", "garmin": "GARMIN", "DEXCOMEU": "DEXCOM_EU", "OMRONEU": "OMRON", "EIGHTSLEEP": "EIGHT", "INTERVALS.ICU": "Intervals.icu",
	} {
		i, ok := c.Lookup(id)
		require.True(t, ok, id)
		require.Equal(t, want, i.ID)
	}
	_, ok := c.Lookup("NO_SUCH")
	require.False(t, ok)
	_, ok = Catalogue{}.Lookup("GARMIN")
	require.False(t, ok)

	huawei, _ := c.Lookup("HUAWEI")
	require.Equal(t, Addresses{
		RedirectURL: "https://api.tryterra.co/v2/auth/huawei/oauth2", AccessURL: "https://api.tryterra.co/",
		CallbackURL: "https://api.tryterra.co/v2/hooks/huawei/healthkit/notifications",
	}, huawei.Addresses)
	require.Len(t, huawei.Steps, 4)
	require.True(t, huawei.NeedsOwnKeys())
	strava, _ := c.Lookup("STRAVA")
	require.Equal(t, "api.tryterra.co", strava.Addresses.CallbackDomain)

	google, _ := c.Lookup("GOOGLE")
	require.Len(t, google.Scopes, 16)
	var essential []string
	for _, s := range google.Scopes {
		if s.Essential {
			require.NotEmpty(t, s.Doc)
			essential = append(essential, s.Name)
		}
	}
	require.Equal(t, []string{"calendar.settings.readonly", "userinfo.profile"}, essential)
	require.True(t, google.Retired)

	says := func(id, part string) {
		i, _ := c.Lookup(id)
		require.True(t, slices.ContainsFunc(append(slices.Clone(i.Steps), i.Caveats...), func(n Notice) bool { return strings.Contains(n.Text, part) }), "%s: %s", id, part)
	}
	says("FREESTYLELIBRE", "Germany, Austria and France")
	says("SAMSUNG", "privileged SDK")
	says("HEALTH_CONNECT", "permission form")
	says("GOOGLEFIT", "GOOGLE instead")
	says("VIRTUAGYM", "portal name")
	says("FITBIT", "revokes the first connection")
	wear, _ := c.Lookup("WEAROS")
	require.Equal(t, AccessUnknown, wear.Access)
}

// What the service answers is added and replaces nothing that is known.
func TestCatalogueMerge(t *testing.T) {
	c := NewCatalogue()
	require.Equal(t, c, c.Merge(nil, nil))
	merged := c.Merge(
		&Integrations{Providers: []string{"GARMIN", "BRAND_NEW", "DEXCOMEU", "APPLE"}, SDKProviders: []string{"SAMSUNG", "NEW_PHONE"}},
		[]IntegrationDetail{
			{Provider: "GARMIN", Name: "Not Garmin", Setup: "API_KEYS_MANAGED", Enabled: new(false)}, {Provider: "OTHER_NEW", Name: "Other New"},
			{Provider: "BRAND_NEW", Name: "Brand New"}, {Name: "without an id"},
		},
	)
	require.Equal(t, NewCatalogue(), c, "the catalogue itself does not change")
	require.Equal(t, c.Len()+3, merged.Len())
	for before := range c.All() {
		after, ok := merged.Lookup(before.ID)
		require.True(t, ok)
		require.NotNil(t, after.Live)
		after.Live = nil
		require.Equal(t, before, after, "every fact is kept")
	}
	garmin, _ := merged.Lookup("GARMIN")
	require.Equal(t, "Garmin", garmin.Name)
	require.Equal(t, KeysRequired, garmin.KeyRule, "against what the answer says")
	require.Equal(t, &LiveIntegration{Listed: true, Detail: &IntegrationDetail{Provider: "GARMIN", Name: "Not Garmin", Setup: "API_KEYS_MANAGED", Enabled: new(false)}}, garmin.Live)
	apple, _ := merged.Lookup("APPLE")
	require.Equal(t, AccessSDK, apple.Access)
	oura, _ := merged.Lookup("OURA")
	require.Equal(t, &LiveIntegration{}, oura.Live, "left out of the answer")
	europe, _ := merged.Lookup("DEXCOM_EU")
	require.True(t, europe.Live.Listed, "by its former id")
	for id, want := range map[string]Integration{
		"BRAND_NEW": {Name: "BRAND_NEW", Access: AccessWeb}, "NEW_PHONE": {Name: "NEW_PHONE", Access: AccessSDK}, "OTHER_NEW": {Name: "Other New", Access: AccessUnknown},
	} {
		i, ok := merged.Lookup(id)
		require.True(t, ok, id)
		require.Equal(t, want.Name, i.Name)
		require.Equal(t, want.Access, i.Access)
		require.Equal(t, GroupUnknown, i.Group)
		require.Equal(t, SourceLive, i.Caveats[0].Source)
	}
	require.ElementsMatch(t, []string{"GARMIN", "BRAND_NEW", "DEXCOM_EU", "APPLE", "SAMSUNG", "NEW_PHONE", "OTHER_NEW"}, ids(merged.Filter(Filter{Listed: true})))
	again := merged.Merge(&Integrations{}, nil)
	require.Equal(t, merged.Len(), again.Len(), "what was learned stays")
	require.Empty(t, again.Filter(Filter{Listed: true}))
}
