// Three things that screens want to hear of: data changed, the line went up or down, the
// session began or ended.

export type News = "data" | "line" | "session";

const bus = new EventTarget();

export const tell = (news: News): void => void bus.dispatchEvent(new Event(news));
export const hear = (news: News, f: () => void): void => bus.addEventListener(news, f);
