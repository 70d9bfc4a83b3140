// The demo from curtain to curtain: sets the stage, runs the programme, shows what arrives, and closes the books.
import { complaintsOf, summaryOf, tallyOf } from './closing.ts';
import { PlainConsumer, startSdkConsumer } from './consumers.ts';
import type { ConsumerListener, DemoConsumer } from './consumers.ts';
import { introduce } from './introduction.ts';
import { Inbox, isOwed, resultOf } from './ledger.ts';
import type { Books, ConsumerName, Happening, Result } from './ledger.ts';
import { LogAudit } from './log-audit.ts';
import type { DemoOptions } from './options.ts';
import type { Printer } from './printer.ts';
import { DemoReceiver } from './receiver.ts';
import type { ReceiverListener } from './receiver.ts';
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
/** Long enough for the first retry, a second later, to be refused too. */
const longestOutageMs = 1_500;
/** Of a limited run. */
const outageShare = 0.25;

interface Consumers {
  readonly sdk: DemoConsumer;
  readonly plain: DemoConsumer;
  readonly receiver: DemoReceiver;
}

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
    introduce(stage, printer, { startMs: Date.now() - startedAt, forMs: options.forMs });
    return await new Demo(stage, deps).play(options.forMs);
  } finally {
    await stage[Symbol.asyncDispose]();
  }
}

class Demo {
  readonly #stage: Stage;
  readonly #deps: DemoDeps;
  readonly #inboxes = { 'relay.v1': new Inbox(), plain: new Inbox(), webhook: new Inbox() };
  readonly #failures: string[] = [];
  #consumers: Consumers | undefined;
  #show: Show | undefined;
  #audit: LogAudit | undefined;
  #outageMs = longestOutageMs;

  constructor(stage: Stage, deps: DemoDeps) {
    this.#stage = stage;
    this.#deps = deps;
  }

  async play(forMs: number | null): Promise<Outcome> {
    const { relay } = this.#stage.sockets;
    const { signal, random } = this.#deps;
    if (forMs !== null) this.#outageMs = Math.min(longestOutageMs, forMs * outageShare);
    const { head } = await relay.pull({ limit: 1 });
    const audit = new LogAudit(relay, head);
    this.#audit = audit;
    const consumers = await this.#openConsumers(head);
    this.#consumers = consumers;
    const tallies = setInterval(() => void this.#tally(), tallyEveryMs);
    try {
      const { receiver } = consumers;
      const topics = await this.#stage.subscribe({ url: receiver.url, onSecret: receiver.trust });
      const { sim } = this.#stage;
      const show = new Show({ sim, topics, random, incident: (what) => this.#incident(what) });
      this.#show = show;
      await show.run(forMs, signal);
      clearInterval(tallies);
      await this.#waitForTheRest(show.happenings);
      await audit.read();
      return this.#close();
    } finally {
      clearInterval(tallies);
      await Promise.all([consumers.sdk.stop(), consumers.plain.stop(), consumers.receiver.stop()]);
    }
  }

  async #openConsumers(after: string): Promise<Consumers> {
    const receiver = await DemoReceiver.start(this.#receiverListener());
    const login = { url: this.#stage.url, ...this.#stage.sockets };
    return {
      receiver,
      sdk: startSdkConsumer(login, this.#listener('relay.v1')),
      plain: new PlainConsumer(login, after, this.#listener('plain')),
    };
  }

  #listener(name: ConsumerName): ConsumerListener {
    const { printer } = this.#deps;
    return {
      event: (event, attempt) => {
        const receipt = this.#inboxes[name].receive(event, attempt);
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

  #receiverListener(): ReceiverListener {
    const { printer } = this.#deps;
    const books = this.#listener('webhook');
    return {
      accepted: (event, attempt) => books.event(event, attempt),
      failed: (error) => books.failed(error),
      refused: ({ type }, attempt, status) =>
        printer.happening('webhook', `refuses ${type} with ${status}, attempt ${attempt}`),
      down: (status) => printer.happening('webhook', `the receiver is down: it answers ${status}`),
      back: () => printer.happening('webhook', 'the receiver is back', 'green'),
    };
  }

  #incident(what: Incident): boolean {
    const { printer } = this.#deps;
    const { sim, bots } = this.#stage;
    if (what === 'receiver_down') {
      this.#consumers?.receiver.goDown(this.#outageMs);
      return true;
    }
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
      printer.happening('twitch', 'moves RelayBot to another session: nothing may be lost');
      sim.requestReconnect(session.id);
    } else {
      printer.happening('twitch', "drops RelayBot's session: what happens now is lost");
      sim.dropSession(session.id);
    }
    return true;
  }

  /** Until nothing is owed to anybody, or the time is up. */
  async #waitForTheRest(happenings: readonly Happening[]): Promise<void> {
    const deadline = Date.now() + settleWithinMs;
    while (Date.now() < deadline && isOwed(happenings, this.#inboxes) && this.#failures.length === 0)
      await wait(lookEveryMs);
    await wait(lingerMs);
  }

  get #books(): Books {
    const welcomed = this.#stage.sim.connections.filter(({ welcomedAt }) => welcomedAt !== null);
    return {
      happenings: this.#show?.happenings ?? [],
      inboxes: this.#inboxes,
      webhookAttempts: this.#consumers?.receiver.requests ?? 0,
      log: this.#audit?.counts ?? { events: 0, gaps: 0 },
      reconnects: Math.max(0, welcomed.length - Object.keys(this.#stage.bots).length),
    };
  }

  async #tally(): Promise<void> {
    try {
      await this.#audit?.read();
    } catch {
      return;
    }
    this.#deps.printer.tally(tallyOf(this.#books));
  }

  #close(): Outcome {
    const books = this.#books;
    const { printer } = this.#deps;
    printer.line();
    for (const parts of summaryOf(books)) printer.tally(parts);
    const complaints = [...this.#failures, ...complaintsOf(books)];
    if (complaints.length === 0) {
      const verdict = 'Every event reached all three once, or is inside a gap that they were told of.';
      printer.line(printer.paint('green', verdict));
    }
    return { result: resultOf(books), complaints };
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
