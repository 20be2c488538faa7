import { createNode } from 'heddle';
import { countTogether } from './shared-counter.js';

// A client in a process of its own: node counter-process.js '{"uri":"tcp://127.0.0.1:7001", ...}'
const node = createNode();
const report = await countTogether(node.context, JSON.parse(process.argv[2]!));
await node.close();
console.log(JSON.stringify(report));
