/** Just enough of RFC 6455 for a mock: text frames, closing with a code, no fragments. */

import { createHash } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export class Socket {
  #stream;
  #pending = Buffer.alloc(0);
  isOpen = true;
  onText = () => {};
  onClose = () => {};

  constructor(request, stream) {
    this.#stream = stream;
    const accept = createHash('sha1')
      .update(request.headers['sec-websocket-key'] + GUID)
      .digest('base64');
    stream.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    stream.on('data', (data) => this.#take(data));
    stream.on('error', () => this.#gone());
    stream.on('close', () => this.#gone());
  }

  send(value) {
    if (this.isOpen) this.#write(0x1, Buffer.from(JSON.stringify(value)));
  }

  close(code, reason = '') {
    if (!this.isOpen) return;
    const body = Buffer.alloc(2 + Buffer.byteLength(reason));
    body.writeUInt16BE(code);
    body.write(reason, 2);
    this.#write(0x8, body);
    this.#stream.end();
    this.#gone();
  }

  #gone() {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.onClose();
  }

  #write(opcode, body) {
    const length = body.length;
    const head =
      length < 126
        ? Buffer.from([0x80 | opcode, length])
        : Buffer.from([0x80 | opcode, 126, length >> 8, length & 0xff]);
    this.#stream.write(Buffer.concat([head, body]));
  }

  #take(data) {
    this.#pending = Buffer.concat([this.#pending, data]);
    for (;;) {
      const frame = cut(this.#pending);
      if (!frame) return;
      this.#pending = frame.rest;
      if (frame.opcode === 0x8) return this.close(1000);
      if (frame.opcode === 0x9) this.#write(0xa, frame.body);
      if (frame.opcode === 0x1) this.onText(frame.body.toString());
    }
  }
}

/** The first frame of what has come (always masked, from a browser), or null. */
function cut(bytes) {
  if (bytes.length < 6) return null;
  const isLong = (bytes[1] & 0x7f) === 126;
  const start = isLong ? 8 : 6;
  const length = isLong ? bytes.readUInt16BE(2) : bytes[1] & 0x7f;
  if (bytes.length < start + length) return null;
  const mask = bytes.subarray(start - 4, start);
  const body = Buffer.from(bytes.subarray(start, start + length));
  for (let at = 0; at < body.length; at += 1) body[at] ^= mask[at % 4];
  return { opcode: bytes[0] & 0xf, body, rest: bytes.subarray(start + length) };
}
