// How this process treats what lives shortly.
import { setFlagsFromString } from 'node:v8';

/**
 * V8 may decide of a place in the code that what is made there lives long, and from then on puts it among the old objects at
 * once. Here it decides so while the process starts, of what is made for each event: then nothing of an event dies young, and
 * the old generation is collected every few seconds, each time for some fifteen milliseconds (docs/performance.md). To be called
 * before anything is started, and not by commands that end soon: Node's own modules load slower afterwards.
 */
export function letObjectsDieYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}
