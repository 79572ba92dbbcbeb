package providertest

// CaseIDs returns the IDs of all cases.
func CaseIDs() []string {
	var ids []string
	for _, c := range cases() {
		ids = append(ids, c.id)
	}
	return ids
}
