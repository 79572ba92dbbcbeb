// Package providertest is the conformance suite of the provider contract: what
// an adapter must do, in cases, each with an ID and its rule in words.
//
// An adapter's test gives a [Harness]: how to make a fresh simulated service,
// and how to make the adapter for it. [Run] runs the cases as subtests:
//
//	func TestConformance(t *testing.T) {
//		providertest.Run(t, providertest.Harness{
//			Sim: func(tb testing.TB, pageSize int) providertest.Simulator { ... },
//			New: func(tb testing.TB, base string, rt http.RoundTripper) providers.Provider { ... },
//		})
//	}
//
// Which cases apply follows from the optional interfaces that the adapter
// implements and from its Capabilities; there are no flags to turn cases off.
// An ability that the adapter has needs its counterpart in the simulator:
// [Consenter] for providers.Authorizer, [Subscribing] for providers.Subscriber,
// [Delivering] for providers.WebhookParser, and [Signing] too where
// providers.WebhookTraits says that deliveries are signed, [Pointing] for
// providers.PayloadFetcher, [Confirming] for providers.Confirmer, [Peopled] for
// providers.Lister. An adapter that returns providers.Page.Pending needs a
// simulator that is [Deferring].
//
// Deliveries are read as the engine has them read: with the headers that the
// traits name and no others. The traits must not name Authorization,
// Proxy-Authorization or Cookie: the engine stores what they name with the
// delivery, and a standing secret says nothing about the body. A delivery that
// is not signed may be an EventDeauth, but carries no records: the engine takes
// neither as a fact, it asks the service with the person's credentials.
//
// Faults of HTTP and of the network are injected by the suite itself, between
// the adapter and the simulator; the simulator is only asked for those that
// have a shape of their own in each service ([Fault]).
//
// # Errors
//
// [Check] returns what [Run] would report, as [*Failure] values joined: a suite
// that returns errors can be tested by adapters that are broken on purpose.
//
// # Concurrency
//
// Each case runs in a bubble of package testing/synctest of its own, with a
// fresh service, so that waits take no time. Adapter and simulator must do
// without real connections and must end all their goroutines with the case. The
// clock of a bubble begins at [Start].
//
// # Limits
//
// Requests go through a RoundTripper in the same process that hands over
// answers whole. The suite tests the contract, not the mapping: whether a value
// is right is for the adapter's own tests. So are the exact age at which a
// signature ends, several signing secrets at once, and the answer to a genuine
// challenge of the endpoint.
package providertest
