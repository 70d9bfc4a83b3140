// Owns what can be made to go wrong and how often it did. A fault that never fired proves nothing, so each one counts.
// It must never act by itself: the part that meets the occasion takes the fault.
import { z } from 'zod';

const times = z.number().int().min(1).optional();
const sessionId = z.string().optional();
const delayMs = z.number().min(0).optional();
const path = z.enum(['base', 'reconnect', 'any']).optional();
const helixOperation = z.enum(['create', 'list', 'delete', 'users']);
/** `token` is every grant: a refresh, a code, and asking about a device code (`message` then says how it stands). */
const authOperation = z.enum(['token', 'validate', 'revoke', 'device']);
export type AuthOperation = z.infer<typeof authOperation>;

export const faultSpecSchema = z.discriminatedUnion('name', [
  z.strictObject({
    name: z.literal('upgrade_refused'),
    status: z.number().int().min(400).max(599),
    path,
    times,
  }),
  z.strictObject({ name: z.literal('upgrade_hangs'), path, times }),
  z.strictObject({ name: z.literal('welcome_withheld'), path, times }),
  z.strictObject({ name: z.literal('welcome_late'), delayMs: z.number().min(0), times }),
  /** Mutes the named session, or the newest open one, or else the next to open: black hole until the client leaves. */
  z.strictObject({ name: z.literal('keepalive_silence'), sessionId, times }),
  /** A fresh session is closed with this code `delayMs` after its welcome. */
  z.strictObject({ name: z.literal('close_after_welcome'), code: z.number().int(), delayMs, path, times }),
  z.strictObject({ name: z.literal('reconnect_url_4007'), times }),
  z.strictObject({ name: z.literal('reconnect_refused'), status: z.number().int().optional(), times }),
  /** The old socket is cut when the new one connects; the new welcome follows after `delayMs`. */
  z.strictObject({ name: z.literal('old_socket_dies_during_handover'), delayMs, times }),
  z.strictObject({ name: z.literal('handover_welcome_late'), delayMs: z.number().min(0), times }),
  /** After the new welcome a notification also arrives on the old socket, with the same message id. */
  z.strictObject({ name: z.literal('handover_double_delivery'), times }),
  z.strictObject({
    name: z.literal('helix'),
    on: helixOperation,
    status: z.number().int().min(400).max(599),
    flavour: z.enum(['rate_limit', 'transports']).optional(),
    message: z.string().optional(),
    body: z.unknown().optional(),
    /** Whether the answer carries ratelimit headers (default true). */
    rateHeaders: z.boolean().optional(),
    /** For the rate_limit flavour: seconds until the announced reset (default 1). */
    resetInSeconds: z.number().min(0).optional(),
    /** For 409: the id named in the body; default is the existing twin's, if there is one. */
    existingId: z.string().optional(),
    /** How long the answer takes. */
    delayMs: z.number().min(0).optional(),
    match: z.strictObject({ type: z.string().optional(), userId: z.string().optional() }).optional(),
    times,
  }),
  /** `applied`: the request takes effect at once and only its answer hangs. Otherwise it is handled after the wait, if anyone still listens. */
  z.strictObject({
    name: z.literal('helix_hangs'),
    on: helixOperation,
    ms: z.number().min(0),
    applied: z.boolean().optional(),
    times,
  }),
  /** The request takes effect; half of its answer is sent, then the connection is cut. */
  z.strictObject({ name: z.literal('helix_half_answer'), on: helixOperation, times }),
  z.strictObject({
    name: z.literal('event_before_create_answer'),
    type: z.string().optional(),
    delayMs,
    times,
  }),
  z.strictObject({
    name: z.literal('revoke_after_create'),
    status: z.string(),
    type: z.string().optional(),
    delayMs,
    times,
  }),
  /** The session is cut while a create is under way; the create then answers 400. */
  z.strictObject({ name: z.literal('session_dies_on_create'), type: z.string().optional(), times }),
  z.strictObject({
    name: z.literal('duplicate_notifications'),
    copies: z.number().int().min(1).optional(),
    times,
  }),
  /** Holds one notification back until the next of its session was sent, or `delayMs` (default 250) passed. */
  z.strictObject({ name: z.literal('reorder_notifications'), delayMs, times }),
  // The next three put a bad frame in front of a notification, which itself arrives whole.
  z.strictObject({ name: z.literal('malformed_frame'), text: z.string().optional(), times }),
  z.strictObject({ name: z.literal('truncated_frame'), times }),
  z.strictObject({ name: z.literal('unknown_message_type'), type: z.string().optional(), times }),
  z.strictObject({
    name: z.literal('auth'),
    on: authOperation,
    status: z.number().int().min(400).max(599),
    message: z.string().optional(),
    times,
  }),
  z.strictObject({
    name: z.literal('auth_hangs'),
    on: authOperation,
    ms: z.number().min(0),
    times,
  }),
]);

