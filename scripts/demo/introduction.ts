// What the demo says before the curtain rises: who is who in the lines that follow, and how to look behind them.
import type { Printer } from './printer.ts';
import type { DemoService, Stage } from './stage.ts';

export function introduce(
  stage: Stage,
  printer: Printer,
  { startMs, forMs }: { startMs: number; forMs: number | null },
) {
  const { url, sim, sockets, webhooks } = stage;
  const dim = (text: string) => printer.paint('dim', text);
  printer.line();
  printer.line(`${printer.paint('bold', 'The relay')} listens on ${url} ${dim(`(up in ${startMs} ms)`)}`);
  printer.line(`${printer.paint('yellow', 'twitch')}     the stand-in, on ${sim.url}`);
  printer.line(
    `${printer.paint('cyan', 'relay.v1')}   a consumer through the SDK, acknowledging what it has done`,
  );
  printer.line(`${printer.paint('magenta', 'plain')}      a consumer with nothing but a WebSocket`);
  printer.line(
    `${printer.paint('green', 'webhook')}    a receiver of signed requests, which is down for a while`,
  );
  if (forMs === null) {
    const auth = ({ clientId, clientSecret }: DemoService) =>
      `-H 'X-Client-Id: ${clientId}' -H 'X-Client-Secret: ${clientSecret}'`;
    printer.line();
    printer.line(dim('Look for yourself while it runs (Ctrl-C ends it):'));
    printer.line(dim(`  curl -s '${url}/v1/events?limit=5' ${auth(sockets)}`));
    printer.line(dim(`  curl -s '${url}/v1/deliveries?limit=5' ${auth(webhooks)}`));
  }
  printer.line();
}
