// Three things that screens want to hear of: data changed, the line went up or down, the
// session began or ended.

export type News = "data" | "line" | "session";

const bus = new EventTarget();

export const tell = (news: News): void => void bus.dispatchEvent(new Event(news));
export const hear = (news: News, f: () => void): void => bus.addEventListener(news, f);

/** hearWhile hears as long as the element is on the page. */
export function hearWhile(shown: Element, news: News, f: () => void): void {
  const listen = (): void => {
    if (shown.isConnected) f();
    else bus.removeEventListener(news, listen);
  };
  bus.addEventListener(news, listen);
}