export type FaultSpec = z.input<typeof faultSpecSchema>;
export type FaultName = FaultSpec['name'];
export type FaultOf<N extends FaultName> = Extract<FaultSpec, { name: N }>;

export interface FaultHandle {
  readonly id: number;
  readonly name: FaultName;
  /** How often it took effect so far. */
  fired(): number;
  /** Stops it from firing again; what it already did is undone only for keepalive_silence. */
  disarm(): void;
}

export interface FaultState {
  id: number;
  name: FaultName;
  spec: FaultSpec;
  fired: number;
  remaining: number;
}

export class FaultBoard {
  readonly #faults: FaultState[] = [];
  readonly #touch: () => void;
  readonly #onDisarm = new Map<number, (() => void)[]>();

  constructor(touch: () => void) {
    this.#touch = touch;
  }

  arm(spec: FaultSpec): FaultHandle {
    const fault: FaultState = {
      id: this.#faults.length + 1,
      name: spec.name,
      spec,
      fired: 0,
      remaining: spec.times ?? 1,
    };
    this.#faults.push(fault);
    return {
      id: fault.id,
      name: fault.name,
      fired: () => fault.fired,
      disarm: () => this.#disarm(fault),
    };
  }

  /** Uses up one firing of the oldest armed fault of this name that fits, or answers undefined. */
  take<N extends FaultName>(
    name: N,
    fits: (spec: FaultOf<N>) => boolean = () => true,
  ): FaultOf<N> | undefined {
    return this.takeWithUndo(name, fits)?.spec;
  }

  /** As `take`, for a lasting effect: `onDisarm` registers how to end it. */
  takeWithUndo<N extends FaultName>(
    name: N,
    fits: (spec: FaultOf<N>) => boolean = () => true,
  ): { spec: FaultOf<N>; onDisarm: (undo: () => void) => void } | undefined {
    for (const fault of this.#faults) {
      if (fault.remaining < 1 || !isNamed(fault.spec, name) || !fits(fault.spec)) continue;
      fault.remaining -= 1;
      fault.fired += 1;
      this.#touch();
      const onDisarm = (undo: () => void): void => {
        this.#onDisarm.set(fault.id, [...(this.#onDisarm.get(fault.id) ?? []), undo]);
      };
      return { spec: fault.spec, onDisarm };
    }
    return undefined;
  }

  state(): readonly Readonly<FaultState>[] {
    return this.#faults.map((fault) => ({ ...fault }));
  }

  disarmById(id: number): boolean {
    const fault = this.#faults.find((candidate) => candidate.id === id);
    if (fault) this.#disarm(fault);
    return fault !== undefined;
  }

  #disarm(fault: FaultState): void {
    fault.remaining = 0;
    for (const undo of this.#onDisarm.get(fault.id) ?? []) undo();
    this.#onDisarm.delete(fault.id);
  }
}

function isNamed<N extends FaultName>(spec: FaultSpec, name: N): spec is FaultOf<N> {
  return spec.name === name;
}
