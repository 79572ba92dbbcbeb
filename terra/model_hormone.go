package terra

// HormoneSample is one hormone test. Its key is Timestamp.
type HormoneSample struct {
	Timestamp   Timestamp `json:"timestamp"` // test time with offset
	LHMIUPerMl  Number    `json:"lh_mIU_per_ml,omitzero"`
	E3GNgPerMl  Number    `json:"e3g_ng_per_ml,omitzero"`
	PDGUgPerMl  Number    `json:"pdg_ug_per_ml,omitzero"`
	HCGMIUPerMl Number    `json:"hcg_mIU_per_ml,omitzero"`
	FSHMIUPerMl Number    `json:"fsh_mIU_per_ml,omitzero"`
}
