// A job's output as text: UTF-8, or UTF-16 where its first bytes say so, as some programs of Windows write it.

/** Turns the bytes of one stream into UTF-8, chunk by chunk; anything but UTF-16 with its mark comes out as it went in. */
export class OutputText {
  #wide: TextDecoder | undefined;
  /** Not yet known which it is: nothing came but perhaps the first byte of a mark. */
  #first: Uint8Array | undefined = new Uint8Array(0);
  #seen = 0;
  /** Bytes that belong to a character cut off before them. */
  #odd = 0;

  push(bytes: Uint8Array): Uint8Array {
    const whole = this.#settled(bytes);
    this.#seen += bytes.length;
    if (this.#wide === undefined || whole.length === 0) return whole;
    const from = Math.min(this.#odd, whole.length);
    this.#odd -= from;
    return Buffer.from(this.#wide.decode(whole.subarray(from), { stream: true }));
  }

  /** `left` bytes of the stream are not there; what comes next follows them. */
  skip(left: number): void {
    this.#seen += left;
    if (this.#wide === undefined) return;
    this.#wide = new TextDecoder("utf-16le");
    this.#odd = this.#seen % 2;
  }

  /** What was held back, at the end of the stream. */
  end(): Uint8Array {
    const held = this.#first ?? new Uint8Array(0);
    this.#first = undefined;
    return this.#wide === undefined ? held : Buffer.from(this.#wide.decode());
  }

  #settled(bytes: Uint8Array): Uint8Array {
    if (this.#first === undefined) return bytes;
    const start = Buffer.concat([this.#first, bytes]);
    if (start.length < 2 && (start.length === 0 || start[0] === 0xff)) {
      this.#first = start;
      return new Uint8Array(0);
    }
    this.#first = undefined;
    if (start[0] === 0xff && start[1] === 0xfe) this.#wide = new TextDecoder("utf-16le");
    return start;
  }
}
