// Imported first. V8 may decide of a place in the code that what is made there lives long, and from then on puts it among the
// old objects at once. Here it decides so while the process starts, of what is made for each event: then nothing of an
// event dies young, and the old generation is collected every few seconds, each time for some fifteen milliseconds. See
// docs/performance.md.
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-allocation-site-pretenuring');
