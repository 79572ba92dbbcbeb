package proof

import "slices"

// Invariant is one promise.
type Invariant struct {
	ID string
	// Text is what holds.
	Text string
	// Later says with what a proof will come; empty if it is due now.
	Later string
}

// Group is a heading with its invariants.
type Group struct {
	Title      string
	Invariants []Invariant
}

// Rows returns all promises, in the order in which they are shown.
func Rows() []Group {
	return []Group{
		{"Tokens", []Invariant{
			{"R1", "However many workers and processes find one access token expired, its refresh token is presented once.", ""},
			{"R2", "A process killed at any named point of a refresh leaves a connection that works after one pause; where the provider accepts a refresh token once only, a kill between sending and storing may ask for a new consent instead.", ""},
			{"R3", "The same holds for kills at random moments, with several processes at work.", ""},
			{"R4", "A process that is stopped in the middle of a refresh and goes on later loses nobody if it was stopped for less than the quarantine; if for longer, nobody whose provider never rotates, answers a repeated token alike, or only refuses it.", ""},
			{"R5", "A connection cut before, in or after a request or its reply ends in the outcome that the class of failure names, and is never passed over.", ""},
			{"R6", "A new pair is stored durably before its access token is used.", ""},
			{"R7", "Only a refusal that is clearly about the refresh token asks the person for a new consent.", ""},
			{"R8", "A fault of the client's registration stops refreshes for the provider and changes no connection.", ""},
			{"R9", "A caller that gives up does not interrupt a refresh that was begun.", ""},
			{"R10", "A pair that arrives late never replaces a newer consent, and nothing comes back after an erasure.", ""},
			{"R11", "The exhaustive model of the refresh protocol gives the outcomes it is documented to give.", ""},
			{"R12", "Clocks that differ, jump or stand still cause no second presentation and no lease that does not end.", ""},
			{"R13", "A process asked to end finishes the refreshes it began.", ""},
			{"R14", "When the store refuses the new pair it is tried again and then put aside in a sealed file, which is read once.", ""},
			{"R15", "A Redis configured to lose or evict data is refused, with the name of the setting.", ""},
			{"R16", "Killing redis-server loses no acknowledged write.", ""},
			{"R17", "After a Sentinel failover every lost write is accounted for, and every person is either connected or asked for consent.", ""},
			{"R18", "OAuth 1 signatures equal the published vectors, and nonces do not repeat.", ""},
		}},
		{"Webhooks", []Invariant{
			{"W1", "A delivery that was acknowledged takes effect exactly once, whatever is killed.", ""},
			{"W2", "The same after a loss of power.", "a file system that drops unsynced writes"},
			{"W3", "Deliveries are acknowledged in time, or refused with 503, while all workers are busy.", ""},
			{"W4", "One changed bit in signature, header or body is refused, at the same cost as a match.", ""},
			{"W5", "The window of a signed timestamp is exact on both sides.", ""},
			{"W6", "A replayed request is acknowledged and has no further effect.", ""},
			{"W7", "A value that changes and changes back is kept as it last was.", ""},
			{"W8", "Deliveries that are repeated, late or in disorder leave what the newest one says, or a new read of the day.", ""},
			{"W9", "A notification that arrives during a read is followed by a full read.", ""},
			{"W10", "A body above the limit, a slow one and one that breaks off cost bounded memory and time, and delay nobody else.", ""},
			{"W11", "A delivery that always fails, or panics, goes to the dead letters and does not stop the others; it can be tried again.", ""},
			{"W12", "What a delivery only points to is fetched before the pointer ends, or read again from the provider.", ""},
			{"W13", "Data for a person who is not known yet waits for the consent, at most seven days.", ""},
			{"W14", "An unsigned notification, whatever it says, causes at most one read and changes nothing else.", ""},
			{"W15", "Without a usable secret the engine is not built, and an unknown endpoint answers like any other.", ""},
			{"W16", "A signing secret is replaced without a refused delivery, and the old one then stops working.", ""},
			{"W17", "Methods, probes and failures get the status codes that the provider documents.", ""},
		}},
		{"Sync", []Invariant{
			{"S1", "Records and the cursor that moved over them are stored together, whenever the process is killed.", ""},
			{"S2", "Pages read again, in any order, leave the same bytes.", ""},
			{"S3", "Data added late within the look-back is found by the next reads, older data by the reconciling one.", ""},
			{"S4", "Pages that loop, grow, shrink or never end stop with a named error and an unmoved cursor.", ""},
			{"S5", "A record is marked deleted only after a complete read without it, and comes back when it does.", ""},
			{"S6", "Changes of time zone, clock changes and leap days leave one record per civil key.", ""},
			{"S7", "The provider's request limits are kept, and a refusal for that reason is waited out.", ""},
			{"S8", "Numbers are stored as they were sent.", ""},
			{"S9", "A person with a long history does not delay the others.", ""},
			{"S10", "A record that breaks a rule is set aside with its reason, and its page is stored without it.", ""},
		}},
		{"Security, privacy, the host process", []Invariant{
			{"X1", "No secret appears in an error, log line, panic, metric or printed value.", ""},
			{"X2", "No secret lies unsealed in a file.", ""},
			{"X3", "A sealed value opens only in its place: moved, cut or changed it does not.", ""},
			{"X4", "The sealing key is replaced while everything runs, and the old one is then used by nothing.", ""},
			{"X5", "Sealing never uses a nonce twice.", ""},
			{"X6", "A redirect, or a name that resolves to an inner address, receives nothing.", ""},
			{"X7", "An answer that is too long, too slow or expands too far ends with an error in bounded memory and time.", ""},
			{"X8", "A connect flow is completed once, by the browser and for the provider it was begun for.", ""},
			{"X9", "An erased person leaves no byte, and late data does not bring anything back.", ""},
			{"X10", "An export holds exactly what the store holds.", ""},
			{"X11", "No goroutine and no file descriptor is left behind.", ""},
			{"X12", "No input makes a decoder panic.", ""},
			{"X13", "The module leaves the process it is linked into alone, and contains hooks that panic or block.", ""},
			{"X14", "No dependency has a known vulnerability, and the core has few.", "the release checks"},
			{"X15", "Every change of state has exactly one audit event, without values.", "the release checks"},
		}},
		{"The proofs themselves", []Invariant{
			{"M1", "Each of a list of faults put into the code on purpose turns its test red.", ""},
		}},
	}
}

func known(id string) bool {
	return slices.ContainsFunc(Rows(), func(g Group) bool {
		return slices.ContainsFunc(g.Invariants, func(i Invariant) bool { return i.ID == id })
	})
}
