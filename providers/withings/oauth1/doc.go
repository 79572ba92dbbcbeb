// Package oauth1 signs requests the way the Withings and Nokia Health service
// asked for them from 2011 until it closed OAuth 1.0 on 30 November 2018, and
// connects an account by that protocol's three requests. It is a part of the
// Withings adapter.
//
// Of github.com/dghubble/oauth1 it uses the pieces that fit. HexNoncer makes the
// nonces; PercentEncode and HMACSigner compose what [Signer.Trace] shows, and the
// tests hold everything else against them. [Signer.SignedURL] and [Signer.Sign]
// encode into one buffer and call crypto/hmac instead. PercentEncode allocates for
// each byte that it escapes. HMACSigner v0.7.3 allocates 15 times for each
// signature, and leaves its caller nothing to keep between two; a whole address of
// 10 parameters is signed here with 11.
//
// # The base string is the standard one
//
// The service is said to sign a base string of its own, because the one in its
// documentation reads "...%2Fmeasure&action%3D..." where the URL reads
// "...measure?action=...", with an ampersand that is not encoded. Both are what
// RFC 5849 says. Section 3.4.1.2 leaves the query out of the base string URI,
// section 3.4.1.3 folds it into the parameters, and section 3.4.1.1 joins method,
// URI and parameters by two ampersands that are not encoded; this is the second.
// The ampersands between parameters are inside of the third part and become %26.
// The action comes first because it sorts first.
//
// The service's own documentation page of May 2015 computed this example:
//
//	GET http://wbsapi.withings.net/measure?action=getmeas&userid=
//	consumer key     123456789
//	consumer secret  123456789
//	token            9eeb4e2c976ec4d47b925392149c8bbceb5efcfd9b14441429e761052e52f
//	token secret     29d7b29209c9222169d103b766fb5783f296788500df68e8f30f0cb4d60c
//	nonce            dc6102cd25f7392b234a7f2f58be6260
//	timestamp        1431287241
//
//	GET&http%3A%2F%2Fwbsapi.withings.net%2Fmeasure&action%3Dgetmeas
//	%26oauth_consumer_key%3D123456789
//	%26oauth_nonce%3Ddc6102cd25f7392b234a7f2f58be6260
//	%26oauth_signature_method%3DHMAC-SHA1
//	%26oauth_timestamp%3D1431287241
//	%26oauth_token%3D9eeb4e2c976ec4d47b925392149c8bbceb5efcfd9b14441429e761052e52f
//	%26oauth_version%3D1.0%26userid%3D
//
//	oauth_signature=S0Ug4SPbQzNimIcJbiXs24PVniI%3D
//
// The base string is one line; it is broken here after the first parameter. Plain
// RFC 5849 gives the same signature, and ExampleSigner_SignedURL computes it.
//
// Likewise a callback is encoded once in the URL and twice in the base string:
// once as a value and once with the whole of the parameters (section 3.4.1.1).
//
// # What breaks stock libraries is transport
//
//   - The OAuth parameters travel in the query of the URL. Libraries put them
//     into the Authorization header.
//   - The method is GET for everything, also for the two token requests.
//   - The answer with the request token has no oauth_callback_confirmed, which
//     libraries insist on.
//   - The answer with the access token carries userid and deviceid, which
//     libraries drop, and each data call must name the userid.
//   - oauth_verifier is optional and often absent.
//   - The address of the consent page is signed too.
//
// # Use
//
// [Signer] signs an address, or with [Signer.Sign] a request: that method fits
// the Authorize field of the requests of package httpx. [Transport] signs all
// requests of an http.Client. [Flow] is the way from a consumer key to an access
// token. [Signer.Trace] shows each step of one signature.
//
// # Errors
//
// All errors are *providers.Error, except those of the base transport of a
// [Transport], which it hands on. What cannot be signed is ErrInvalid with a fixed
// text that says why. No error holds a key, a token, a secret or a URL. A
// refusal of the application or of its signature is ErrInvalid with ClientFault,
// and no person's state changes; a refusal of the token is ErrReauth.
//
// # Concurrency
//
// A [Signer], a [Transport] and a [Flow] are safe for concurrent use if their
// Nonce, Now, Trace and base transport are. The defaults are.
//
// # Limits
//
// HMAC-SHA1 only. All parameters are in the query: a form in the body is
// refused. Hosts are ASCII. The answer of a token request is limited to 64 KiB, and
// a token in it to 8 KiB of visible ASCII. Tokens of this protocol did not end.
package oauth1
