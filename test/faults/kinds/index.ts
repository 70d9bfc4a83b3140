// Every kind of fault that the programme plays. Add a group by adding a line.
import type { FaultKind } from '../contract.ts';
import { crashKinds } from './crash.ts';
import { receiverKinds } from './receivers.ts';
import { consumerKinds } from './consumers.ts';
import { databaseKinds } from './database.ts';
import { sessionKinds } from './session.ts';
import { clockKinds } from './clock.ts';
import { framesKinds } from './frames.ts';
import { handOverKinds } from './hand-over.ts';
import { helixKinds } from './helix.ts';
import { tokensKinds } from './tokens.ts';

export const kinds: readonly FaultKind[] = [
  ...sessionKinds,
  ...handOverKinds,
  ...framesKinds,
  ...helixKinds,
  ...tokensKinds,
  ...clockKinds,
  ...databaseKinds,
  ...consumerKinds,
  ...receiverKinds,
  ...crashKinds,
];
