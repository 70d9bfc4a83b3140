// Owns the barest client there can be: a socket that keeps every frame and a fetch that keeps the answer. It must never
// react to anything, so that a test alone decides what the client does.
import { WebSocket } from 'ws';
import { z } from 'zod';
import type { Simulator } from './simulator.ts';
import type { Condition } from './types.ts';

const frameSchema = z.object({
  metadata: z.looseObject({
    message_id: z.string(),
    message_type: z.string(),
    message_timestamp: z.string(),
  }),
  payload: z.looseObject({
    session: z.looseObject({ id: z.string(), reconnect_url: z.string().nullable() }).optional(),
    subscription: z.looseObject({ id: z.string(), status: z.string() }).optional(),
    event: z.record(z.string(), z.unknown()).optional(),
  }),
});

export type ProbeFrame = z.infer<typeof frameSchema>;

export interface HelixAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly message: string | undefined;
  readonly ids: readonly string[];
  readonly body: unknown;
}

const helixBodySchema = z.looseObject({
  message: z.string().optional(),
  data: z.array(z.looseObject({ id: z.string() })).optional(),
});

export class Probe {
  readonly texts: string[] = [];
  closeCode: number | null = null;
  /** HTTP status of a refused upgrade. */
  refusedWith: number | null = null;
  readonly socket: WebSocket;
  readonly #sim: Simulator;

  constructor(sim: Simulator, url = sim.eventSubUrl, options: { autoPong?: boolean } = {}) {
    this.#sim = sim;
    this.socket = new WebSocket(url, options);
    this.socket.on('message', (data, binary) => {
      if (!binary && Buffer.isBuffer(data)) this.texts.push(data.toString('utf8'));
    });
    this.socket.on('error', () => undefined);
    this.socket.on('unexpected-response', (request, response) => {
      this.refusedWith = response.statusCode ?? 0;
      request.destroy();
    });
    this.socket.on('close', (code) => {
      this.closeCode = code;
    });
  }

  /** Those frames that are well-formed, in order. */
  get frames(): ProbeFrame[] {
    return this.texts.flatMap((text) => {
      try {
        return [frameSchema.parse(JSON.parse(text))];
      } catch {
        return [];
      }
    });
  }

  ofType(messageType: string): ProbeFrame[] {
    return this.frames.filter((frame) => frame.metadata.message_type === messageType);
  }

  /** Resolves with the session id of the welcome. */
  welcomed(): Promise<string> {
    return this.#sim.waitFor(() => this.ofType('session_welcome')[0]?.payload.session?.id, {
      what: 'a welcome',
    });
  }

  closed(): Promise<number> {
    return this.#sim.waitFor(() => this.closeCode ?? undefined, { what: 'the end of the socket' });
  }
}

export interface HelixCall {
  readonly method?: string;
  readonly path?: string;
  readonly token: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** A Helix call as any client would make it, whatever comes back. */
export async function helix(sim: Simulator, call: HelixCall): Promise<HelixAnswer> {
  const response = await fetch(`${sim.url}${call.path ?? '/helix/eventsub/subscriptions'}`, {
    method: call.method ?? 'GET',
    headers: {
      authorization: `Bearer ${call.token}`,
      'client-id': sim.clientId,
      'content-type': 'application/json',
    },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  });
  const text = await response.text();
  const body: unknown = text === '' ? {} : JSON.parse(text);
  const parsed = helixBodySchema.parse(body);
  return {
    status: response.status,
    headers: response.headers,
    message: parsed.message,
    ids: (parsed.data ?? []).map((item) => item.id),
    body,
  };
}

export function subscribe(
  sim: Simulator,
  token: string,
  sessionId: string,
  wanted: { type: string; version?: string; condition: Condition; signal?: AbortSignal },
): Promise<HelixAnswer> {
  return helix(sim, {
    method: 'POST',
    token,
    body: {
      type: wanted.type,
      version: wanted.version ?? '1',
      condition: wanted.condition,
      transport: { method: 'websocket', session_id: sessionId },
    },
    ...(wanted.signal === undefined ? {} : { signal: wanted.signal }),
  });
}
