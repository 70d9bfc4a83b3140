// The demo from curtain to curtain: sets the stage, runs the programme, shows what arrives, and closes the books.
import { PlainConsumer, startSdkConsumer } from './consumers.ts';
import type { ConsumerListener, DemoConsumer } from './consumers.ts';
import { Inbox, resultOf, settle } from './ledger.ts';
import type { Happening, Result } from './ledger.ts';
import { LogAudit } from './log-audit.ts';
import type { DemoOptions } from './options.ts';
import type { Printer } from './printer.ts';
import { Show } from './show.ts';
import type { Incident } from './show.ts';
import { openStage } from './stage.ts';
import type { Stage } from './stage.ts';

const tallyEveryMs = 5_000;
/** How long the last events may take to arrive, the re-subscription after a drop included. */
const settleWithinMs = 30_000;
/** A duplicate would come after the event it repeats. */
const lingerMs = 300;
const lookEveryMs = 20;

export interface DemoDeps {
  readonly printer: Printer;
  readonly onPlatformPort: (port: number) => void;
  readonly random: () => number;
  /** Ends the programme; the books are closed all the same. */
  readonly signal: AbortSignal;
}

export interface Outcome {
  readonly result: Result;
  /** What to say when something is wrong; empty when all is well. */
  readonly complaints: readonly string[];
}

export async function runDemo(options: DemoOptions, deps: DemoDeps): Promise<Outcome> {
  const { printer } = deps;
  const startedAt = Date.now();
  printer.line(
    printer.paint('dim', 'Starting a stand-in for Twitch and the relay with its embedded database…'),
  );
  const stage = await openStage({
    port: options.port,
    onPlatformPort: deps.onPlatformPort,
    onInterest: (id, type) => printer.interestNames.set(id, type),
    onLogLine: (line) => printer.happening('relay', line.trim(), 'dim'),
  });
  try {
    return await new Demo(stage, deps, Date.now() - startedAt).play(options.forMs);
  } finally {
    await stage[Symbol.asyncDispose]();
  }
}

class Demo {
  readonly #stage: Stage;
  readonly #deps: DemoDeps;
  readonly #startMs: number;
  readonly #relayV1 = new Inbox();
  readonly #plain = new Inbox();
  readonly #failures: string[] = [];
  #consumers: { readonly sdk: DemoConsumer; readonly plain: DemoConsumer } | undefined;
  #show: Show | undefined;
  #audit: LogAudit | undefined;

  constructor(stage: Stage, deps: DemoDeps, startMs: number) {
    this.#stage = stage;
    this.#deps = deps;
    this.#startMs = startMs;
  }

