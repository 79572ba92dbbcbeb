package terra

// User is one connection: one person at one provider. One of your people, who
// is named by the reference id, can have several. Reference ids are not unique.
type User struct {
	UserID            string    `json:"user_id"`
	Provider          string    `json:"provider"` // such as GARMIN
	ReferenceID       string    `json:"reference_id,omitzero"`
	CreatedAt         Timestamp `json:"created_at,omitzero"`
	LastWebhookUpdate Timestamp `json:"last_webhook_update,omitzero"`
	Scopes            string    `json:"scopes,omitzero"` // the provider's words, joined by commas
	Active            *bool     `json:"active,omitzero"`
	LastPolledAt      Timestamp `json:"last_polled_at,omitzero"`      // from userInfo by user id only
	MostRecentDataAt  Timestamp `json:"most_recent_data_at,omitzero"` // from userInfo by user id only
}
