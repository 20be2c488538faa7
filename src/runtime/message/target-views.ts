/** Messages go to few places in turns: the rings to the other contexts, the frames of a wire. */
const keptViews = 8;
/** What is larger is no ring and no frame, and is not kept alive for its view. */
const keptViewBytes = 2 ** 22;
const noTarget = Buffer.alloc(0);

const targets: Buffer[] = new Array(keptViews).fill(noTarget);
const views: DataView[] = targets.map(makeView);
let last = 0;
let oldest = 0;

function makeView(target: Buffer): DataView {
  return new DataView(target.buffer, target.byteOffset, target.length);
}

/** A view of the same bytes, for writing several at once. It is of the last targets that it is kept, one for each. */
export function viewOf(target: Buffer): DataView {
  if (targets[last] === target) return views[last]!;
  for (let i = 0; i < keptViews; i++) {
    if (targets[i] === target) {
      last = i;
      return views[i]!;
    }
  }
  const view = makeView(target);
  if (target.length > keptViewBytes) return view;
  last = oldest;
  oldest = (oldest + 1) % keptViews;
  targets[last] = target;
  views[last] = view;
  return view;
}