  async play(forMs: number | null): Promise<Outcome> {
    const { relay, url, service, sim } = this.#stage;
    const { signal, random } = this.#deps;
    const { head } = await relay.pull({ limit: 1 });
    const audit = new LogAudit(relay, head);
    this.#audit = audit;
    this.#introduce(forMs);
    const login = { url, ...service };
    const consumers = {
      sdk: startSdkConsumer(login, this.#listener('relay.v1', this.#relayV1)),
      plain: new PlainConsumer(login, head, this.#listener('plain', this.#plain)),
    };
    this.#consumers = consumers;
    const tallies = setInterval(() => void this.#tally(), tallyEveryMs);
    try {
      const topics = await this.#stage.subscribe();
      const show = new Show({ sim, topics, random, incident: (what) => this.#incident(what) });
      this.#show = show;
      await show.run(forMs, signal);
      clearInterval(tallies);
      await this.#waitForTheRest(show.happenings);
      await audit.read();
      return this.#close(show.happenings);
    } finally {
      clearInterval(tallies);
      await Promise.all([consumers.sdk.stop(), consumers.plain.stop()]);
    }
  }

  #introduce(forMs: number | null): void {
    const { printer } = this.#deps;
    const { url, sim, service } = this.#stage;
    const dim = (text: string) => printer.paint('dim', text);
    printer.line();
    printer.line(
      `${printer.paint('bold', 'The relay')} listens on ${url} ${dim(`(up in ${this.#startMs} ms)`)}`,
    );
    printer.line(`${printer.paint('yellow', 'twitch')}     the stand-in, on ${sim.url}`);
    printer.line(
      `${printer.paint('cyan', 'relay.v1')}   a consumer through the SDK, acknowledging what it has done`,
    );
    printer.line(`${printer.paint('magenta', 'plain')}      a consumer with nothing but a WebSocket`);
    if (forMs === null) {
      printer.line();
      printer.line(dim('Look for yourself while it runs (Ctrl-C ends it):'));
      const auth = `-H 'X-Client-Id: ${service.clientId}' -H 'X-Client-Secret: ${service.clientSecret}'`;
      printer.line(dim(`  curl -s '${url}/v1/events?limit=5' ${auth}`));
    }
    printer.line();
  }

  #listener(name: string, inbox: Inbox): ConsumerListener {
    const { printer } = this.#deps;
    return {
      event: (event, attempt) => {
        const receipt = inbox.receive(event, attempt);
        printer.delivery(name, event, { attempt, receipt });
      },
      connected: (detail) => printer.happening(name, `connected: ${detail}`, 'green'),
      disconnected: (detail) => printer.happening(name, `disconnected: ${detail}`),
      failed: (error) => {
        const message = error instanceof Error ? error.message : String(error);
        this.#failures.push(`The ${name} consumer gave up: ${message}`);
        printer.happening(name, message, 'red');
      },
    };
  }

  #incident(what: Incident): boolean {
    const { printer } = this.#deps;
    const { sim, bots } = this.#stage;
    if (what === 'cut_sdk' || what === 'cut_plain') {
      const name = what === 'cut_sdk' ? 'relay.v1' : 'plain';
      printer.happening(name, 'the network takes its connection away');
      (what === 'cut_sdk' ? this.#consumers?.sdk : this.#consumers?.plain)?.cut();
      return true;
    }
    const session = sim.sessions().find(({ open, userId }) => open && userId === bots.relaybot.id);
    // Busy with another incident: one at a time, so that each can be told from the other.
    if (!session || session.reconnecting || session.subscriptionCount === 0) return false;
    if (what === 'reconnect') {
      printer.happening('twitch', "asks RelayBot's session to reconnect elsewhere: nothing may be missed");
      sim.requestReconnect(session.id);
    } else {
      printer.happening(
        'twitch',
        "drops RelayBot's session without a word: what happens now is lost to any client",
      );
      sim.dropSession(session.id);
    }
    return true;
  }

  /** Until nothing is owed to anybody, or the time is up. */
  async #waitForTheRest(happenings: readonly Happening[]): Promise<void> {
    const deadline = Date.now() + settleWithinMs;
    const isOwed = () =>
      [this.#relayV1, this.#plain].some((inbox) => settle(happenings, inbox).owed.length > 0);
    while (Date.now() < deadline && isOwed() && this.#failures.length === 0) await wait(lookEveryMs);
    await wait(lingerMs);
  }

  get #reconnects(): number {
    const welcomed = this.#stage.sim.connections.filter(({ welcomedAt }) => welcomedAt !== null);
    return Math.max(0, welcomed.length - Object.keys(this.#stage.bots).length);
  }

  async #tally(): Promise<void> {
    const happenings = this.#show?.happenings ?? [];
    try {
      await this.#audit?.read();
    } catch {
      return;
    }
    const told = settle(happenings, this.#relayV1).told.length;
    const books = this.#books(happenings);
    const result = resultOf(books);
    this.#deps.printer.tally([
      ['sent', result.sent],
      ['logged', result.logged],
      ['relay.v1', result.delivered['relay.v1']],
      ['plain', result.delivered.plain],
      ['gaps', gapsText(result.gaps, told)],
      ['owed', result.lost],
      ['duplicated', result.duplicated],
      ['reconnects', result.reconnects],
    ]);
  }

  #books(happenings: readonly Happening[]) {
    const log = this.#audit?.counts ?? { events: 0, gaps: 0 };
    return { happenings, relayV1: this.#relayV1, plain: this.#plain, log, reconnects: this.#reconnects };
  }

  #close(happenings: readonly Happening[]): Outcome {
    const result = resultOf(this.#books(happenings));
    const told = settle(happenings, this.#relayV1).told.length;
    const { printer } = this.#deps;
    printer.line();
    printer.tally([
      ['sent', result.sent],
      ['logged', result.logged],
      ['relay.v1', result.delivered['relay.v1']],
      ['plain', result.delivered.plain],
      ['lost', result.lost],
      ['duplicated', result.duplicated],
    ]);
    printer.tally([
      ['gaps', gapsText(result.gaps, told)],
      ['announced redeliveries', this.#relayV1.again],
      ['reconnects', result.reconnects],
    ]);
    const complaints = [...this.#failures, ...this.#complaints(happenings)];
    if (complaints.length === 0) {
      const verdict = 'Every event reached both consumers once, or is inside a gap that both were told of.';
      printer.line(printer.paint('green', verdict));
    }
    return { result, complaints };
  }

  #complaints(happenings: readonly Happening[]): string[] {
    return (
      [
        ['relay.v1', this.#relayV1],
        ['plain', this.#plain],
      ] as const
    ).flatMap(([name, inbox]) => {
      const { owed } = settle(happenings, inbox);
      const lost = owed
        .slice(0, 5)
        .map(
          ({ type, at, ids }) =>
            `  ${type} at ${new Date(at).toISOString()} (${ids.join(', ') || 'nobody subscribed'})`,
        );
      const few = owed.length > lost.length ? ['  …'] : [];
      return [
        ...(owed.length === 0
          ? []
          : [`${name} did not get ${owed.length} events that no gap tells of:`, ...lost, ...few]),
        ...(inbox.duplicated === 0 ? [] : [`${name} got ${inbox.duplicated} events twice, unannounced.`]),
      ];
    });
  }
}

const gapsText = (gaps: number, missed: number) => (gaps === 0 ? '0' : `${gaps} (${missed} missed)`);

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
