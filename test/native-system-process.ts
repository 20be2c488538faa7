/** A process for which the native part does not exist: the file system says so. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { existsSync } = fs;
fs.existsSync = (path) => !String(path).endsWith('.node') && existsSync(path);
syncBuiltinESMExports();

const { adviseHugePages } = await import('../src/native-system.js');
console.log(adviseHugePages(new SharedArrayBuffer(4096))?.message);
