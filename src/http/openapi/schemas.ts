// The schemas that the document names, with an example of each. Shapes come from src/protocol; the few that are here are
// of answers that no client needs a type for. A name once published stays.
import { z } from 'zod';
import * as shapes from '../../protocol/index.ts';
import * as examples from './examples.ts';
import type { Named } from './json-schema.ts';

export interface Component extends Named {
  readonly example: unknown;
}

/** What a caller sends. */
const request = <T extends z.ZodType>(schema: T, example: z.input<T>): Component => ({
  schema,
  io: 'input',
  example,
});
/** What the relay answers. */
const answer = <T extends z.ZodType>(schema: T, example: z.output<T>): Component => ({
  schema,
  io: 'output',
  example,
});

const problemExample: shapes.Problem = {
  type: shapes.problemType('unauthorized'),
  title: 'Unauthorized',
  status: 401,
  detail: 'the X-Admin-Key header is missing',
  code: 'unauthorized',
  request_id: 'a3c1c0de-0000-4000-8000-00000000c0de',
};
const cursorProblem = shapes.problem.extend({
  floor: z.string().describe('The oldest cursor that can be used.'),
  head: z.string().describe('The end of the log.'),
});
const replayProblem = shapes.problem.extend({
  max_events: z.number().optional().describe('How many events one replay takes, where that is the matter.'),
});
const alive = z.object({ ok: z.literal(true) });
const deleted = z.object({ deleted: z.literal(true) });
const readiness = z.object({
  ready: z.boolean().describe('Every check is well.'),
  checks: z.array(
    z.object({
      name: z.string().describe('database, migrations, log, lifecycle, or `bot` and the name of one.'),
      ok: z.boolean(),
      detail: z.string().describe('One line for people.'),
    }),
  ),
});
/** Both documents are described by specifications of their own. */
const document = z.looseObject({ info: z.looseObject({ title: z.string(), version: z.string() }) });

export const schemas = {
  AccessibleBot: answer(shapes.accessibleBot, examples.accessibleBots.bots[0] ?? examples.bot),
  AccessibleBots: answer(shapes.accessibleBots, examples.accessibleBots),
  Acknowledgement: request(shapes.ackBody, examples.ack),
  Alive: answer(alive, { ok: true }),
  ApiDocument: answer(document, { info: { title: 'eventsub-relay', version: '1.0.0' } }),
  Attempt: answer(shapes.attemptView, examples.attempt),
  AttemptOutcome: answer(shapes.attemptOutcome, examples.attemptOutcome),
  Authorization: answer(shapes.authorizationView, examples.authorization),
  AuthorizationLink: answer(shapes.authorizationLink, examples.authorizationLink),
  AuthorizeBot: request(shapes.authorizeBotBody, { name: 'night-bot', event_types: ['channel.follow'] }),
  AuthorizeBroadcaster: request(shapes.authorizeBroadcasterBody, { event_types: ['channel.subscribe'] }),
  Bot: answer(shapes.botView, examples.bot),
  BotPatch: request(shapes.botPatch, { enabled: false }),
  BotRemoved: answer(shapes.botRemoved, { deleted: true, interests: 2, revoked: true }),
  Check: answer(shapes.checkView, examples.check),
  Checks: answer(shapes.checksView, examples.checks),
  Consumer: answer(shapes.consumerView, examples.consumer),
  CreateInterest: request(shapes.createInterestBody, examples.createInterest),
  CreatedInterest: answer(shapes.createdInterest, examples.createdInterest),
  CursorProblem: answer(cursorProblem, {
    ...problemExample,
    type: shapes.problemType('cursor_expired'),
    title: 'Gone',
    status: 410,
    detail: 'retention has passed this cursor; the oldest usable one is in "floor"',
    code: 'cursor_expired',
    floor: examples.cursor(17),
    head: examples.cursor(42),
  }),
  Deleted: answer(deleted, { deleted: true }),
  DeviceCode: answer(shapes.deviceCode, examples.deviceCode),
  Endpoint: answer(shapes.endpointView, examples.endpoint),
  EndpointPatch: request(shapes.endpointPatch, { retry_profile: 'realtime', max_age_seconds: 300 }),
  EndpointSecret: answer(shapes.endpointSecret, examples.endpointSecret),
  Event: answer(shapes.relayEvent, examples.event),
  EventsPage: answer(shapes.eventsPage, examples.eventsPage),
  ImportBot: request(shapes.importBotBody, examples.importBot),
  Interest: answer(shapes.interestView, examples.interest),
  Problem: answer(shapes.problem, problemExample),
  Readiness: answer(readiness, examples.ready),
  Replay: request(shapes.replayBody, examples.replay),
  ReplayProblem: answer(replayProblem, problemExample),
  Replayed: answer(shapes.replayView, examples.replayed),
  Service: answer(shapes.serviceView, examples.service),
  ServiceCreated: answer(shapes.serviceCreated, examples.serviceCreated),
  ServicePatch: request(shapes.servicePatch, {
    access_mode: 'restricted',
    bot_account_ids: [examples.ids.botId],
  }),
  ServiceRegenerated: answer(shapes.serviceRegenerated, examples.serviceRegenerated),
  SubscriptionType: answer(shapes.subscriptionTypeView, examples.subscriptionType),
  WsToken: answer(shapes.wsTokenView, examples.wsToken),
} as const satisfies Record<string, Component>;

export type SchemaName = keyof typeof schemas;
