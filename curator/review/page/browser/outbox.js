// Decisions on their way: each is sent after the one before it, and again until it is written.

import { Refused, send } from "./elements.js";

const AGAIN_MS = 2000;
const NOT_NOW = new Set([408, 429, 500, 502, 503, 504]);

export class Outbox {
  constructor(changed, refused) {
    this.waiting = [];
    this.changed = changed;
    this.refused = refused;
    this.sending = null;
    addEventListener("beforeunload", event => { if (this.waiting.length) event.preventDefault(); });
  }

  put(values, pair) {
    this.waiting.push({ values, pair });
    this.sending ??= this.sendAll();
  }

  has(key) { return this.waiting.some(({ pair }) => pair.key === key); }

  async empty() { await this.sending; }

  async sendAll() {
    while (this.waiting.length) {
      const [{ values, pair }] = this.waiting;
      try {
        await send("api/review/decide", values);
        this.waiting.shift();
        this.changed("");
      } catch (error) {
        if (error instanceof Refused && !NOT_NOW.has(error.status)) {
          this.waiting.shift();
          this.refused(pair, error.message);
        } else {
          this.changed(`Not saved yet: ${this.waiting.length}. It is tried again; leave this page open.`);
          await new Promise(resolve => setTimeout(resolve, AGAIN_MS));
        }
      }
    }
    this.sending = null;
  }
}
