// Scanned keys told from typed ones: the rule of the terminal's scanner package, with its
// constants, which a test holds equal.
"use strict";
const BURST = {"within_ms": 30, "end_within_ms": 60, "silence_ms": 120, "from": 6, "alone": 20, "most": 8192, "ends": ["Enter", "Tab"], "composing": "Process"};

class Burst {
  constructor(rule = BURST) {
    this.rule = rule;
    this.reset();
  }
  reset() {
    this.text = [];
    this.count = 0;
    this.composed = false;
    this.begun = false;
    this.last = 0;
  }
  // key is {key, at, repeat, control}, at in milliseconds. It gives {act, text}: leave, hold,
  // scan or too_long. The text of a scan is "" where an input method has it.
  press(key) {
    const end = this.rule.ends.includes(key.key);
    const limit = end ? this.rule.end_within_ms : this.rule.within_ms;
    if (!this.begun || key.at - this.last >= limit || key.repeat || key.control) this.reset();
    if (key.repeat || key.control) return { act: "leave", text: "" };
    this.begun = true;
    this.last = key.at;
    if (end) return this.close(this.rule.from);
    if (key.key === this.rule.composing) {
      this.composed = true;
    } else if ([...key.key].length !== 1) {
      if (this.count >= this.rule.from) return { act: "hold", text: "" };
      this.reset();
      return { act: "leave", text: "" };
    }
    this.count += 1;
    if (this.count <= this.rule.most) this.text.push(key.key);
    return { act: this.count >= this.rule.from ? "hold" : "leave", text: "" };
  }
  // silent is told that no key came for silence_ms.
  silent() {
    return this.close(this.rule.alone);
  }
  close(least) {
    const { count, composed } = this;
    const text = this.text.join("");
    this.reset();
    if (count > this.rule.most) return { act: "too_long", text: "" };
    if (count >= least) return { act: "scan", text: composed ? "" : text };
    return { act: "leave", text: "" };
  }
}
