// What a kind may do to those who are judged: cut their sockets, and what only an endpoint's owner can do.
import type { Api } from './api.ts';
import type { StageConsumers } from './contract.ts';
import type { Population } from './population.ts';

export class JudgedConsumers implements StageConsumers {
  readonly #population: Population;
  readonly #api: Api;

  constructor(population: Population, api: Api) {
    this.#population = population;
    this.#api = api;
  }

  get sockets(): number {
    return this.#population.sockets.length;
  }

  get open(): number {
    return this.#population.sockets.filter(({ isOpen }) => isOpen).length;
  }

  cut(places: readonly number[]): number {
    const chosen = places.flatMap((place) => this.#population.sockets[place] ?? []);
    const open = chosen.filter(({ isOpen }) => isOpen);
    for (const socket of open) socket.cut();
    return open.length;
  }

  async endpointState(receiver: number): Promise<string> {
    const { service, id } = this.#endpoint(receiver);
    return (await this.#api.as<{ state: string }>(service, 'GET', `/v1/endpoints/${id}`)).state;
  }

  async enableEndpoint(receiver: number): Promise<void> {
    const { service, id } = this.#endpoint(receiver);
    await this.#api.as(service, 'POST', `/v1/endpoints/${id}/enable`);
  }

  #endpoint(receiver: number) {
    const endpoint = this.#population.endpoints[receiver];
    if (!endpoint) throw new Error(`there is no receiver ${receiver}`);
    return endpoint;
  }
}
