// Owns the control API over HTTP: what the in-process face offers, for a person with curl. It must never offer more.
import { z } from 'zod';
import { faultSpecSchema } from './faults.ts';
import type { Route, SimAnswer } from './http-door.ts';
import type { Simulator } from './simulator.ts';

const condition = z.record(z.string(), z.string());

/** Each control call: its body, and what it does with it. */
function call<T>(path: string, body: z.ZodType<T>, run: (input: T) => unknown): Route {
  return {
    method: 'POST',
    paths: [`/control/${path}`],
    operation: `control.${path}`,
    unrecorded: true,
    handler: (request) => {
      const parsed = body.safeParse(request.body ?? {});
      if (!parsed.success) return { status: 400, body: { error: z.prettifyError(parsed.error) } };
      return attempt(() => run(parsed.data));
    },
  };
}

function look(path: string, run: () => unknown): Route {
  return {
    method: 'GET',
    paths: [`/control/${path}`],
    operation: `control.${path}`,
    unrecorded: true,
    handler: () => attempt(run),
  };
}

function attempt(run: () => unknown): SimAnswer {
  try {
    return { status: 200, body: run() ?? { ok: true } };
  } catch (error) {
    return { status: 404, body: { error: error instanceof Error ? error.message : String(error) } };
  }
}

export function controlRoutes(simulator: Simulator): readonly Route[] {
  const withSession = { session_id: z.string() };
  return [
    look('state', () => ({
      url: simulator.url,
      event_sub_url: simulator.eventSubUrl,
      users: simulator.users(),
      sessions: simulator.sessions(),
      connections: simulator.connections,
      subscriptions: simulator.subscriptions(),
      sent: simulator.sent.length,
      requests: simulator.requests.length,
    })),
    look('requests', () => simulator.requests),
    look('sent', () => simulator.sent),
    look('faults', () => simulator.faults()),
    call('faults', faultSpecSchema, (spec) => ({ id: simulator.arm(spec).id })),
    call('faults/disarm', z.object({ id: z.number() }), ({ id }) => ({ disarmed: simulator.disarm(id) })),
    call(
      'users',
      z.object({ id: z.string().optional(), login: z.string(), display_name: z.string().optional() }),
      (user) =>
        simulator.addUser({
          login: user.login,
          ...(user.id === undefined ? {} : { id: user.id }),
          ...(user.display_name === undefined ? {} : { displayName: user.display_name }),
        }),
    ),
    call(
      'grants',
      z.object({
        user_id: z.string(),
        scopes: z.array(z.string()),
        expires_in_seconds: z.number().optional(),
      }),
      (wanted) =>
        simulator.grant({
          userId: wanted.user_id,
          scopes: wanted.scopes,
          ...(wanted.expires_in_seconds === undefined ? {} : { expiresInSeconds: wanted.expires_in_seconds }),
        }),
    ),
    call('grants/revoke', z.object({ user_id: z.string() }), ({ user_id: id }) => simulator.revokeGrant(id)),
    call('tokens/expire', z.object({ access_token: z.string() }), (input) =>
      simulator.expireToken(input.access_token),
    ),
    call(
      'send',
      z.object({
        type: z.string(),
        condition: condition.optional(),
        event: z.record(z.string(), z.unknown()).optional(),
        message_id: z.string().optional(),
        duplicate: z.number().int().min(0).optional(),
      }),
      (input) =>
        simulator.send(input.type, input.condition, input.event, {
          ...(input.message_id === undefined ? {} : { messageId: input.message_id }),
          ...(input.duplicate === undefined ? {} : { duplicate: input.duplicate }),
        }),
    ),
    call(
      'burst',
      z.object({ subscription_id: z.string(), count: z.number().int().min(1) }),
      ({ subscription_id: id, count }) => ({
        sent: simulator.sendBurst(id, count, { keepText: false }).length,
      }),
    ),
    call(
      'reconnect',
      z.object({ ...withSession, grace_ms: z.number().optional(), keep_session_id: z.boolean().optional() }),
      (input) => ({
        reconnect_url: simulator.requestReconnect(input.session_id, {
          ...(input.grace_ms === undefined ? {} : { graceMs: input.grace_ms }),
          ...(input.keep_session_id === undefined ? {} : { keepSessionId: input.keep_session_id }),
        }),
      }),
    ),
    call('drop', z.object({ ...withSession, zombie_ms: z.number().optional() }), (input) =>
      simulator.dropSession(
        input.session_id,
        input.zombie_ms === undefined ? {} : { zombieMs: input.zombie_ms },
      ),
    ),
    call(
      'close',
      z.object({ ...withSession, code: z.number().int(), reason: z.string().optional() }),
      (input) => simulator.closeSession(input.session_id, input.code, input.reason),
    ),
    call('raw', z.object({ ...withSession, text: z.string() }), (input) =>
      simulator.sendRaw(input.session_id, input.text),
    ),
    call('revoke', z.object({ subscription_id: z.string(), status: z.string() }), (input) =>
      simulator.revoke(input.subscription_id, input.status),
    ),
    call('sign-in', z.object({ user_id: z.string().nullable() }), (input) => simulator.signIn(input.user_id)),
    call('deny-next', z.object({}), () => simulator.denyNextConsent()),
    call('grant-only-next', z.object({ scopes: z.array(z.string()) }), (input) =>
      simulator.grantOnlyNext(input.scopes),
    ),
    call('device', z.object({ user_code: z.string(), user_id: z.string().nullable() }), (input) => ({
      known: simulator.answerDevice(input.user_code, input.user_id),
    })),
  ];
}
