// The command that looks at everything and says what to do about it.
import { command, none } from '../command.ts';
import { finding, findingText, worst, type Finding } from '../doctor/finding.ts';
import { localConfiguration, openTransport } from '../doctor/local.ts';
import { adminFindings, ofError, reachRelay, readyLines } from '../doctor/remote.ts';
import { exitCodes } from '../failure.ts';
import type { Session } from '../session.ts';

export const doctor = command({
  usage: 'doctor',
  summary: 'Looks at everything and says what to do about it',
  notes:
    'The settings of this folder, whether the relay is reached and ready, the clocks, and, with the admin key, its ' +
    'database, Twitch, and the token, scopes, budget and session of each bot. Ends with 1 if anything has failed.',
  options: none,
  examples: ['eventsub-relay doctor', 'eventsub-relay doctor --json | jq .status'],
  async run(session) {
    const { io, out, connection } = session;
    const findings = await session.during('looking at everything', () => examine(session));
    if (io.signal.aborted) throw io.signal.reason;
    const status = worst(findings);
    if (out.json) await out.document({ status, url: connection.url, checks: findings });
    else {
      for (const each of findings) await out.painted(findingText(each, out.style));
      await out.note(closing[status]);
    }
    return status === 'failed' ? exitCodes.failed.code : exitCodes.ok.code;
  },
});

const closing = {
  ok: 'All is well.',
  warning: 'It works. See what is marked with "!".',
  failed: 'Something has to be done. See what is marked with "✗".',
} as const;

async function examine(session: Session): Promise<Finding[]> {
  const here = [...localConfiguration(session.io), ...openTransport(session.connection)];
  const { findings, readiness, reached } = await reachRelay(session);
  if (!reached) return [...here, ...findings];
  return [...here, ...findings, ...(await asAdmin(session, readiness)), ...(await asService(session))];
}

async function asAdmin(session: Session, ready: Parameters<typeof adminFindings>[1]): Promise<Finding[]> {
  if (session.connection.adminKey !== undefined) return adminFindings(session.admin(), ready);
  const status = session.connection.service === undefined ? 'failed' : 'warning';
  return [
    ...readyLines(ready),
    finding('admin', status, 'no admin key was given, so the bots were not looked at', 'Set ADMIN_API_KEY.'),
  ];
}

/** Only if there are credentials of one. */
async function asService(session: Session): Promise<Finding[]> {
  if (session.connection.service === undefined) return [];
  const { clientId } = session.connection.service;
  try {
    const { bots } = await session.service().bots();
    const some = bots.length > 0;
    return [
      finding(
        'service',
        some ? 'ok' : 'warning',
        some ? `its credentials are good; bots it may use: ${bots.length}` : 'it may use no bot',
        some ? null : `Let it: eventsub-relay services access ${clientId} --all`,
      ),
    ];
  } catch (error) {
    return [{ ...ofError(error), name: 'service' }];
  }
}
