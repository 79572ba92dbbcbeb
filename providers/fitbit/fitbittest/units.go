package fitbittest

// units are those that the header Accept-Language asks for: metric by default.
type units struct{ us, uk bool }

func unitsOf(language string) units { return units{us: language == "en_US", uk: language == "en_GB"} }

func (u units) distance(km float64) float64 {
	if u.us {
		return round(km/1.609344, 6)
	}
	return km
}

func (u units) distanceUnit() string {
	if u.us {
		return "Mile"
	}
	return "Kilometer"
}

func (u units) elevation(m float64) float64 {
	if u.us {
		return round(m/0.3048, 4)
	}
	return m
}

func (u units) weight(kg float64) float64 {
	switch {
	case u.us:
		return round(kg/0.45359237, 3)
	case u.uk:
		return round(kg/6.35029318, 3) // stone; all else is as elsewhere
	}
	return kg
}

func (u units) height(cm float64) float64 {
	if u.us {
		return round(cm/2.54, 2)
	}
	return cm
}

func (u units) water(ml float64) float64 {
	if u.us {
		return round(ml/29.5735295625, 3)
	}
	return ml
}

func (u units) temperature(c float64) float64 {
	if u.us {
		return round(c*9/5+32, 2)
	}
	return c
}
