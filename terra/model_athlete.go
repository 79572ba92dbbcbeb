package terra

// Athlete is the profile of a person at a provider.
type Athlete struct {
	Age                 Number       `json:"age,omitzero"` // years
	Country             string       `json:"country,omitzero"`
	Bio                 string       `json:"bio,omitzero"`
	State               string       `json:"state,omitzero"`
	LastName            string       `json:"last_name,omitzero"`
	Sex                 string       `json:"sex,omitzero"` // free text, e.g. male
	City                string       `json:"city,omitzero"`
	Email               string       `json:"email,omitzero"`
	DateOfBirth         Timestamp    `json:"date_of_birth,omitzero"` // ISO date
	FirstName           string       `json:"first_name,omitzero"`
	Gender              string       `json:"gender,omitzero"`
	AccountCreationDate Timestamp    `json:"account_creation_date,omitzero"`
	ProviderUserID      string       `json:"provider_user_id,omitzero"`
	Devices             []DeviceData `json:"devices,omitzero"`         // older models only
	JoinedProvider      Timestamp    `json:"joined_provider,omitzero"` // older models only
}
