// Which receivers may be called: a guard over URLs before they are stored and over names each time one is connected to.
// It never connects, never remembers an answer, and never repeats more of a URL than its host.
import { isIP } from 'node:net';
import type { Cidr } from '../../../domain/cidr.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { pause, systemClock } from '../../../runtime/clock.ts';
import type { EgressGuard, EgressVerdict, VettedAddress } from '../ports.ts';
import type { AddressRefusal } from './address-verdict.ts';
import { mergeRefusals, refuseAddress } from './address-verdict.ts';
import { withoutBrackets } from './host-name.ts';
import type { Lookup } from './lookup.ts';
import { systemLookup } from './lookup.ts';

export interface EgressGuardDeps {
  /** `WEBHOOK_ALLOWED_CIDRS`, read with `parseCidrs`. Opens private, loopback and reserved ranges; nothing else. */
  readonly allowedCidrs: readonly Cidr[];
  /** The system's resolver if absent. Every answer of it is judged. */
  readonly lookup?: Lookup;
  /** Bounds the look-up of `check`; the system clock if absent. */
  readonly clock?: Clock;
}

/** As long as a connect may take: a name server that needs more is as good as silent, and somebody waits for `check`. */
const checkTimeoutMs = 5_000;

/** More would tell nobody more. */
const maxAdvised = 4;

type Resolved = Awaited<ReturnType<EgressGuard['resolve']>>;

export function createEgressGuard(deps: EgressGuardDeps): EgressGuard {
  const { allowedCidrs, clock = systemClock, lookup = systemLookup({ clock }) } = deps;

  const judge = (address: string) => verdictOf(refuseAddress(address, allowedCidrs));

  const resolve = async (hostname: string): Promise<Resolved> => {
    const name = withoutBrackets(hostname);
    const literal = isIP(name) !== 0;
    const found = literal ? [name] : await addressesOf(name, lookup);
    const refused = mergeRefusals(found.flatMap((address) => refuseAddress(address, allowedCidrs) ?? []));
    if (refused) return refusalOf(refused, literal ? undefined : name);
    return { ok: true, addresses: found.map(vetted) };
  };

  const check = async (url: string): Promise<EgressVerdict> => {
    const target = readUrl(url);
    if ('refusal' in target) return target;
    const looked = new AbortController();
    const answer = resolve(target.hostname).catch(() => allowed);
    const late = pause(clock, checkTimeoutMs, looked.signal).then(() => allowed);
    const verdict = await Promise.race([answer, late]);
    looked.abort();
    return verdict.ok ? allowed : verdict;
  };

  return { judge, resolve, check };
}

const allowed = { ok: true } as const;

const schemeRefused = {
  ok: false,
  refusal: 'scheme',
  message: 'a webhook URL must be an absolute http:// or https:// URL with a valid host',
} as const;

const userinfoRefused = {
  ok: false,
  refusal: 'userinfo',
  message: 'a webhook URL must not carry a user name or password; requests are signed instead',
} as const;

function readUrl(text: string): URL | (EgressVerdict & { ok: false }) {
  if (!URL.canParse(text)) return schemeRefused;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return schemeRefused;
  if (url.username !== '' || url.password !== '') return userinfoRefused;
  return url;
}

/** RFC 1035, and the dot of the root. A resolver answers a longer one as if it were the relay that was broken. */
const maxNameLength = 254;

/** Each once, in the resolver's order. */
async function addressesOf(name: string, lookup: Lookup): Promise<string[]> {
  const found = name.length > maxNameLength ? [] : await lookup(name);
  if (found.length === 0)
    throw Object.assign(new Error('the name has no addresses'), { code: 'ENOTFOUND', syscall: 'lookup' });
  return [...new Set(found.map(({ address }) => address))];
}

const vetted = (address: string): VettedAddress => ({ address, family: isIP(address) === 6 ? 6 : 4 });

const verdictOf = (refused: AddressRefusal | undefined): EgressVerdict =>
  refused ? refusalOf(refused, undefined) : allowed;

function refusalOf({ refusal, what, opens }: AddressRefusal, name: string | undefined) {
  const found = name === undefined ? what : `${name} resolves to ${what}`;
  const advice =
    opens.length === 0
      ? 'no setting allows that'
      : `if a receiver of yours is there, add ${opens.slice(0, maxAdvised).join(',')} to WEBHOOK_ALLOWED_CIDRS`;
  return { ok: false, refusal, message: `${found}: webhooks are not sent there; ${advice}` } as const;
}
