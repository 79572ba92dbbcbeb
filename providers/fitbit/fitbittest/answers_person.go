package fitbittest

import (
	"time"
)

func (c *call) profile() any {
	p := c.person
	_, offset := c.now.In(p.zone).Zone()
	return object{"user": object{
		"age": 30 + int(p.seed%40), "averageDailySteps": 8123, "clockTimeDisplayFormat": "24hour", "dateOfBirth": "1985-04-12", "displayName": "Person " + p.id,
		"distanceUnit": "METRIC", "encodedId": p.id, "foodsLocale": "en_GB", "fullName": "Person " + p.id, "gender": [...]string{"FEMALE", "MALE", "NA"}[p.seed%3],
		"glucoseUnit": "METRIC", "height": c.units.height(p.height), "heightUnit": "METRIC", "languageLocale": "en_GB", "locale": "en_GB",
		"memberSince": "2019-02-11", "offsetFromUTCMillis": offset * 1000, "startDayOfWeek": "MONDAY", "strideLengthRunning": c.units.height(101.4),
		"strideLengthRunningType": "default", "strideLengthWalking": c.units.height(70.9), "strideLengthWalkingType": "default", "swimUnit": "METRIC",
		"timezone": p.tz, "waterUnitName": "ml", "weight": c.units.weight(72.4), "weightUnit": "METRIC", "topBadges": []any{}, "features": object{"exerciseGoal": true},
	}}
}

func (c *call) devices() any {
	last := midnight(c.person.next - 1).Add(8*time.Hour + 19*time.Minute)
	tracker, scale := c.person.devices()
	return []any{
		object{
			"battery": "Medium", "batteryLevel": 60, "deviceVersion": "Charge 5", "features": []any{}, "id": tracker,
			"lastSyncTime": last.Format(localText), "mac": "AABBCCDDEEFF", "type": "TRACKER",
		},
		object{
			"battery": "High", "batteryLevel": 95, "deviceVersion": "Aria Air", "features": []any{}, "id": scale,
			"lastSyncTime": last.Add(-2 * time.Hour).Format(localText), "mac": "AABBCCDDEE00", "type": "SCALE",
		},
	}
}

func (c *call) lifetime() any {
	steps, floors, km := 0, 0, 0.0
	best := &Day{}
	for _, d := range c.person.days {
		steps, floors, km = steps+d.Steps, floors+d.Floors, km+d.Distance
		if d.Steps > best.Steps || d.Steps == best.Steps && d.Date < best.Date {
			best = d
		}
	}
	totals := object{"activeScore": -1, "caloriesOut": -1, "distance": c.units.distance(round(km, 2)), "floors": floors, "steps": steps}
	bests := object{
		"distance": object{"date": best.Date, "value": c.units.distance(best.Distance)}, "floors": object{"date": best.Date, "value": best.Floors},
		"steps": object{"date": best.Date, "value": best.Steps},
	}
	return object{"best": object{"total": bests, "tracker": bests}, "lifetime": object{"total": totals, "tracker": totals}}
}
