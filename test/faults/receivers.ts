// The webhook receivers of the load: each on a port of its own, every signature checked, each able to misbehave alone.
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { ReceiverFault, StageReceivers } from './contract.ts';
import type { Inbox } from './inbox.ts';

export class Receivers implements StageReceivers, AsyncDisposable {
  readonly #all: readonly LoadReceiver[];

  private constructor(all: readonly LoadReceiver[]) {
    this.#all = all;
  }

  static async open(count: number): Promise<Receivers> {
    const all = Array.from({ length: count }, () => new LoadReceiver());
    await Promise.all(all.map((each) => each.listen()));
    return new Receivers(all);
  }

  get count(): number {
    return this.#all.length;
  }

  at(index: number): LoadReceiver {
    const found = this.#all[index];
    if (!found) throw new Error(`there is no receiver ${index}`);
    return found;
  }

  misbehave(index: number, how: ReceiverFault | undefined): void {
    this.at(index).misbehave(how);
  }

  met(index: number): number {
    return this.at(index).met;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((each) => each.close()));
  }
}

export class LoadReceiver {
  inbox: Inbox | undefined;
  secret: string | undefined;
  met = 0;
  #how: ReceiverFault | undefined;
  #port = 0;
  #requests = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What a misbehaviour left open; its lifting ends it. */
  readonly #stuck = new Set<ServerResponse>();

  constructor() {
    this.#server = createServer((request, response) => this.#read(request, response));
    this.#server.on('connection', (socket) => {
      if (this.#how?.kind === 'refuse') {
        this.met += 1;
        socket.resetAndDestroy();
        return;
      }
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  misbehave(how: ReceiverFault | undefined): void {
    this.#how = how;
    for (const response of this.#stuck) response.socket?.destroy();
    this.#stuck.clear();
    // Connections that are kept for later would get round it.
    if (how?.kind === 'refuse') for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #read(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const accepted = this.#answer(response);
      this.#keep(request, Buffer.concat(chunks), accepted);
    });
  }

  /** True when it was a 2xx. */
  #answer(response: ServerResponse): boolean {
    const how = this.#how;
    const socket = response.socket;
    if (!how) {
      response.writeHead(204).end();
      return true;
    }
    this.met += 1;
    switch (how.kind) {
      case 'status':
        response.writeHead(how.status, how.headers).end();
        return how.status >= 200 && how.status < 300;
      case 'hang':
        this.#stuck.add(response);
        return false;
      case 'reset':
      case 'refuse':
        socket?.resetAndDestroy();
        return false;
      case 'endless_body':
        this.#stuck.add(response);
        response.writeHead(200, { 'content-type': 'text/plain' });
        response.write('and ');
        this.#goOn(response);
        return true;
      case 'garbage':
        socket?.end('HTTP/1.1 2OO 0K\r\n\u0000\u0001 nothing that anybody could read\r\n\r\n');
        return false;
      case 'takes_and_cuts':
        socket?.destroy();
        return false;
      case 'slow':
        setTimeout(() => response.writeHead(204).end(), how.ms);
        return true;
    }
  }

  #goOn(response: ServerResponse): void {
    const timer = setInterval(() => {
      if (response.destroyed || !this.#stuck.has(response)) clearInterval(timer);
      else response.write('on and on and '.repeat(64));
    }, 50);
  }

  #keep(request: IncomingMessage, text: Buffer, accepted: boolean): void {
    const { headers } = request;
    this.#requests += 1;
    this.inbox?.take({
      text,
      cursor: String(headers['relay-cursor']),
      attempt: Number(headers['relay-attempt']),
      accepted,
      connection: this.#requests,
      resumed: undefined,
      isForged: !this.#isSigned(headers, text),
    });
  }

  #isSigned(headers: IncomingMessage['headers'], text: Buffer): boolean {
    const seconds = Number(headers['webhook-timestamp']);
    if (this.secret === undefined || !Number.isInteger(seconds)) return false;
    const signature = new Webhook(this.secret).sign(
      String(headers['webhook-id']),
      new Date(seconds * 1_000),
      text.toString('utf8'),
    );
    return String(headers['webhook-signature']).split(' ').includes(signature);
  }
}
