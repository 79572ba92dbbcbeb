package health

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// goldenRecord uses every field of a record.
func goldenRecord() Record {
	start := int64(1767308400000) // 2026-01-01T23:00:00Z
	return Record{
		Connection: "c_01", Kind: KindSleep, Key: "sleep/2026-01-02",
		Rev:    Rev{Order: 1767340800000, Mapping: 3, Push: true, Fingerprint: 0x0123456789abcdef},
		Method: MethodSensed,
		Source: Source{Provider: "withings", Path: PathDirect, Upstream: "WITHINGS", Device: "Sleep Analyzer", App: "com.example"},
		Span: Span{
			Start: Zoned(start, 3600), End: Zoned(start+28_800_500, 7200),
			Day: Day{2026, 1, 2}, Zone: ZoneFromRecord, Location: "Europe/Paris", Flags: FlagAmbiguous,
		},
		Values: []Value{
			{Metric: "heart_rate", Stat: StatMean, Number: Decimal{563, -1}},
			{Metric: "skin_temperature", Part: "left_wrist", Number: Decimal{-12, -2}},
			{Metric: "sleep_score", Number: Int(81), Flags: FlagSticky},
		},
		Texts: []Text{{"device_model", "63"}, {"note", "naïve\n"}},
		Segments: []Segment{
			{Track: "stage", Label: "deep", Code: "2", Start: Zoned(start, 3600), End: Zoned(start+60_000, 3600),
				Values: []Value{{Metric: "heart_rate", Part: "zone_2", Stat: StatMin, Number: Decimal{51, 0}, Flags: FlagEstimated}}},
			{Track: "stage", Code: "77", Start: Floating(start + 1), End: Floating(start + 2)},
			{Track: "lap", Label: "deep", Start: Instant(start)},
		},
		Series: []Series{{
			Metric: "heart_rate", Stat: StatMean, Exp: -1, From: start, To: start + 5000,
			Times: []int64{start, start + 1000, start + 2000, start + 3000, start + 4500}, Values: []int64{560, 571, -3, 1 << 40, 9},
		}},
	}
}

// The bytes of version 1. They are in databases: a change of the encoding
// needs a new version and a decoder that still reads these.
const (
	goldenBytes = "" +
		"0104635f303105736c65657010736c6565702f323032362d30312d303280e0c3dbef660defcdab89674523014d000000" +
		"7b2268656172745f726174652e6d65616e223a35362e332c22736b696e5f74656d7065726174757265406c6566745f77" +
		"72697374223a2d302e31322c22736c6565705f73636f7265223a38317dc4000000010a7f16e0f1b7950d0812e8d7bb1b" +
		"10d41f0102184575726f70652f5061726973081f1077697468696e67731057495448494e47531c536c65657020416e61" +
		"6c797a657216636f6d2e6578616d706c6501020402186465766963655f6d6f64656c043633086e6f74650e6e61c3af76" +
		"650a030a7374616765086465657002320e000e78011468656172745f726174650c7a6f6e655f32020200661300043737" +
		"0302030200066c617015000500000001170002ff80d6d0bcef66904e0599df525695b50f870100ff80d6d0bcef66904e" +
		"0500d10f03b817e00816fb08868080808040edffffffff3f"
	goldenFingerprint = uint64(0xfa11377e7c048785)
)

func TestGolden(t *testing.T) {
	r := goldenRecord()
	require.Equal(t, goldenBytes, hex.EncodeToString(AppendRecord(nil, &r)))
	require.Equal(t, goldenFingerprint, r.Fingerprint())

	b, err := hex.DecodeString(goldenBytes)
	require.NoError(t, err)
	got, err := DecodeRecord(b)
	require.NoError(t, err)
	require.Equal(t, r, got)
}

const childVariable = "VITALMUX_PRINT_FINGERPRINT"

func TestFingerprintIsStableAcrossProcesses(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		r := goldenRecord()
		fmt.Print("fingerprint=" + strconv.FormatUint(r.Fingerprint(), 10) + ";")
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestFingerprintIsStableAcrossProcesses$", "-test.v")
	child.Env = append(os.Environ(), childVariable+"=1")
	out, err := child.Output()
	require.NoError(t, err)
	r := goldenRecord()
	require.Contains(t, string(out), "fingerprint="+strconv.FormatUint(r.Fingerprint(), 10)+";")
}
