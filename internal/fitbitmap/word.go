package fitbitmap

// fold returns a word in lower case with one underscore for each run of other
// characters than letters and digits, none at the ends.
func fold[T []byte | string](word T) string {
	b := make([]byte, 0, 64)
	due := false
	for i := range len(word) {
		c := word[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c < 0x80 {
			due = len(b) > 0
			continue
		}
		if due {
			b = append(b, '_')
			due = false
		}
		b = append(b, c)
	}
	return string(b)
}
