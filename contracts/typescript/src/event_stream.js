/** Server-sent events of a response's body (the WHATWG specification's event stream). */

export class EventStreamParser {
  /** @param {string} lastEventId */
  constructor(lastEventId = '') {
    this.lastEventId = lastEventId;
    /** @type {{ id?: string, event?: string, data: string[] }} */
    this.fields = { data: [] };
  }

  /**
   * @param {AsyncIterable<Uint8Array> | ReadableStream<Uint8Array> | null} body
   * @returns {AsyncGenerator<{ id: string, type: string, data: any }>}
   */
  async *read(body) {
    if (body === null) return;
    const decoder = new TextDecoder();
    let rest = '';
    // A broken event of a lost connection comes again after the last whole one.
    this.fields = { data: [] };
    for await (const chunk of /** @type {AsyncIterable<Uint8Array>} */ (body)) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const event = this.addLine(line);
        if (event) yield event;
      }
    }
  }

  /** @param {string} line @returns {{ id: string, type: string, data: any } | undefined} */
  addLine(line) {
    if (line !== '') {
      const colon = line.indexOf(':');
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === 'id') this.fields.id = value;
      else if (name === 'event') this.fields.event = value;
      else if (name === 'data') this.fields.data.push(value);
      return undefined;
    }
    // Only now: an event that was cut off must come again.
    const { id = this.lastEventId, event = 'message', data } = this.fields;
    this.lastEventId = id;
    this.fields = { data: [] };
    if (data.length === 0) return undefined;
    return { id: this.lastEventId, type: event, data: JSON.parse(data.join('\n')) };
  }
}
