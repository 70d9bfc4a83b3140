// Faults of grants and tokens: they expire, cannot be renewed for a while, or are taken back and given anew.
import type { FaultSpec } from '../../simulator/index.ts';
import type { FaultKind, Stage, StageBot } from '../contract.ts';
import { anyOf } from './pick.ts';
import {
  answered,
  anyMs,
  botState,
  everyDatabase,
  handOver,
  loseSession,
  newGrant,
  subscribed,
  subscriptionsOf,
  withWish,
} from './upstream.ts';

const inGroup = { group: 'tokens', databases: everyDatabase } as const;

/** What goes wrong when the dead token is renewed; null: nothing. */
const renewals: readonly {
  readonly name: string;
  readonly what: string;
  readonly fault: ((stage: Stage) => FaultSpec & { readonly times: number }) | null;
}[] = [
  { name: 'expires', what: 'is renewed', fault: null },
  {
    name: 'refresh-503',
    what: 'is renewed after a few answers of 503',
    fault: (stage) => ({ name: 'auth', on: 'token', status: 503, times: anyMs(stage, 1, 4) }),
  },
  {
    name: 'refresh-hangs',
    what: 'is renewed after a try that nobody answered',
    fault: () => ({ name: 'auth_hangs', on: 'token', ms: 2_300, times: 1 }),
  },
];

/** What the token is needed for. */
const needs: readonly {
  readonly name: string;
  readonly what: string;
  readonly mayLose: boolean;
  play(stage: Stage, bot: StageBot): Promise<void>;
}[] = [
  {
    name: 'new-wish',
    what: 'an interest is made',
    mayLose: false,
    play: (stage, bot) =>
      withWish(stage, bot, async (wish) => {
        await wish.make();
        await wish.active();
      }),
  },
  {
    name: 'hand-over',
    what: 'a session moves',
    mayLose: false,
    async play(stage, bot) {
      await handOver(stage, bot);
    },
  },
  {
    name: 'session-lost',
    what: 'a session is lost',
    mayLose: true,
    async play(stage, bot) {
      const old = await loseSession(stage, bot);
      await stage.session(bot, old);
      await subscribed(stage, bot);
    },
  },
];

const expiry = (renewal: (typeof renewals)[number], need: (typeof needs)[number]): FaultKind => ({
  ...inGroup,
  name: `token-${renewal.name}-${need.name}`,
  what: `a token expires, ${need.what}, and the token ${renewal.what}`,
  mayLose: need.mayLose,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const { accessToken } = await newGrant(stage, bot);
    const from = Date.now();
    const spec = renewal.fault?.(stage);
    const armed = spec && stage.sim.arm(spec);
    stage.sim.expireToken(accessToken);
    try {
      await need.play(stage, bot);
      await stage.until(() => answered(stage, 'token', from, 200).length > 0, 'the token to be renewed');
    } finally {
      armed?.disarm();
    }
    if (spec && armed?.fired() !== spec.times) throw new Error('the renewal met no fault');
    const fired = answered(stage, 'token', from, 200).length + (armed?.fired() ?? 0);
    return { fired, from, to: Date.now(), bots: [bot] };
  },
});

const needsGrant = (stage: Stage, bot: StageBot) =>
  stage.until(
    async () => (await botState(stage, bot)) === 'reauth_required',
    'the relay to see that the grant is gone',
  );

const grants: readonly FaultKind[] = [
  {
    ...inGroup,
    name: 'grant-revoked',
    what: 'a user takes the grant back, all subscriptions end, and it is given anew while the relay runs',
    mayLose: true,
    async play(stage) {
      const bot = anyOf(stage, stage.bots);
      const from = Date.now();
      stage.sim.revokeGrant(bot.userId);
      await needsGrant(stage, bot);
      await newGrant(stage, bot);
      await subscribed(stage, bot);
      return { fired: 1, from, to: Date.now(), bots: [bot] };
    },
  },
  {
    ...inGroup,
    name: 'grant-revoked-and-given-at-once',
    what: 'a user takes the grant back and gives it anew before the relay has understood',
    mayLose: true,
    async play(stage) {
      const bot = anyOf(stage, stage.bots);
      const from = Date.now();
      stage.sim.revokeGrant(bot.userId);
      await stage.lasts(anyMs(stage, 0, 60));
      await newGrant(stage, bot);
      await subscribed(stage, bot);
      return { fired: 1, from, to: Date.now(), bots: [bot] };
    },
  },
  {
    ...inGroup,
    name: 'grant-refused-while-heard',
    what: 'a token expires and its renewal is refused while the session goes on; the grant is given anew',
    mayLose: false,
    async play(stage) {
      const bot = anyOf(stage, stage.bots);
      const { accessToken } = await newGrant(stage, bot);
      const from = Date.now();
      const refusal = stage.sim.arm({ name: 'auth', on: 'token', status: 400 });
      stage.sim.expireToken(accessToken);
      try {
        await withWish(stage, bot, async (wish) => {
          await wish.make();
          await needsGrant(stage, bot);
          await newGrant(stage, bot);
          await wish.active();
        });
      } finally {
        refusal.disarm();
      }
      return { fired: refusal.fired(), from, to: Date.now() };
    },
  },
];

/** https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#revocation-message and the list of statuses. */
const revocations: readonly { readonly status: string; readonly healsAlone?: true }[] = [
  { status: 'authorization_revoked' },
  { status: 'user_removed' },
  { status: 'moderator_removed' },
  { status: 'version_removed' },
  { status: 'websocket_network_error', healsAlone: true },
];

const revocation = ({ status, healsAlone }: (typeof revocations)[number]): FaultKind => ({
  ...inGroup,
  name: `subscription-revoked-${status.replaceAll('_', '-')}`,
  what: `Twitch ends one subscription with ${status}${healsAlone ? '' : ', and the grant is given anew'}`,
  mayLose: true,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    await stage.session(bot);
    const from = Date.now();
    const { id, type } = anyOf(stage, subscriptionsOf(stage, bot));
    const lines = stage.relay.log.length;
    stage.sim.revoke(id, status);
    // A look at the wishes that was under way has made it anew before it knew why it ended: Twitch has the last word.
    const isMadeAnew = () => subscriptionsOf(stage, bot, type).length === 1;
    const isNoted = () =>
      stage.relay.log
        .slice(lines)
        .some((line) => line.msg === 'subscription is not active' && line['type'] === type);
    await stage.until(() => isNoted() || isMadeAnew(), 'the relay to note the revocation');
    if (!isMadeAnew()) await newGrant(stage, bot);
    await subscribed(stage, bot);
    return { fired: 1, from, to: Date.now(), bots: [bot] };
  },
});

export const tokensKinds: readonly FaultKind[] = [
  ...renewals.flatMap((renewal) => needs.map((need) => expiry(renewal, need))),
  ...grants,
  ...revocations.map((each) => revocation(each)),
];
