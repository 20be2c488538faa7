import { createNode } from 'heddle';
import serve from './two-processes-server.js';

// The service as a process: it tells its parent where it listens, and ends when the parent lets go of it.
const node = createNode();
process.once('disconnect', () => void node.close());
process.send?.(await serve(node.context, process.argv[2] as string));
