/** Messages go to few places in turns: the rings to the other contexts, the frames of a wire. */
const keptViews = 8;
/** What is larger is no ring and no frame, and is not kept alive for its view: neither where messages go, nor where they come from. */
export const keptViewBytes = 2 ** 22;
const noTarget = Buffer.alloc(0);

const targets: Buffer[] = new Array(keptViews).fill(noTarget);
const views: DataView[] = targets.map(makeView);
let last = 0;
let oldest = 0;

/** A view of the same bytes, for reading or writing several at once. */
export function makeView(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** As {@link makeView}; those of the last targets are kept. */
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
