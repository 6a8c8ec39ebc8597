package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What is wrong with a list of bookings is told line by line, in the language of whoever
// mends it, and without a value of the list.
func TestTheFaultsOfAListAreTold(t *testing.T) {
	const list = "time,patient,kana,birth_date,insurer_number,symbol,number,branch,visit_day\n25:00,1,,1980-02-30,06139997,1,2,01,2026-11-21\n"
	c := enrolled(t, newOffice(t))
	c.run()
	for lang, want := range map[string][]string{
		"ja": {"2行目・時刻", "09:30", "2行目・カナ氏名"}, "ja-easy": {"<ruby>行<", "カナの"}, "en": {"Line 2, time", "Line 2, name in kana", "Fill it in"},
	} {
		status, page, _ := c.do(http.MethodPost, "/bookings?lang="+lang, url.Values{"text": {list}})
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", lang, status)
		}
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s: %q is not said", lang, text)
			}
		}
		if strings.Contains(page, "25:00") || strings.Contains(page, "line 2 column") {
			t.Errorf("%s: a value or a word of the program is on the page", lang)
		}
	}
}

// What has no form to stand beside is told above what is there, in the page's language: the
// page is told to keep what was typed.
func TestWhatCannotBeDoneIsSaidInTheReadersLanguage(t *testing.T) {
	c := enrolled(t, newOffice(t))
	c.run()
	for lang, want := range map[string]string{"ja": "大きすぎて", "ja-easy": "<ruby>大<", "en": "too large"} {
		status, page, header := c.do(http.MethodPost, "/park?lang="+lang, form("label", strings.Repeat("あ", 60_000)))
		if status != http.StatusRequestEntityTooLarge || !strings.Contains(page, want) || !strings.Contains(page, `role="alert"`) || header.Get("HX-Reswap") != "afterbegin" {
			t.Errorf("%s: %d %q %.200s", lang, status, header.Get("HX-Reswap"), page)
		}
	}
	if status, page, _ := c.do(http.MethodGet, "/cases/01900000-0000-7000-8000-00000000000a?lang=ja", nil); status != http.StatusNotFound || !strings.Contains(page, "もうありません") {
		t.Errorf("a row that is gone: %d %s", status, page)
	}
}
