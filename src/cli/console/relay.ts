// The relay as the menus see it: calls with the right that they need. A key or secret that is missing or refused is asked
// for, and the call made again. What was typed lives in memory until the console ends, and nowhere else.
import {
  createAdminClient,
  createRelayClient,
  RelayApiError,
  type AdminClient,
  type RelayClient,
} from '../../client/index.ts';
import { describeFailure } from '../failure.ts';
import type { ConsoleDeps } from '../console-port.ts';
import type { Ui } from './ui.ts';

export interface ServiceLogin {
  readonly clientId: string;
  readonly clientSecret: string;
}

type Call<Client, T> = (client: Client, signal: AbortSignal) => Promise<T>;

/** Both go into headers. */
const headerSafe = (text: string) =>
  /^[\u0021-\u007e]+$/u.test(text) || 'expected the text in one piece: letters, digits, signs, no spaces';

export class Relay {
  readonly url: string;
  readonly #deps: ConsoleDeps;
  readonly #ui: Ui;
  #adminKey: string | undefined;
  #service: ServiceLogin | undefined;

  constructor(deps: ConsoleDeps, ui: Ui) {
    this.#deps = deps;
    this.#ui = ui;
    this.url = deps.connection.url;
    this.#adminKey = deps.connection.adminKey;
    this.#service = deps.connection.service;
  }

  /** The client id of the service in hand. */
  get serviceId(): string | undefined {
    return this.#service?.clientId;
  }

  /** Waits for something that can be left. `text` says what is being done. */
  look<T>(text: string, call: Call<AdminClient, T>): Promise<T> {
    return this.#withAdmin((client) => this.#ui.look(text, (signal) => call(client, signal)));
  }

  change<T>(text: string, call: Call<AdminClient, T>): Promise<T> {
    return this.#withAdmin((client) => this.#ui.change(text, (signal) => call(client, signal)));
  }

  lookAsService<T>(text: string, call: Call<RelayClient, T>): Promise<T> {
    return this.#withService((client) => this.#ui.look(text, (signal) => call(client, signal)));
  }

  changeAsService<T>(text: string, call: Call<RelayClient, T>): Promise<T> {
    return this.#withService((client) => this.#ui.change(text, (signal) => call(client, signal)));
  }

  /** A client for something that outlives one call. Asks for the credentials, and checks them. */
  async serviceClient(): Promise<RelayClient> {
    return this.lookAsService('Logging in', async (client) => {
      await client.bots();
      return client;
    });
  }

  forgetService(): void {
    this.#service = undefined;
  }

  async #withAdmin<T>(run: (client: AdminClient) => Promise<T>): Promise<T> {
    for (;;) {
      this.#adminKey ??= await this.#ui.ask.secret('Admin key (ADMIN_API_KEY of the relay)', {
        validate: headerSafe,
      });
      const { fetch } = this.#deps.io;
      try {
        return await run(createAdminClient({ url: this.url, adminKey: this.#adminKey }, { fetch }));
      } catch (error) {
        if (!isRefusedLogin(error)) throw error;
        this.#adminKey = undefined;
        await this.#ui.fail(
          describeFailure(error, this.url).message,
          "Enter it again: it is ADMIN_API_KEY in the relay's .env. Esc leads back.",
        );
      }
    }
  }

  async #withService<T>(run: (client: RelayClient) => Promise<T>): Promise<T> {
    for (;;) {
      this.#service ??= await this.#askLogin();
      const { fetch } = this.#deps.io;
      try {
        return await run(createRelayClient({ url: this.url, ...this.#service }, { fetch }));
      } catch (error) {
        if (!isRefusedLogin(error)) throw error;
        this.#service = undefined;
        await this.#ui.fail(
          describeFailure(error, this.url).message,
          'Enter both again, or make a new secret under "Service accounts". Esc leads back.',
        );
      }
    }
  }

  async #askLogin(): Promise<ServiceLogin> {
    const clientId = await this.#ui.ask.text('client_id of the service', { validate: headerSafe });
    const clientSecret = await this.#ui.ask.secret('client_secret', { validate: headerSafe });
    return { clientId, clientSecret };
  }
}

const isRefusedLogin = (error: unknown): boolean => error instanceof RelayApiError && error.status === 401;
