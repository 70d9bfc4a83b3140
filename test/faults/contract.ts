// What a fault, the stage it is played on and the verdict afterwards look like. Types only: the stage is in `stage.ts`, the
// kinds are in `kinds/`, the judgement in `oracle.ts`.
import type { Simulator } from '../simulator/index.ts';

export type DatabaseKind = 'embedded' | 'postgres';

/** Where the load's events happen: one channel of one bot, one type. The relay knows it as one topic. */
export interface Topic {
  /** Place in `Stage.topics`. */
  readonly index: number;
  readonly topicId: string;
  readonly type: string;
  readonly broadcasterId: string;
  readonly bot: StageBot;
}

export interface StageBot {
  /** The relay's id. */
  readonly id: string;
  /** Twitch's. */
  readonly userId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/**
 * Something happened on a channel, whether or not Twitch could tell anybody. Every happening carries its number in its
 * payload, so that it is known again under whatever message id it comes.
 */
export interface Happening {
  readonly n: number;
  readonly topic: number;
  /** Twitch's clock: milliseconds since the epoch. */
  readonly at: number;
  /** What Twitch put on a wire for it, with the copies; empty if there was no subscription then. */
  readonly messageIds: readonly string[];
}

/** The relay as a process of its own, which can be killed, stopped and told to break. */
export interface RelayProcess {
  /** Stays the same over restarts. */
  readonly url: string;
  readonly pid: number | undefined;
  /** Starts it if it does not run; resolves when it takes requests. */
  start(options?: StartOptions): Promise<void>;
  /** SIGTERM; the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Resolves with the signal or code when the process ends by itself. */
  readonly ended: Promise<number | string | null>;
  /** The relay's clock jumps by so much against everybody else's. */
  shiftClock(ms: number): Promise<void>;
  /** As `crashAt` at a start, for the process that runs: hits are counted from now. It ends by itself: see `ended`. */
  crashAt(point: string, hits: number): Promise<void>;
  /** The thread of the embedded database dies in the middle of whatever it does; how many died. */
  killDatabase(): Promise<number>;
  /** Everything it logged, parsed, since the stage began. */
  readonly log: readonly { readonly msg: string; readonly [member: string]: unknown }[];
}

export interface StartOptions {
  /** The process kills itself with SIGKILL when it comes to this point for the `hits`th time. */
  readonly crashAt?: { readonly point: string; readonly hits: number };
}

/** Bytes between the relay and somebody else, through a proxy that can be told to misbehave. */
export interface Wire {
  /** Nothing passes any more in either direction and nobody is told: a half-open connection. Lifted by `flow`. */
  silence(): void;
  /** Every chunk waits so long. */
  slow(ms: number): void;
  /** New connections are refused. */
  refuse(): void;
  /** Every open connection ends with a TCP reset; how many there were. */
  reset(): number;
  /** All as it should be. */
  flow(): void;
  /** How many connections there are now. */
  readonly open: number;
  /** Chunks that were held back, delayed or cut, and connections refused: proof that it did something. */
  readonly disturbed: number;
}

/** A PostgreSQL server of this run's own. */
export interface OwnPostgres {
  readonly url: string;
  stop(mode: 'fast' | 'immediate'): Promise<void>;
  start(): Promise<void>;
  /** Ends every connection of the relay; how many. */
  killConnections(): Promise<number>;
  query<Row extends object>(sql: string): Promise<Row[]>;
}

/** A consumer of the load, as the oracle sees it. It comes back by itself after every close, as the contract asks. */
export interface StageConsumer {
  readonly name: string;
  readonly via: 'relay.v1' | 'plain' | 'webhook' | 'pull';
  /** Topics that it is owed, by place. */
  readonly topics: ReadonlySet<number>;
}

/** What the kinds may use. A kind leaves everything as it found it: wires flow, the relay runs, what it armed is disarmed. */
export interface Stage {
  readonly database: DatabaseKind;
  /** From 0 to 1; the run's seed decides all of it. */
  readonly random: () => number;
  readonly sim: Simulator;
  readonly relay: RelayProcess;
  /** Between the relay and Twitch's socket; Helix and the tokens go past it. */
  readonly twitchWire: Wire;
  /** Between the relay and PostgreSQL; null on the embedded database. */
  readonly databaseWire: Wire | null;
  readonly postgres: OwnPostgres | null;
  readonly bots: readonly StageBot[];
  readonly topics: readonly Topic[];
  readonly receivers: StageReceivers;
  readonly crowd: Crowd;
  readonly consumers: StageConsumers;
  /** In the full programme a fault may last as long as it does in life; in the short one as long as it must. */
  readonly isLong: boolean;
  /** The session of the bot that Twitch knows as open. Waits for one; `but` is one that it must not be. */
  session(bot: StageBot, but?: string): Promise<string>;
  /** /ready is 200 and every topic has one enabled subscription on an open session. */
  healthy(timeoutMs?: number): Promise<void>;
  /** Waits until the probe gives something; looks again every few milliseconds. */
  until<T>(
    probe: () => T | Promise<T>,
    what: string,
    timeoutMs?: number,
  ): Promise<Exclude<T, false | undefined | null>>;
  /** So much time passes while the load goes on. Only where a fault has to last. */
  lasts(ms: number): Promise<void>;
  /** One more happening than the load makes by itself; for a fault that needs an event at a moment. */
  happen(topic: Topic): Happening;
  /** Admin's call to the API; throws when the status is not 2xx. */
  admin<T>(method: string, path: string, body?: unknown): Promise<T>;
}

export interface StageReceivers {
  readonly count: number;
  /** How the receiver answers from now on; undefined: 204 at once. */
  misbehave(index: number, how: ReceiverFault | undefined): void;
  /** Requests that met the misbehaviour. */
  met(index: number): number;
}

/** The judged ones. All come back by themselves. */
export interface StageConsumers {
  readonly sockets: number;
  /** How many of them are open. */
  readonly open: number;
  /** Cuts the sockets of these places without a word; how many were open. */
  cut(places: readonly number[]): number;
  /** Of a receiver's endpoint, as its owner reads it: healthy, open, disabled. */
  endpointState(receiver: number): Promise<string>;
  /** Its owner has it go on. */
  enableEndpoint(receiver: number): Promise<void>;
}

export type ReceiverFault =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'refuse' }
  /** Headers at once, the body never ends. */
  | { readonly kind: 'endless_body' }
  /** A garbled status line. */
  | { readonly kind: 'garbage' }
  /** Takes the event, then cuts the connection before it answers. */
  | { readonly kind: 'takes_and_cuts' }
  /** 204, but so late. */
  | { readonly kind: 'slow'; readonly ms: number };

