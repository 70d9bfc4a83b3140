// A page in a real browser that can be looked at and asked: Chromium's DevTools protocol over a pipe, without a port. Only
// what a test of a page needs: run an expression in it, and hear what it requested and complained about.
// https://chromedevtools.github.io/devtools-protocol/
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { browserArguments, browserPath } from './browser.ts';

export interface BrowserPage extends AsyncDisposable {
  /** Addresses of everything that the page has asked for, as they were asked. */
  readonly requests: readonly string[];
  /** What the browser had to say: exceptions, errors of the console, breaches of the page's policy. */
  readonly complaints: readonly string[];
  open(url: string): Promise<void>;
  /** The value of an expression in the page; a promise is waited for. Rejects if it throws. */
  evaluate<T>(expression: string): Promise<T>;
}

interface Answer {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: {
    readonly request?: { readonly url: string };
    readonly entry?: { readonly level: string; readonly text: string };
    readonly exceptionDetails?: {
      readonly text: string;
      readonly exception?: { readonly description?: string };
    };
  };
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

type Waiting = { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void };

export async function browserPage(): Promise<BrowserPage> {
  const profile = await mkdtemp(join(tmpdir(), 'relay-browser-'));
  const given = [...browserArguments, `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank'];
  const child = spawn(browserPath() ?? 'chromium', given, {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const [, , , input, output] = child.stdio as unknown as [null, null, null, Writable, Readable];
  const waiting = new Map<number, Waiting>();
  const requests: string[] = [];
  const complaints: string[] = [];
  let text = '';
  output.setEncoding('utf8').on('data', (chunk: string) => {
    const messages = (text + chunk).split('\0');
    text = messages.pop() ?? '';
    for (const message of messages) hear(JSON.parse(message) as Answer);
  });
  child.once('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the browser ended'));
  });
  input.on('error', () => {});

  function hear({ id, method, params, result, error }: Answer): void {
    if (id !== undefined) {
      const one = waiting.get(id);
      waiting.delete(id);
      if (error) one?.reject(new Error(error.message));
      else one?.resolve({ result: result ?? {} });
    }
    if (method === 'Network.requestWillBeSent' && params?.request) requests.push(params.request.url);
    if (method === 'Log.entryAdded' && params?.entry?.level === 'error') complaints.push(params.entry.text);
    if (method === 'Runtime.exceptionThrown')
      complaints.push(params?.exceptionDetails?.exception?.description ?? 'an exception');
  }

  let last = 0;
  async function send(method: string, params: object = {}, sessionId?: string) {
    const id = ++last;
    const answer = new Promise<Answer>((resolve, reject) => waiting.set(id, { resolve, reject }));
    input.write(`${JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) })}\0`);
    return (await answer).result ?? {};
  }

  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const ask = (method: string, params?: object) => send(method, params, String(sessionId));
  for (const domain of ['Page', 'Network', 'Log', 'Runtime']) await ask(`${domain}.enable`);
  return {
    requests,
    complaints,
    async open(url) {
      await ask('Page.navigate', { url });
    },
    async evaluate<T>(expression: string) {
      const options = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = await ask('Runtime.evaluate', options);
      if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
      return (result as { value: T }).value;
    },
    async [Symbol.asyncDispose]() {
      const ended = child.exitCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGKILL');
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}
