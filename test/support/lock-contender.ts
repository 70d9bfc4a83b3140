// A process that takes and gives back the lock of whatever folder its parent names. Started by data-lock.test.ts.
import { lockDataFolder, type DataLock } from '../../src/store/embedded/data-lock.ts';

let lock: DataLock | undefined;
process.on('message', (folder: string) => {
  void (async () => {
    await lock?.release();
    lock = undefined;
    if (folder !== '') lock = await lockDataFolder(folder, `${folder}/socket`).catch(() => undefined);
    process.send?.(lock !== undefined);
  })();
});
process.send?.('ready');