/** Connections beside the fifty that are judged: they misbehave, and the judged ones must not notice. */
export interface Crowd {
  /** Opens so many relay.v1 sockets of a service of their own, with interests in every topic. */
  open(count: number): Promise<void>;
  /** All of them are cut at once; how many there were. */
  cut(): number;
  /** One socket that does not read, that reads so many bytes a second, that acknowledges nothing, or garbage. */
  bad(
    how: 'stops_reading' | 'reads_slowly' | 'never_acks' | 'acks_garbage' | 'reconnects_in_a_loop',
  ): Promise<BadConsumer>;
}

export interface BadConsumer {
  /** How often it did its worst: frames left unread or unacknowledged, garbage sent, connections made. */
  readonly count: number;
  readonly closes: readonly number[];
  stop(): Promise<void>;
}

export interface FaultKind {
  /** Short and in words joined by hyphens; unique. */
  readonly name: string;
  readonly group:
    'session' | 'frames' | 'helix' | 'tokens' | 'clock' | 'database' | 'consumers' | 'receivers' | 'crash';
  /** One line for the table in the documents. */
  readonly what: string;
  readonly databases: readonly DatabaseKind[];
  /**
   * Whether Twitch may have been unable to tell us something meanwhile. False: no gap may be declared, nothing may be
   * missing. True: what is missing must be inside a declared gap, and every gap inside the fault's own time.
   */
  readonly mayLose: boolean;
  /**
   * Makes it happen, under load, and lifts it. Resolves when it is proven to have fired (rejects if it cannot be made to).
   * The answer says how often, and from when to when upstream could not be heard, in Twitch's clock.
   */
  play(stage: Stage): Promise<Played>;
}

export interface Played {
  readonly fired: number;
  /** Milliseconds since the epoch. When the fault began and when it was lifted. */
  readonly from: number;
  readonly to: number;
  /** Those whose events may be missing; default all. */
  readonly bots?: readonly StageBot[];
}

/** What the oracle found for one fault, over every topic and every consumer. */
export interface Verdict {
  readonly sent: number;
  readonly logged: number;
  /** Owed to somebody who did not get it, and in no declared gap of theirs. */
  readonly lost: number;
  /** Happened, wanted, not in the log, and in no declared gap. */
  readonly undeclared: number;
  /** Given twice to one consumer under the same attempt. */
  readonly unmarkedDuplicates: number;
  /** Given again, and said so. */
  readonly markedDuplicates: number;
  /** Out of order for some consumer and topic. */
  readonly disordered: number;
  /** Declared gaps: how many, how long together, and how many of them reach beyond the fault and one keepalive window. */
  readonly gaps: number;
  readonly gapMs: number;
  readonly tooWide: number;
  /** For the person who has to find out why; at most a few lines each. */
  readonly findings: readonly string[];
}

export interface Row extends Verdict {
  readonly fault: string;
  readonly group: FaultKind['group'];
  readonly database: DatabaseKind;
  readonly seed: number;
  readonly fired: number;
  /** From the lifting to everything confirmed and everybody up to date. */
  readonly recoveredMs: number | null;
  /** Why it could not be played or judged. */
  readonly error: string | null;
}
