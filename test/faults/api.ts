// Calls to the relay's API as the fault programme makes them: as the admin, or as a service.
import type { Credentials } from '../support/consumer.ts';

const requestMs = 15_000;

export interface Service extends Credentials {
  readonly name: string;
}

export class Api {
  readonly #url: string;
  readonly #adminKey: string;

  constructor(url: string, adminKey: string) {
    this.#url = url;
    this.#adminKey = adminKey;
  }

  /** Throws when the status is not 2xx. */
  admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#call(method, path, { 'X-Admin-Key': this.#adminKey }, body);
  }

  as<T>(service: Service, method: string, path: string, body?: unknown): Promise<T> {
    const headers = { 'X-Client-Id': service.clientId, 'X-Client-Secret': service.clientSecret };
    return this.#call(method, path, headers, body);
  }

  async ready(): Promise<boolean> {
    const signal = AbortSignal.timeout(3_000);
    const response = await fetch(`${this.#url}/ready`, { signal }).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status === 200;
  }

  async #call<T>(method: string, path: string, headers: Record<string, string>, body: unknown): Promise<T> {
    const response = await fetch(new URL(path, this.#url), {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(requestMs),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  }
}
