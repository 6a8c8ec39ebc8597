// Days and moments in words. Days are Japan's, whatever the phone's clock says.

import { language, phrase, type Phrase, type Token } from "./words";

const weekdays = {
  ja: ["日", "月", "火", "水", "木", "金", "土"],
  kana: ["にち", "げつ", "か", "すい", "もく", "きん", "ど"],
  en: ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"],
} as const;
const monthsEn = "January February March April May June July August September October November December".split(" ");

/** Readings of days of the month that are not "number + にち". */
const dayKana: { readonly [day: number]: string } = {
  1: "ついたち", 2: "ふつか", 3: "みっか", 4: "よっか", 5: "いつか", 6: "むいか", 7: "なのか", 8: "ようか",
  9: "ここのか", 10: "とおか", 14: "じゅうよっか", 20: "はつか", 24: "にじゅうよっか",
};

/** day puts YYYY-MM-DD into words: 2026年11月21日（土）. */
export function day(iso: string): Phrase {
  const [y = 0, m = 0, d = 0] = iso.split("-").map(Number);
  const n = new Date(Date.UTC(y, m - 1, d)).getUTCDay();
  if (language() === "en") return [`${weekdays.en[n]} ${d} ${monthsEn[m - 1]} ${y}`];
  if (language() === "ja") return [`${y}年${m}月${d}日（${weekdays.ja[n]}）`];
  return [
    String(y), { base: "年", ruby: "ねん" }, String(m), { base: "月", ruby: "がつ" },
    ...easyDay(d), "（", { base: weekdays.ja[n] ?? "", ruby: weekdays.kana[n] ?? "" }, "）",
  ];
}

/** month puts YYYY-MM into words: 2026年11月. */
export function month(iso: string): Phrase {
  const [y = 0, m = 0] = iso.split("-").map(Number);
  if (language() === "en") return [`${monthsEn[m - 1]} ${y}`];
  if (language() === "ja") return [`${y}年${m}月`];
  return [String(y), { base: "年", ruby: "ねん" }, String(m), { base: "月", ruby: "がつ" }];
}

function easyDay(d: number): readonly Token[] {
  const special = dayKana[d];
  return special ? [{ base: `${d}日`, ruby: special }] : [String(d), { base: "日", ruby: "にち" }];
}

/** dayCount is a number of days as the catalogues count them; plain Japanese reads 10日 as とおか. */
export const dayCount = (n: number): Phrase => (language() === "ja-easy" ? easyDay(n) : [String(n)]);

const tokyo = new Intl.DateTimeFormat("en-CA", {
  timeZone: "Asia/Tokyo", year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});

function inJapan(t: number): { readonly day: string; readonly time: string } {
  const p = Object.fromEntries(tokyo.formatToParts(t).map((x) => [x.type, x.value]));
  return { day: `${p["year"]}-${p["month"]}-${p["day"]}`, time: `${p["hour"]}:${p["minute"]}` };
}

/** dayOf is the day in Japan of a moment, as YYYY-MM-DD. */
export const dayOf = (t: number | string): string => inJapan(typeof t === "string" ? Date.parse(t) : t).day;

export const today = (): string => dayOf(Date.now());

/** moment puts a moment into words: 2026年11月21日（土） 19:10. */
export function moment(t: number | string): Phrase {
  const at = inJapan(typeof t === "string" ? Date.parse(t) : t);
  return phrase("date.moment", { day: day(at.day), time: at.time });
}

/** clockTime is the time of day in Japan of a moment, 19:10. */
export const clockTime = (t: string): string => inJapan(Date.parse(t)).time;

/** daysUntil counts days from today in Japan; negative when the day has passed. */
export function daysUntil(iso: string): number {
  return Math.round((Date.parse(iso) - Date.parse(today())) / 86_400_000);
}
