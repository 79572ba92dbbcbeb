package terra

import (
	"strings"

	"github.com/vitalmux/vitalmux/health"
)

// athlete maps the profile of the person, of which there is one.
func (d *draft) athlete(v *Athlete) string {
	d.begin(health.KindAthlete, "profile")
	d.value(v.Age, health.MetricAge, health.StatValue, "")
	d.text(health.TextSex, strings.ToLower(v.Sex))
	d.text(health.TextGender, v.Gender)
	d.day(health.TextBirthDate, v.DateOfBirth)
	d.text(health.TextFirstName, v.FirstName)
	d.text(health.TextLastName, v.LastName)
	d.text(health.TextEmail, v.Email)
	d.text(health.TextCity, v.City)
	d.text(health.TextState, v.State)
	d.text(health.TextCountry, v.Country)
	d.text(health.TextBio, v.Bio)
	d.text(health.TextUpstreamUserID, v.ProviderUserID)
	d.text(health.TextMemberSince, string(v.AccountCreationDate))
	if v.AccountCreationDate == "" {
		d.text(health.TextMemberSince, string(v.JoinedProvider))
	}
	if len(v.Devices) > 0 {
		first := v.Devices[0]
		for _, o := range v.Devices[1:] {
			first.OtherDevices = append(first.OtherDevices, OtherDeviceData{
				Manufacturer: o.Manufacturer, HardwareVersion: o.HardwareVersion, SerialNumber: o.SerialNumber, Name: o.Name,
				SoftwareVersion: o.SoftwareVersion, DataProvided: o.DataProvided, LastUploadDate: o.LastUploadDate, ActivationTimestamp: o.ActivationTimestamp,
			})
		}
		d.device(&first)
		d.Source.Device = "" // the profile is not measured
	}
	return ""
}
