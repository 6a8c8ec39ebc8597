package casebook

import "madoguchi.example/shared/jptext"

// Kana is the reading of the patient's name as the desk has it; "" where it has none.
func (c *Case) Kana() string {
	if isKana(c.Label) {
		return c.Label
	}
	if c.Declared != nil && isKana(c.Declared.NameKana) {
		return c.Declared.NameKana
	}
	return ""
}

// Kanji is the name as the clinic writes it; an answer's ● is never copied over it.
func (c *Case) Kanji() string {
	switch {
	case c.Person != nil && c.Person.NameKanji != "":
		return c.Person.NameKanji
	case c.Declared != nil && c.Declared.NameKanji != "":
		return c.Declared.NameKanji
	case !isKana(c.Label):
		return c.Label
	}
	return ""
}

// isKana tells a text of kana alone, of either kind and width.
func isKana(s string) bool {
	key := jptext.KanaKey(s)
	for _, r := range key {
		if (r < 'ァ' || r > 'ヺ') && r != 'ー' && r != '・' {
			return false
		}
	}
	return key != ""
}
