// Answers questions about pictures with an exported BLIP, in a browser: what vqa.py does on a CPU.
//
// Shapes: C channels, H height, W width, T question tokens, S answer tokens so far, Y layers,
// K heads, E a head's size, V vocabulary. One question is answered at a time.

import * as ort from "./libraries/ort.wasm.min.mjs";
import { Tokenizer } from "./libraries/tokenizers.min.mjs";
import { resized } from "./resize.js";

const FORMATS = [1, 3];
const CLOSING = " ?!.\u00bf";

// A page from a plain server may not share memory between threads.
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL("./libraries/", import.meta.url).href;

export class Vqa {
  // Load the bundle in a folder; `told` is called with what has been fetched so far, in words.
  static async load(folder, told = () => {}) {
    const manifest = await (await fetched(new URL("bundle.json", folder))).json();
    if (!FORMATS.includes(manifest.format))
      throw new Error(
        `bundle.json: format ${manifest.format}, and this reads ${FORMATS.join(" and ")}`,
      );
    const words = await (await fetched(new URL(manifest.tokenizer, folder))).json();
    const sessions = {};
    for (const [name, file] of Object.entries(manifest.graphs)) {
      told(`Loading ${name.replace("_", " ")} …`);
      const graph = new Uint8Array(await (await fetched(new URL(file, folder))).arrayBuffer());
      sessions[name] = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] });
    }
    // A cut or a padding that the file asks for is made here.
    const tokenizer = new Tokenizer({ ...words, truncation: null, padding: null }, {});
    return new Vqa(manifest, tokenizer, sessions);
  }

  constructor(manifest, tokenizer, sessions) {
    Object.assign(this, { manifest, tokenizer, sessions });
  }

  // Return what questions read of a picture, from its ImageData: computed once for all of them.
  async see(picture) {
    const { height, width } = this.manifest.image;
    const pixels = new ort.Tensor("float32", this.pixels(picture), [1, 3, height, width]);
    const seen = await this.sessions.image_encoder.run({ pixels }, ["image_keys", "image_values"]);
    return { image_keys: first(seen.image_keys), image_values: first(seen.image_values) };
  }

  // Return the pixels `(C, H, W)` of a picture: resized, rescaled and normalised.
  pixels(picture) {
    const { height, width, resample, rescale, mean, std } = this.manifest.image;
    const bytes = resized(picture, width, height, resample);
    const area = height * width;
    const pixels = new Float32Array(3 * area);
    for (let channel = 0; channel < 3; channel++) {
      const [middle, spread] = [Math.fround(mean[channel]), Math.fround(std[channel])];
      for (let at = 0; at < area; at++) {
        const scaled = Math.fround(bytes[3 * at + channel] * rescale);
        pixels[channel * area + at] = Math.fround(scaled - middle) / spread;
      }
    }
    return pixels;
  }

  // Return the greedy answer and its probability, about what `see` returned.
  async ask(seen, question) {
    const ids = this.tokens(question);
    const mask = integers(ids.map(() => 1), [1, ids.length]);
    const heard = await this.sessions.question_encoder.run(
      { ids: integers(ids, [1, ids.length]), mask, ...seen },
      ["question_keys", "question_values"],
    );
    const { tokens, logarithm } = await this.decode(heard, mask);
    const text = this.tokenizer.decode(tokens, { skip_special_tokens: true }).trim();
    return { text, confidence: Math.exp(logarithm) };
  }

  tokens(question) {
    const most = this.manifest.max_question_tokens;
    const { questions, prompt } = this.manifest;
    const { ids } = this.tokenizer.encode(prompted(folded(question, questions), prompt));
    // What the tokenizer ends with stays at the end, as where tokenizers itself cuts.
    return ids.length > most ? [...ids.slice(0, most - 1), ids.at(-1)] : ids;
  }

  async decode(heard, mask) {
    const { tokens: ids, max_new_tokens: most } = this.manifest;
    const [layers, , heads, , size] = heard.question_keys.dims;
    let past_keys = new ort.Tensor("float32", new Float32Array(0), [layers, 1, heads, 0, size]);
    let past_values = past_keys;
    let token = ids.start;
    const tokens = [];
    let logarithm = 0;
    for (let position = 0; position < most && token !== ids.end; position++) {
      const step = await this.sessions.decoder_step.run({
        token: integers([token], [1, 1]),
        position: integers([position], [1, 1]),
        mask,
        ...heard,
        past_keys,
        past_values,
      });
      const best = likeliest(step.logits.data);
      [token, past_keys, past_values] = [best.token, step.keys, step.values];
      tokens.push(token);
      logarithm += best.logarithm;
    }
    return { tokens, logarithm };
  }
}

// Return a question as the model was trained to hear it, by a manifest's rules, if any.
export function folded(question, rules) {
  if (!rules || !Object.keys(rules).length) return question;
  const straight = question
    .normalize("NFKC")
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]/g, '"')
    .toLowerCase();
  let bare = straight.split(/\s+/).filter(Boolean).join(" ");
  while (bare && CLOSING.includes(bare.at(-1))) bare = bare.slice(0, -1);
  const spellings = new Map(Object.entries(rules.spellings));
  return bare.replace(/[a-z]+/g, (word) => spellings.get(word) ?? word) + rules.ending;
}

// Return a question within the prompt that the model was trained with, if any.
function prompted(question, prompt) {
  const { before = "", between = [], after = "" } = prompt ?? {};
  return [before, ...between, after].join(question);
}

async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address.pathname}: ${response.status}`);
  return response;
}

function integers(values, shape) {
  return new ort.Tensor("int64", BigInt64Array.from(values, BigInt), shape);
}

// Drop the axis of images, of which there is one: `(Y, 1, K, L, E)` to `(Y, K, L, E)`.
function first(tensor) {
  const [layers, , ...rest] = tensor.dims;
  return new ort.Tensor("float32", tensor.data, [layers, ...rest]);
}

function likeliest(logits) {
  let token = 0;
  for (let at = 1; at < logits.length; at++) if (logits[at] > logits[token]) token = at;
  let total = 0;
  for (const value of logits) total += Math.exp(value - logits[token]);
  return { token, logarithm: -Math.log(total) };
}
