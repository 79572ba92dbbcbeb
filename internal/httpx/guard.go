package httpx

import (
	"fmt"
	"net/netip"
	"syscall"
)

// notPublic are the address blocks of the IANA special-purpose registries that
// no public service has, beyond those netip.Addr tells itself.
var notPublic = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("fec0::/10"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"),
	netip.MustParsePrefix("2002::/16"),
}

// nat64 is how networks without IPv4 show the IPv4 addresses.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// GuardDial refuses to connect to an address that is not public, such as a
// loopback, private or link-local one, whatever name it was resolved from. It
// is a net.Dialer.Control.
func GuardDial(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("httpx: network %s refused", network)
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("httpx: address refused")
	}
	ip := at.Addr().Unmap().WithZone("")
	if nat64.Contains(ip) {
		embedded := ip.As16()
		ip = netip.AddrFrom4([4]byte(embedded[12:]))
	}
	refused := !ip.IsGlobalUnicast() || ip.IsPrivate()
	for _, block := range notPublic {
		refused = refused || block.Contains(ip)
	}
	if refused {
		return fmt.Errorf("httpx: address %s is not public", ip)
	}
	return nil
}
