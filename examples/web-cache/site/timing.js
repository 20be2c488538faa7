// Asks for a cached file some times over the same connection, and shows how long an answer took.
const rounds = 200;
const times = [];
for (let round = 0; round < rounds; round++) {
  const startedMs = performance.now();
  await (await fetch('loom.svg', { cache: 'no-store' })).text();
  times.push(performance.now() - startedMs);
}
times.sort((one, other) => one - other);
const median = times[rounds >> 1].toFixed(1);
document.querySelector('#timing').textContent =
  `${rounds} answers, the middle one in ${median} ms, as this page sees it.`;
