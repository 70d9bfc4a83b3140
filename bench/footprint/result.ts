// What the processes come to. Pure.
import { figure, spread, summaryOf } from '../kit/summary.ts';
import type { Summary } from '../kit/summary.ts';
import { asTable } from '../kit/table.ts';

/** From the start of the process until it takes requests. */
export interface Boot {
  readonly database: 'PostgreSQL' | 'embedded';
  readonly kind: 'first' | 'later';
  readonly ms: number;
}

/** Resident at rest, with a known database. */
export interface Rest {
  readonly database: Boot['database'];
  readonly kb: number;
}

export interface Idle {
  readonly server: string;
  readonly restKb: number;
  readonly crowdedKb: number;
}

export interface Measured {
  readonly boots: readonly Boot[];
  readonly rests: readonly Rest[];
  readonly idles: readonly Idle[];
  readonly consumers: number;
  readonly settleSeconds: number;
  readonly database: string;
}

export const relayServer = 'relay.v1';
const kbPerMb = 1_024;

const bootsOf = ({ boots }: Measured, database: Boot['database'], kind: Boot['kind']): readonly Boot[] =>
  boots.filter((boot) => boot.database === database && boot.kind === kind);

const readyMs = (measured: Measured, database: Boot['database'], kind: Boot['kind']): Summary =>
  summaryOf(bootsOf(measured, database, kind).map(({ ms }) => ms));

const restMb = ({ rests }: Measured, database: Boot['database']): Summary =>
  summaryOf(
    rests.filter((rest) => rest.database === database).map(({ kb }) => kb / kbPerMb),
    1,
  );

const perSocket = ({ idles, consumers }: Measured, server: string): Summary =>
  summaryOf(
    idles
      .filter((idle) => idle.server === server)
      .map(({ restKb, crowdedKb }) => (crowdedKb - restKb) / consumers),
    2,
  );

const servers = ({ idles }: Measured): readonly string[] => [...new Set(idles.map(({ server }) => server))];

/** The line of `--json`: flat; a peer that could not run has no figure. */
export function lineOf(measured: Measured): Record<string, number> {
  const peers = servers(measured).filter((server) => server !== relayServer);
  return {
    rounds: perSocket(measured, relayServer).rounds,
    consumers: measured.consumers,
    postgres_first_boot_ms: readyMs(measured, 'PostgreSQL', 'first').median,
    postgres_boot_ms: readyMs(measured, 'PostgreSQL', 'later').median,
    embedded_first_boot_ms: readyMs(measured, 'embedded', 'first').median,
    embedded_boot_ms: readyMs(measured, 'embedded', 'later').median,
    postgres_rest_mb: restMb(measured, 'PostgreSQL').median,
    embedded_rest_mb: restMb(measured, 'embedded').median,
    kb_per_idle_consumer: perSocket(measured, relayServer).median,
    ...Object.fromEntries(
      peers.map((server) => [
        `${server.replaceAll(/\W/gu, '_')}_kb_per_idle_socket`,
        perSocket(measured, server).median,
      ]),
    ),
  };
}

export function render(measured: Measured): string {
  const databases = ['PostgreSQL', 'embedded'] as const;
  const boots = databases.map((database) => [
    database,
    spread(readyMs(measured, database, 'first')),
    spread(readyMs(measured, database, 'later')),
    spread(restMb(measured, database)),
  ]);
  const idles = servers(measured).map((server) => {
    const own = measured.idles.filter((idle) => idle.server === server);
    const mb = (pick: (idle: Idle) => number) =>
      figure(
        summaryOf(
          own.map((idle) => pick(idle) / kbPerMb),
          1,
        ).median,
      );
    return [
      server,
      mb(({ restKb }) => restKb),
      mb(({ crowdedKb }) => crowdedKb),
      spread(perSocket(measured, server)),
    ];
  });
  return [
    `${measured.consumers.toLocaleString('en')} idle consumers, ${measured.settleSeconds} s to settle, ${measured.database}`,
    '',
    asTable([['relay', 'first boot, ms', 'later boot, ms', 'at rest, MB'], ...boots]),
    '',
    asTable([['idle sockets', 'at rest, MB', 'with them, MB', 'kB each'], ...idles]),
  ].join('\n');
}
