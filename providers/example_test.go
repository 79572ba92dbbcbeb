package providers_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// scale is a provider with one stream of two pages.
type scale struct{}

func (scale) Name() string { return "scale" }

func (scale) Capabilities() providers.Capabilities {
	return providers.Capabilities{Streams: []providers.Stream{{Name: "weights", Kinds: []health.Kind{health.KindBody}}}}
}

func (scale) Fetch(_ context.Context, _ providers.Credential, q providers.Query) (providers.Page, error) {
	weight := func(id string, grams int64) health.Record {
		return health.Record{
			Kind: health.KindBody, Key: q.Stream + "/" + id,
			Values: []health.Value{{Metric: "body_weight", Number: health.Decimal{Coefficient: grams, Exponent: -3}}},
		}
	}
	switch q.PageToken {
	case "":
		return providers.Page{Records: []health.Record{weight("1", 70150)}, More: true, PageToken: "2"}, nil
	case "2":
		return providers.Page{Records: []health.Record{weight("2", 69900)}}, nil
	default:
		return providers.Page{}, &providers.Error{
			Provider: "scale", Op: "fetch weights", Kind: providers.ErrRateLimited, Status: 429,
			RetryAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		}
	}
}

func ExampleRecords() {
	var p providers.Provider = scale{}
	for r, err := range providers.Records(context.Background(), p, providers.Credential{}, providers.Query{Stream: "weights"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.Key, r.Values[0].Number)
	}
	// Output:
	// weights/1 70.150
	// weights/2 69.900
}

func ExamplePages() {
	for page, err := range providers.Pages(context.Background(), scale{}, providers.Credential{}, providers.Query{Stream: "weights"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(page.Records), page.More)
	}
	// Output:
	// 1 true
	// 1 false
}

func ExampleError() {
	_, err := scale{}.Fetch(context.Background(), providers.Credential{}, providers.Query{Stream: "weights", PageToken: "3"})
	fmt.Println(err)
	if errors.Is(err, providers.ErrRateLimited) {
		at, _ := providers.RetryAt(err)
		fmt.Println("again at", at.Format(time.TimeOnly))
	}
	// Output:
	// scale: fetch weights: rate limited: http 429
	// again at 12:00:00
}

func ExampleSecret() {
	cred := providers.Credential{Access: providers.NewSecret("very secret")}
	fmt.Printf("%v %+v %s\n", cred, &cred, cred.Access)
	fmt.Println(len(cred.Access.Reveal()))
	// Output:
	// [redacted] [redacted] [redacted]
	// 11
}

func ExampleCapabilities_StreamNamed() {
	_, ok := scale{}.Capabilities().StreamNamed("sleep")
	fmt.Println(ok)
	// Output: false
}
