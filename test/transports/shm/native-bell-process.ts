import { loadNativeBells } from '../../../src/transports/shm/native-bell.js';

const bells = loadNativeBells()!;
process.once('uncaughtException', (error) => console.log(`caught: ${error.message}`));
const bell = bells.open(() => {
  throw new Error('the bell broke');
});
bells.ring(bell);
// The bell stays open, and nothing but this timer holds the process.
setTimeout(() => console.log('still running'), 50);
